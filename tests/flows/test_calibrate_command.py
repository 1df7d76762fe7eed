"""`clapboard calibrate` on a real ledger: prints, keeps, plots, notices drift, and refuses what is too little."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.review.answers import record
from curation.verdicts.answers import RejectReason, Verdict
from flows.cli.app import app
from shards.errors import BadInput


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def judge(home, count, *, seed, good_above=0.5, label="", column="p_in_sync", up_to=1.0):
    """Clips whose `p_in_sync`, or another column, decides, with some noise, what a person says."""
    random = np.random.default_rng(seed)
    with home.ledger() as ledger:
        for number in range(count):
            clip_id, in_sync = f"{seed}-{number}", float(random.uniform(0, up_to))
            with ledger.session() as session:
                session.add(Video(id=clip_id, link=f"https://example.org/{clip_id}", local=False, cuts_us=[]))
                session.add(
                    SourceEntry(
                        id=clip_id,
                        table_name="t",
                        row=number,
                        caption="",
                        label=label,
                        licence="",
                        outcome="ok",
                        detail="",
                    )
                )
                session.flush()
                session.add(
                    ClipRow(
                        id=clip_id, video_id=clip_id, source_id=clip_id, start_us=0, end_us=3_000_000, band=Band.REVIEW,
                        policy="p", reasons=[], p_good=0.5, scores={column: in_sync, "sync_at_zero": in_sync / 2},
                        audit=False, current=True, cut=None,
                    )
                )  # fmt: skip
            good = in_sync + float(random.normal(0, 0.1)) > good_above
            verdict, reason = (Verdict.ACCEPT, None) if good else (Verdict.REJECT, RejectReason.NOT_SYNCHRONISED)
            record(ledger, [clip_id], verdict, reviewer="ada", reason=reason)


def run(home, *arguments):
    return CliRunner().invoke(app, ["calibrate", "--home", str(home.root), *arguments])


def test_prints_keeps_and_plots(home):
    judge(home, 200, seed=1)
    done = run(home, "--target", "0.9")
    assert done.exit_code == 0, done.output
    for words in ("p_in_sync", "predicted", "precision", "recall", "200 verdicts", "in force from the next"):
        assert words in done.output
    plot = ET.fromstring((home.root / "calibration.svg").read_text())
    assert len(plot.findall(".//{http://www.w3.org/2000/svg}circle")) >= 4
    found = json.loads(run(home, "--json", "--dry-run").output)
    assert found["policy"]["weights"]["p_in_sync"] > 0
    assert found["precision"]["low"] <= found["precision"]["value"] <= found["precision"]["high"]
    assert found["drift"] is None, "no verdict came since"


def test_a_dry_run_leaves_everything_as_it_is(home):
    judge(home, 60, seed=2)
    done = run(home, "--dry-run")
    assert "nothing was changed" in done.output and not (home.root / "calibration.svg").exists()
    judge(home, 30, seed=3)
    assert json.loads(run(home, "--json").output)["drift"] is None, "there was no calibration to drift from"


def test_says_when_people_judge_otherwise_than_before(home):
    judge(home, 200, seed=4)
    assert run(home).exit_code == 0
    judge(home, 100, seed=5)
    assert "the last calibration held" in run(home, "--dry-run").output
    judge(home, 200, seed=6, good_above=0.9)
    assert "NO LONGER HOLDS" in run(home, "--dry-run").output


def test_accepts_nothing_on_too_little_evidence_and_says_how_much_more_it_takes(home):
    judge(home, 40, seed=8)
    done = run(home)
    assert done.exit_code == 0, done.output
    assert "nothing is accepted without a person" in done.output and "more, if they are like these" in done.output
    assert "accept from" not in done.output and "nan" not in done.output
    assert ">accept</text>" not in (home.root / "calibration.svg").read_text()
    assert json.loads(run(home, "--json", "--dry-run").output)["more_verdicts"] > 0


def test_no_alarm_where_no_clip_with_a_new_verdict_would_be_accepted(home):
    judge(home, 200, seed=9)
    assert run(home).exit_code == 0
    judge(home, 30, seed=10, up_to=0.3)
    done = run(home, "--dry-run")
    assert "whether the last calibration holds is not known" in done.output and "NO LONGER HOLDS" not in done.output
    drift = json.loads(run(home, "--dry-run", "--json").output)["drift"]
    assert (drift["alarming"], drift["accepted"], drift["expected"]) == (False, 0, None)


def test_classes_wanted_by_meaning_are_fitted_and_plotted_apart(home, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("policy:\n  wanted_of: {rain: meaning}\n")
    judge(home, 100, seed=11)
    judge(home, 10, seed=12, label="rain", column="image_text_min")
    few = run(home, "--recipe", str(recipe))
    assert "clips of which only meaning is wanted are decided as before: 10 verdicts" in few.output
    judge(home, 190, seed=13, label="rain", column="image_text_min")
    done = run(home, "--recipe", str(recipe))
    assert "100 verdicts" in done.output and "200 verdicts" in done.output and "image_text_min" in done.output
    assert (home.root / "calibration-meaning.svg").exists()
    found = json.loads(run(home, "--recipe", str(recipe), "--json", "--dry-run").output)
    assert set(found["meaning"]["policy"]["weights"]) == {"image_text_min"}
    assert "image_text_min" not in found["policy"]["weights"]


def test_too_few_verdicts_are_an_error_that_says_what_to_do(home):
    judge(home, 5, seed=7)
    done = run(home)
    assert isinstance(done.exception, BadInput) and done.exception.exit_code == 2
    assert "too few to calibrate on" in str(done.exception) and "clapboard review" in done.exception.remedy
