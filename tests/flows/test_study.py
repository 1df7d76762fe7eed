"""The study in its smallest form: real curation, real review, real training, real films."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from curation.home.folder import Home
from flows.run import stage_set
from flows.study import run as running
from flows.study.arms import Arm, Data, Group, arms, two_stages
from flows.study.data import DataSet, StudyData, read_data
from flows.study.plots import parts_svg, reviewing_svg, shares_svg
from flows.study.report import PROBES, pictured, write_films, write_report
from flows.study.results import ArmResult, read_result
from flows.study.reviewing import Reviewed
from flows.study.run import RESULTS, StudyParams, probe_arms, result_file, study
from flows.study.settings import SIZES, Size, StudySettings
from flows.study.table import answer, difference, f1_of, interval, minutes, table
from shards.errors import BadInput

SMALLEST = StudySettings(
    crawled=6, reviewed=12, reviewer_error=0, evaluated=2, size_px=64, one_steps=3, two_steps=2, seeds=(0,),
    one_stage_shares=(1.0,), two_stage_shares=(0.5,), ablations=False, probed=4,
)  # fmt: skip
DATA = StudyData({data: DataSet(10, 9, 12) for data in Data}, Reviewed(20, 10, 1, {"any": [True, False, True]}))


def result(arm: Arm, films: list[tuple[int, int, int]], seed: int = 0) -> ArmResult:
    f1 = 2 * sum(film[2] for film in films) / sum(film[0] + film[1] for film in films)
    return ArmResult(
        arm.name, arm.group, seed, arm.curated_share, "stage-two/0", 4, f1, 40.0, 0.1, 0.2, 0.01, 0.001, films
    )


@pytest.mark.parametrize("size", Size)
def test_every_arm_has_a_name_and_a_file_of_its_own_and_both_phases(size: Size, tmp_path):
    settings = SIZES[size]
    some = list(arms(settings))
    assert len({arm.name for arm in some}) == len({result_file(tmp_path, arm, 0) for arm in some}) == len(some)
    for arm in some:
        stages = list(running._stages(arm, settings, 0))
        assert [config.steps for _, config in stages] == [settings.one_steps, settings.two_steps]
        # Nothing but what an arm says may set it apart from another.
        assert {config.share for data, config in stages if data is Data.CURATED} <= {arm.share}
        assert all(config.share == 1 for data, config in stages if data is not Data.CURATED)


def test_ablations_change_what_they_say_and_share_the_rest():
    base, *others = (arm for arm in arms(SIZES[Size.SMALL]) if arm.share == 0.1 and arm.one is Data.AUTO)
    plain = [config.model_dump() for _, config in running._stages(base, SIZES[Size.SMALL], 0)]
    assert len(others) == 7
    for arm in others:
        for stage, (_, config) in enumerate(running._stages(arm, SIZES[Size.SMALL], 0)):
            changed = {name for name, value in config.model_dump().items() if value != plain[stage][name]}
            assert changed == set(arm.changes) | (set(arm.changes_two) if stage else set())


@pytest.mark.slow
def test_a_study_runs_to_its_report_and_finds_everything_done_the_second_time(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, Size.TINY, SMALLEST)
    monkeypatch.setattr(running, "FILMED_WINDOWS", SMALLEST.probed)
    params = StudyParams(out=tmp_path)
    with stage_set(Home(tmp_path)):
        found = study(params)
        assert [one.arm for one in found] == [arm.name for arm in arms(SMALLEST)]
        files = sorted((tmp_path / RESULTS).iterdir())
        written = [path.stat().st_mtime_ns for path in files]
        # Killed while it drew or reviewed, it looks again; what reviewers answered is counted, not answered twice.
        before = read_data(tmp_path)
        (tmp_path / "data.json").unlink()
        assert study(params) == found
        assert read_data(tmp_path) == before
        films = tmp_path / "films" / "reviewed" / "sources.csv"
        probe_arms(tmp_path, found[:1], [str(films)])
    assert [path.stat().st_mtime_ns for path in files] == written
    assert all(len(one.films) == 2 and one.windows for one in found)
    assert {read_result(path).arm for path in files} == {one.arm for one in found}
    assert before.reviewed.accepted == before.sets[Data.CURATED].clips > 0 == before.reviewed.wrongly
    assert before.sets[Data.RAW].clips >= before.sets[Data.AUTO].clips
    assert before.sets[Data.ORACLE].in_sync == before.sets[Data.ORACLE].clips
    report = write_report(tmp_path, found, SMALLEST)
    assert "not probed" in report.rows[1]["filmed, shifted"] and "±" in report.rows[0]["filmed, shifted"]
    assert (report.folder / "shares.svg").read_text().startswith("<svg")
    assert write_films(tmp_path, found, films=1).stat().st_size > 1000
    assert len(list((tmp_path / PROBES).iterdir())) == 1
    with pytest.raises(BadInput, match="other settings"):
        running._claim(tmp_path, SMALLEST.model_copy(update={"one_steps": 4}))


def test_the_interval_covers_the_figure_and_is_a_point_where_all_films_are_alike():
    arm = Arm("a", Group.CRAWL_ONLY, Data.AUTO, Data.AUTO)
    assert interval([result(arm, [(3, 3, 3)] * 8)]) == (1.0, 1.0)
    random = np.random.default_rng(0)
    mixed = [(3, 3, int(hits)) for hits in random.integers(0, 4, 40)]
    some = [result(arm, mixed), result(arm, mixed, seed=1)]
    low, high = interval(some)
    assert low < f1_of(some) < high
    assert difference(some, some) == (0.0, 0.0, 0.0)
    assert table(some, DATA, SMALLEST)[0]["seeds"] == "2"


def _study(alone: int, both: dict[float, int]) -> list[ArmResult]:
    """Results whose films hit so many of ten strikes."""
    whole = Arm("curated 100%", Group.CURATED_ONLY, Data.CURATED, Data.CURATED)
    crawls = [Arm(data, Group.CRAWL_ONLY, data, data) for data in (Data.RAW, Data.AUTO)]
    some = [result(one, [(10, 10, alone)] * 6) for one in (whole, *crawls)]
    return some + [result(two_stages(Data.AUTO, share), [(10, 10, hits)] * 6) for share, hits in both.items()]


def test_the_answer_is_the_least_share_that_reaches_the_whole_set_alone():
    found = answer(_study(6, {0.1: 5, 0.25: 6, 1.0: 7}))
    assert (found.share, found.low, found.high, found.never) == (0.25, 0.25, 0.25, 0.0)
    never = answer(_study(6, {0.1: 5, 1.0: 5}))
    assert never.share is None and math.isinf(never.low) and never.never == 1.0


def test_minutes_are_those_of_all_clips_that_were_shown():
    assert minutes(0.5, DATA, SMALLEST.model_copy(update={"answer_s": 6.0})) == 1.0


def test_plots_say_all_arms_and_are_whole_documents():
    results = _study(6, {0.1: 5, 1.0: 7})
    base = two_stages(Data.AUTO, 0.1)
    ablation = replace(results[-1], arm="own <column>", group=Group.ABLATION, curated_share=0.1)
    drawn = [
        shares_svg(results, DATA, SMALLEST),
        reviewing_svg(DATA, SMALLEST),
        parts_svg([*results, ablation], base.name),
    ]
    from xml.etree import ElementTree

    for one in drawn:
        ElementTree.fromstring(one)
    assert "curated alone" in drawn[0] and "crawl alone: raw" in drawn[0]
    assert "own &lt;column&gt;" in drawn[2]
    assert parts_svg(results, base.name) == ""
    assert [one.arm for one in pictured(results)][2:] == ["raw", "auto", base.name]


def test_names_at_the_ends_of_lines_do_not_lie_on_one_another():
    import re

    drawn = shares_svg(_study(6, {0.1: 6, 1.0: 6}), DATA, SMALLEST)
    heights = sorted(float(at) for at in re.findall(r'y="([\d.]+)" style=', drawn))
    assert len(heights) == 4
    assert all(b - a >= 16 for a, b in pairwise(heights))
