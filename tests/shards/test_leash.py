"""A program on a leash ends with whoever started it, however that ends, and takes all it started along."""

import os
import signal
import subprocess
import sys

import pytest

from shards.leash import Leash
from tests.waiting import alive, family, until

TREE = "setsid sleep 300 & sleep 300 & echo started; wait"
"""A program with a child in its own group and one that has left it, as torchrun's are."""

HOLDER = f"""
import subprocess, sys, threading
from shards.leash import Leash

def start():
    leash = Leash(["sh", "-c", {TREE!r}], stdout=subprocess.PIPE, text=True, grace_s=0.5)
    leash.process.stdout.readline()
    held.append(leash)

held = []
# A thread that ends before the process does: the program must not end with that.
starter = threading.Thread(target=start)
starter.start()
starter.join()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder():
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_its_holder_dies(holder, number):
    started = family(holder.pid)
    assert len(started) == 4, "the process in between, the program and its two children"
    holder.send_signal(number)
    holder.wait(30)
    until(lambda: not any(map(alive, started)))


def test_nothing_is_left_when_its_holder_ends_by_itself(holder):
    started = family(holder.pid)
    holder.communicate(timeout=30)
    until(lambda: not any(map(alive, started)))


def test_the_program_ends_with_the_process_in_between_too(holder):
    [between] = [pid for pid in family(holder.pid) if os.getpgid(pid) == pid and len(family(pid)) == 3]
    [program] = [pid for pid in family(between) if len(family(pid)) == 2]
    rest = family(program)
    os.kill(between, signal.SIGKILL)
    until(lambda: not alive(program))
    for pid in rest:
        os.kill(pid, signal.SIGKILL)


def test_ending_it_leaves_nobody_and_returns_when_all_are_gone():
    with Leash(["sh", "-c", TREE], stdout=subprocess.PIPE, text=True) as leash:
        leash.process.stdout.readline()
        started = family(leash.pid)
    assert len(started) == 3 and not any(map(alive, started)) and leash.poll() == -signal.SIGTERM


def test_what_does_not_listen_is_killed():
    with Leash(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], stdout=-1, grace_s=0.3) as leash:
        assert leash.process.stdout.readline() == b"deaf\n"
    assert leash.poll() == -signal.SIGKILL


def test_a_signal_is_passed_on_and_the_program_may_take_its_time():
    script = "trap 'echo saved; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    with Leash(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as leash:
        assert leash.process.stdout.readline() == "ready\n"
        leash.process.terminate()
        assert leash.process.stdout.readline() == "saved\n"
        assert leash.process.wait(30) == 3


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -15 $$", -15)])
def test_it_ends_as_the_program_does(script, code):
    with Leash(["sh", "-c", script]) as leash:
        assert leash.process.wait(30) == code


def test_a_program_that_is_not_there_is_said_to_be_missing():
    with Leash(["no-such-program"], stderr=subprocess.PIPE, text=True) as leash:
        assert "no-such-program: No such file" in leash.process.stderr.readline()
        assert leash.process.wait(30) == 127
        leash.process.stderr.close()
