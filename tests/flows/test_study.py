"""The study in its smallest form: real curation, real training, real films."""

import numpy as np
import pytest

from flows.study.arms import Arm, Data, arms
from flows.study.run import RESULTS, ArmResult, read_result, run_study
from flows.study.settings import SIZES, Size, StudySettings
from flows.study.table import interval, table
from shards.errors import BadInput

SMALLEST = StudySettings(
    crawled=6, curated=4, evaluated=2, size_px=64, one_steps=3, two_steps=2, seeds=(0,),
    two_stage_shares=(1.0,), curated_shares=(0.5,), ablations=False,
)  # fmt: skip


@pytest.mark.parametrize("size", Size)
def test_every_arm_computes_alike_and_has_a_name_of_its_own(size: Size):
    settings = SIZES[size]
    some = list(arms(settings))
    assert len({arm.name for arm in some}) == len(some)
    assert {sum(arm.steps(settings)) for arm in some} == {settings.one_steps + settings.two_steps}
    assert {arm.one for arm in some} == {None, *Data}


def test_an_arm_of_one_stage_has_all_steps_in_it():
    assert Arm("raw", Data.RAW, None).steps(SMALLEST) == (5, 0)
    assert Arm("curated", None, 1.0).steps(SMALLEST) == (0, 5)


@pytest.mark.slow
def test_a_study_runs_to_its_table_and_finds_everything_done_the_second_time(tmp_path):
    said: list[str] = []
    found = run_study(tmp_path, SMALLEST, told=said.append)
    assert [one.arm for one in found] == [arm.name for arm in arms(SMALLEST)]
    files = sorted((tmp_path / RESULTS).iterdir())
    assert len(files) == len(found) == 5
    written = [path.stat().st_mtime_ns for path in files]
    assert run_study(tmp_path, SMALLEST, told=said.append) == found
    assert [path.stat().st_mtime_ns for path in files] == written
    assert all(len(one.films) == 2 and one.clips for one in found)
    assert {read_result(path).arm for path in files} == {one.arm for one in found}
    with pytest.raises(BadInput, match="other settings"):
        run_study(tmp_path, SMALLEST.model_copy(update={"one_steps": 4}), told=said.append)


def test_the_interval_covers_the_figure_and_is_a_point_where_all_films_are_alike():
    def result(films: list[tuple[int, int, int]]) -> ArmResult:
        return ArmResult("a", 0, 4, 0.5, 40.0, 0.1, 0.01, tuple(films), 1.0)

    alike = interval([result([(3, 3, 3)] * 8)])
    assert alike == (1.0, 1.0)
    random = np.random.default_rng(0)
    mixed = [(3, 3, int(hits)) for hits in random.integers(0, 4, 40)]
    low, high = interval([result(mixed), result(mixed)])
    f1 = 2 * sum(one[2] for one in mixed) / sum(one[0] + one[1] for one in mixed)
    assert low < f1 < high
    assert table([result(mixed)])[0]["seeds"] == "1"
