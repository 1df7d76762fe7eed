"""What Prometheus is told of a home: the ledger's numbers, the newest of each run; a dashboard that asks for them."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from curation.accounting.cost import keep_cost, read_cost
from curation.accounting.funnel import funnel
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.review.answers import answer
from curation.review.queue import enrol
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import Answer, RejectReason, Verdict
from flows.metrics import TAIL_BYTES, registry_of
from shards.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = ReviewSettings(per_class=3, double_share=0, audit_share=0)


@pytest.fixture
def home(tmp_path):
    """Three clips of two videos wait; a person accepts one in 4 s and rejects another in 8 s."""
    place = Home(tmp_path / "home")
    with place.ledger() as ledger:
        with ledger.session() as session:
            for name, fetch in (("v", "ok"), ("w", "not_found")):
                session.add(Video(id=name, link=name, local=False, fetch=fetch, cuts_us=[], bytes=100))
            session.flush()
            session.add(
                SourceEntry(
                    id="s", table_name="t", row=0, video_id="v", caption="", label="dog", licence="", outcome="ok",
                    detail="",
                )
            )  # fmt: skip
            session.flush()
            for letter in "abc":
                session.add(
                    ClipRow(
                        id=letter * 40, video_id="v", source_id="s", start_us=0, end_us=3_000_000, band=Band.REVIEW,
                        policy="p", reasons=[], p_good=0.5, audit=False, scores={}, current=True, cut=None,
                    )
                )  # fmt: skip
        enrol(ledger, SETTINGS)
        answer(ledger, Answer("a" * 40, Verdict.ACCEPT, "ada", seconds=4.0), SETTINGS)
        answer(ledger, Answer("b" * 40, Verdict.REJECT, "ada", RejectReason.MEANING, seconds=8.0), SETTINGS)
    return place


def told(home: Home) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by metric and labels, as a scraper reads them."""
    text = generate_latest(registry_of(home, SETTINGS)).decode()
    return {
        family.name: {tuple(one.labels.values()): one.value for one in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_the_queue_is_as_the_ledger_has_it(home):
    found = told(home)
    assert found["clapboard_review_clips"] == {
        ("waiting",): 1, ("disputed",): 0, ("accepted",): 1, ("rejected",): 1,
    }  # fmt: skip
    assert found["clapboard_review_lacking_clips"] == {("dog",): 2}
    assert found["clapboard_review_seconds_per_clip"] == {(): 6.0}
    assert found["clapboard_fetched_bytes"] == {(): 200}


def test_every_stage_of_the_funnel_is_told_and_adds_up(home):
    found = told(home)["clapboard_items"]
    with home.ledger() as ledger:
        stages = [stage for stage in funnel(ledger) if stage.entered]
    assert len(stages) > 3
    for stage in stages:
        # Label order is the exposition's: outcome, then stage.
        counted = [value for labels, value in found.items() if stage.name.replace(" ", "_") in labels]
        assert sum(counted) == stage.entered


def test_what_a_run_cost_is_for_each_accepted_clip(home):
    assert "clapboard_curate_seconds" not in told(home)
    keep_cost(home.root, {"fetch": 6.0, "measure": 4.0}, 5)
    found = told(home)
    assert found["clapboard_curate_seconds"] == {("fetch",): 6.0, ("measure",): 4.0}
    assert found["clapboard_curate_seconds_per_clip"] == {(): 2.0}
    (home.root / "last_cost.json").write_text("{")
    assert read_cost(home.root) is None and "clapboard_curate_seconds" not in told(home)


def test_training_is_the_newest_of_a_log_of_any_length_and_half_a_line_is_no_line(home):
    run = home.training / "stage-two" / "abc"
    run.mkdir(parents=True)
    lines = [json.dumps({"step": 1, "loss": 9.0, "probe": {"shift_gap": 0.25}})]
    lines += [json.dumps({"step": step, "loss": 0.5, "stall": 0.125}) for step in range(2, 3000)]
    (run / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 3000, "lo')
    assert (run / "metrics.jsonl").stat().st_size > TAIL_BYTES
    found = told(home)
    assert found["clapboard_training_step"] == {("abc", "2"): 2999}
    assert found["clapboard_training_stall_ratio"] == {("abc", "2"): 0.125}
    assert "clapboard_training_shift_gap" not in found
    (run / "metrics.jsonl").write_text(lines[0] + "\n")
    assert told(home)["clapboard_training_shift_gap"] == {("abc", "2"): 0.25}


def test_the_dashboard_asks_for_what_is_told_and_for_nothing_else(home):
    keep_cost(home.root, {"fetch": 1.0}, 1)
    run = home.training / "stage-one" / "abc"
    run.mkdir(parents=True)
    values = {"step": 1, "loss": 1.0, "clips_per_s": 2.0, "stall": 0.0, "probe": {"shift_gap": 0.1}}
    (run / "metrics.jsonl").write_text(json.dumps(values) + "\n")
    board = json.loads((ROOT / "deploy" / "grafana" / "clapboard.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"clapboard_\w+", target["expr"])
    }
    names = set(told(home))
    assert asked <= names
    assert len(asked) >= 12
    stages = {name for labels in told(home)["clapboard_items"] for name in labels}
    wanted = {one for panel in board["panels"] for one in re.findall(r'stage="(\w+)"', panel["targets"][0]["expr"])}
    assert wanted and wanted <= stages


def test_a_folder_that_is_no_home_is_said_at_once(tmp_path):
    with pytest.raises(BadInput):
        generate_latest(registry_of(Home(tmp_path / "nowhere"), SETTINGS))


def test_the_command_serves_where_prometheus_is_told_to_ask(home):
    scrape = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["127.0.0.1:9464"]
    command = [sys.executable, "-c", "from flows.cli import main; main()", "metrics", "--port", "0", "--home"]
    with subprocess.Popen([*command, str(home.root)], stdout=subprocess.PIPE, text=True) as served:
        try:
            url = served.stdout.readline().split()[0]
            with urllib.request.urlopen(url, timeout=30) as answered:
                assert 'clapboard_review_clips{state="waiting"} 1.0' in answered.read().decode()
        finally:
            served.send_signal(signal.SIGTERM)
        assert served.wait(timeout=20) == 143
