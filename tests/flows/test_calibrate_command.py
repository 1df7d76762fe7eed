"""`clapboard calibrate` on a real ledger: prints, keeps, plots, notices drift, and refuses what is too little."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from curation.decide.policy import Band
from curation.home import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.review.answers import record
from curation.review.verdicts import RejectReason, Verdict
from flows.cli.app import app
from shards.errors import BadInput


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


def judge(home, count, *, seed, good_above=0.5):
    """Clips whose `p_in_sync` decides, with some noise, what a person says."""
    random = np.random.default_rng(seed)
    with home.ledger() as ledger:
        for number in range(count):
            clip_id, in_sync = f"{seed}-{number}", float(random.uniform())
            with ledger.session() as session:
                session.add(Video(id=clip_id, link=f"https://example.org/{clip_id}", local=False, cuts_us=[]))
                session.add(
                    SourceEntry(
                        id=clip_id,
                        table_name="t",
                        row=number,
                        caption="",
                        label="",
                        licence="",
                        outcome="ok",
                        detail="",
                    )
                )
                session.flush()
                session.add(
                    ClipRow(
                        id=clip_id, video_id=clip_id, source_id=clip_id, start_us=0, end_us=3_000_000, band=Band.REVIEW,
                        policy="p", reasons=[], p_good=0.5, scores={"p_in_sync": in_sync, "sync_at_zero": in_sync / 2},
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


def test_too_few_verdicts_are_an_error_that_says_what_to_do(home):
    judge(home, 5, seed=7)
    done = run(home)
    assert isinstance(done.exception, BadInput) and done.exception.exit_code == 2
    assert "too few to calibrate on" in str(done.exception) and "clapboard review" in done.exception.remedy
