"""A run above what somebody set waits for a yes: real server and worker, and a terminal."""

import os
import pty
import subprocess

import pytest
from pydantic import ValidationError

from bench.drawn import drawn_snapshot
from curation.home.folder import Home
from flows.approval import ApprovalSettings, Estimate, cost_of, in_markdown, needed
from tests.calling import call
from tests.operating import CLAPBOARD, asked, flow_run, programs, started
from tests.waiting import until

QUICK = {"batch": 2, "probe_clips": 2, "held_out": 0.3, "log_every": 1, "device": "cpu", "steps": 2}
STAGES = [Estimate(one, "auto/v1", "wan2.2-ti2v-5b", 1000, 6.0 * one, 4, "H100") for one in (1, 2)]


class TestLimits:
    @pytest.mark.parametrize(
        ("settings", "asked"),
        [
            (ApprovalSettings(), False),
            (ApprovalSettings(above_hours=18.1), False),
            (ApprovalSettings(above_hours=18), True),
            (ApprovalSettings(above_cost=145, hourly_cost=2), False),
            (ApprovalSettings(above_hours=100, above_cost=144, hourly_cost=2), True),
        ],
    )
    def test_stages_count_together_and_devices_cost(self, settings, asked):
        assert needed(settings, STAGES) is asked

    def test_a_limit_of_cost_needs_a_price(self):
        with pytest.raises(ValidationError, match="above_cost needs hourly_cost"):
            ApprovalSettings(above_cost=1)
        assert cost_of(ApprovalSettings(), STAGES) is None

    def test_who_is_asked_sees_snapshot_steps_hours_and_cost(self):
        words = in_markdown(ApprovalSettings(above_cost=100, hourly_cost=2), STAGES)
        assert "**18.00 h**, a cost of **144.00**; from a cost of 100 on" in words
        assert "| 2 | auto/v1 | wan2.2-ti2v-5b | 1000 | 12.00 | 4 x H100 |" in words


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    home = Home(tmp_path_factory.mktemp("approval") / "home")
    drawn_snapshot(home.snapshots, "auto", films=6, seconds=2.5, seed=0)
    return home


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_waits_without_a_process_and_goes_on_or_ends_as_it_is_answered(home, running):
    params = {"home": str(home.root), "stage": 1, "settings": QUICK, "approval": {"above_hours": 0}}
    url = running.url

    def waiting() -> str:
        run = started(url, "train-stage-one", params)
        until(lambda: flow_run(url, run)["state_name"] == "Suspended", within_s=120)
        until(lambda: not programs(running.mark, "prefect.engine"))
        return run

    def answered(run: str, **answer: object) -> str:
        return asked(url, f"/flow_runs/{run}/resume", run_input=answer)["status"]

    run = waiting()
    assert answered(run, approve="perhaps") == "REJECT", "the form is typed"
    assert not home.training.exists()
    assert answered(run, approve=False, note="after the sale") == "ACCEPT"
    until(lambda: flow_run(url, run)["state_type"] == "CANCELLED", within_s=120)
    assert "did not approve of this run: after the sale" in flow_run(url, run)["state"]["message"]
    assert not home.training.exists()

    run = waiting()
    assert answered(run, approve=True) == "ACCEPT"
    until(lambda: flow_run(url, run)["state_type"] == "COMPLETED", within_s=240)
    assert list(home.training.glob("stage-one/*/result.json"))


@pytest.mark.slow
@pytest.mark.usefixtures("api_url")
class TestOnATerminal:
    def command(self, home: Home) -> list[str]:
        settings = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]
        return ["train", "--stage", "1", "--home", str(home.root), "--ask-above-hours", "0", *settings]

    def test_nobody_there_is_no_yes(self, home, capfd):
        code, _, complaint = call(capfd, *self.command(home))
        assert code == 2 and "nobody is there to ask" in complaint and "--yes" in complaint

    @pytest.mark.parametrize(("answer", "code"), [("n\n", 2), ("y\n", 0)])
    def test_somebody_there_is_asked(self, home, answer, code):
        mine, theirs = pty.openpty()
        os.write(mine, answer.encode())
        command = [*CLAPBOARD, *self.command(home)]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=240, check=False)
        os.close(mine)
        os.close(theirs)
        assert done.returncode == code and "stage 1 of drawn on auto: 2 steps, about" in done.stderr, done.stderr

    def test_yes_is_not_asked(self, home, capfd):
        code, said, complaint = call(capfd, *self.command(home), "--yes")
        assert code == 0 and "stage 1 on auto" in said, complaint
