"""Holding parts of a home, minding programs: real processes that end at once, late, or never."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation.home.folder import Home
from flows.cli.app import app
from flows.operate.deployments import prefect_file
from flows.operate.hold import held, holders, stop
from flows.operate.parts import WORKERS, Part, parts_of
from flows.operate.supervise import Pace, Program, end_all, keep_running
from flows.operate.up import Wanted, run_up
from shards.errors import BadInput, ClapboardError, Unavailable
from shards.leash import Leash
from tests.waiting import alive, family, until

HOLD = """
import sys, time
from pathlib import Path
from curation.home.folder import Home
from flows.operate.hold import held
from flows.operate.parts import Part

with held(Home(Path(sys.argv[1])), [Part(one) for one in sys.argv[2:]]) as holds:
    holds[Part(sys.argv[2])].say(url="http://here", worker="ann")
    print("held", flush=True)
    time.sleep(300)
"""
QUICK = Pace(quick_s=60, most_quick=3, first_wait_s=0.05, look_s=0.01)


class Enough(Exception):
    """Ends what would go on."""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return Home(tmp_path / "home")


@pytest.fixture
def holder(home):
    command = [sys.executable, "-c", HOLD, str(home.root), "server", "review"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


class TestHolding:
    def test_whoever_holds_a_part_is_found_and_nobody_else_gets_it(self, home, holder):
        assert {part: note.pid for part, note in holders(home).items()} == {
            Part.SERVER: holder.pid,
            Part.REVIEW: holder.pid,
        }
        assert holders(home)[Part.SERVER].url == "http://here"
        told = f"already runs the review of .* .process {holder.pid}."
        with pytest.raises(ClapboardError, match=told) as caught, held(home, [Part.CURATION, Part.REVIEW]):
            pass
        assert "clapboard down" in caught.value.remedy
        with held(home, WORKERS):
            assert set(holders(home)) == set(Part), "the others may run beside it"

    def test_what_a_killed_holder_left_is_stale_and_is_handed_on(self, home, holder):
        holder.kill()
        holder.wait()
        assert holders(home) == {}
        with held(home, [Part.SERVER]) as holds:
            assert holds[Part.SERVER].before.workers == ["ann"]
        with held(home, [Part.SERVER]) as holds:
            assert holds[Part.SERVER].before is None, "that one ended as it should"

    def test_stopping_ends_the_holder_and_no_process_that_has_its_number(self, home, holder):
        note = holders(home)[Part.SERVER]
        with subprocess.Popen(["sleep", "300"]) as stranger:
            # As after a restart of the machine: the note is there, and its number is another's.
            file = next((home.root / "up").glob("*/curation"), None) or next((home.root / "up").iterdir()) / "curation"
            file.write_text(json.dumps({"pid": stranger.pid, "since": 0.0, "url": "", "workers": []}))
            assert Part.CURATION not in holders(home)
            assert stop(home, Part.CURATION, note.__class__(stranger.pid, 0.0), within_s=5)
            assert stranger.poll() is None
            stranger.kill()
        assert stop(home, Part.SERVER, note, within_s=20)
        assert holder.wait(5) == -signal.SIGTERM

    def test_whoever_does_not_end_is_killed(self, home):
        deaf = HOLD.replace("print(", "__import__('signal').signal(15, lambda *_: None); print(")
        command = [sys.executable, "-c", deaf, str(home.root), "server"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            assert not stop(home, Part.SERVER, holders(home)[Part.SERVER], within_s=0.3)
            assert process.wait(5) == -signal.SIGKILL

    @pytest.mark.parametrize("note", ["", "{", "[]", '{"pid": 1}', '{"nonsense": 1}'])
    def test_a_damaged_note_is_none(self, home, note):
        with held(home, [Part.SERVER]):
            pass
        (file,) = (home.root / "up").glob("*/server")
        file.write_text(note)
        assert holders(home) == {}
        with held(home, [Part.SERVER]) as holds:
            assert holds[Part.SERVER].before is None


class TestMinding:
    def program(self, tmp_path: Path, script: str, **more) -> Program:
        log = tmp_path / "log"

        def start() -> Leash:
            with log.open("ab") as words:
                return Leash(["sh", "-c", script], stdout=words, stderr=words, grace_s=0.5)

        return Program("sleeper", log, start, **more)

    def test_what_dies_is_started_again_and_what_follows_is_done_first(self, tmp_path):
        said, ended = [], []
        program = self.program(tmp_path, "sleep 300", after=lambda: ended.append(program.leash))
        seen = []

        def meanwhile():
            if program.leash and program.leash.pid not in seen:
                seen.append(program.leash.pid)
                if len(seen) == 3:
                    raise Enough
                os.kill(program.leash.pid, signal.SIGKILL)

        with pytest.raises(Enough):
            keep_running([program], say=said.append, meanwhile=meanwhile, pace=QUICK)
        assert ended == [None, None] and "the sleeper ended by signal 9; it is started again" in said[0]
        last = family(program.leash.pid)
        end_all([program])
        until(lambda: not any(map(alive, last)))

    def test_what_dies_at_once_every_time_is_given_up_with_its_last_words(self, tmp_path):
        said = []
        with pytest.raises(Unavailable, match="the sleeper ended 3 times within 60 s of its start: an error: no disk"):
            keep_running([self.program(tmp_path, "echo an error: no disk; exit 1")], say=said.append, pace=QUICK)
        assert len(said) == 2, "each start again is told"

    def test_what_lived_long_is_not_counted(self, tmp_path):
        said = []
        program = self.program(tmp_path, "exit 1")

        def meanwhile():
            if len(said) > 6:
                raise Enough

        with pytest.raises(Enough):
            keep_running([program], say=said.append, meanwhile=meanwhile, pace=Pace(0, 3, 0.01, 0.01))

    def test_what_hangs_is_ended_and_started_again(self, tmp_path):
        """But not what is still starting, nor what answers in between."""
        said, answers = [], tmp_path / "answers"
        program = self.program(tmp_path, f"trap '' TERM; touch {answers}; sleep 300", works=answers.exists)
        pace = Pace(quick_s=0, most_quick=3, first_wait_s=0.01, look_s=0.01, ask_s=0.01, silent_s=0.3, starting_s=60)
        first = None

        def meanwhile():
            nonlocal first
            if said and answers.exists():
                raise Enough
            if first is None and program.answered:
                first = program.leash.pid
                answers.unlink()

        with pytest.raises(Enough):
            keep_running([program], say=said.append, meanwhile=meanwhile, pace=pace)
        assert said == ["the sleeper did not answer any more and was ended; it is started again in 0 s"]
        assert not alive(first) and program.leash.pid != first
        end_all([program])

    def test_what_says_that_it_cannot_run_is_not_tried_again(self, tmp_path):
        program = self.program(tmp_path, "echo error: the port is taken; exit 2", final=frozenset({2}))
        with pytest.raises(BadInput, match="the sleeper cannot run: error: the port is taken"):
            keep_running([program], say=print, pace=QUICK)

    def test_waits_double(self):
        assert [Pace().wait_s(deaths) for deaths in (1, 2, 3, 4)] == [1, 2, 4, 8]


class TestAsking:
    def test_parts_are_named_alone_or_as_workers(self):
        assert parts_of([]) == tuple(Part)
        assert parts_of(["workers", "review"]) == (Part.CURATION, Part.TRAINING, Part.REVIEW)
        with pytest.raises(BadInput, match="no part 'gpu'") as caught:
            parts_of(["gpu"])
        assert "workers" in caught.value.remedy

    def test_workers_without_a_server_say_how_to_have_one(self, home):
        with pytest.raises(Unavailable, match="no Prefect server") as caught:
            run_up(home, Wanted(WORKERS), say=print)
        assert "PREFECT_API_URL" in caught.value.remedy and holders(home) == {}

    def test_a_server_for_others_needs_a_password(self, home, monkeypatch):
        monkeypatch.delenv("PREFECT_SERVER_API_AUTH_STRING", raising=False)
        with pytest.raises(BadInput, match="could have the workers run anything") as caught:
            run_up(home, Wanted((Part.SERVER,), host="0.0.0.0"), say=print)
        assert "PREFECT_SERVER_API_AUTH_STRING" in caught.value.remedy

    def test_a_review_page_that_cannot_run_ends_it_with_its_own_words(self, home):
        """Not only loopback needs accounts."""
        with pytest.raises(BadInput, match="nobody would be asked who they are"):
            run_up(home, Wanted((Part.REVIEW,), review_host="0.0.0.0", review_port=0), say=print)
        assert holders(home) == {}

    def test_a_home_of_which_nothing_runs_says_so(self, home):
        home.make()
        done = CliRunner().invoke(app, ["status", "--home", str(home.root), "--json", "--check"])
        assert done.exit_code == 1
        found = json.loads(done.stdout)
        assert found["server"] is None and [one["pid"] for one in found["parts"]] == [None] * 4

    def test_the_deployments_are_found(self):
        assert prefect_file().name == "prefect.yaml"
