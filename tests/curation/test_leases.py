"""Leases on videos: each is one holder's at a time, on either kind of ledger, and nothing stays with the dead."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import true

from curation.ledger import leases
from curation.ledger.leases import claim_videos, end_turn, give_back, kept_up, other_holders, renew, take_turn
from curation.ledger.tables import Video
from curation.steps.one_pass import Claims
from tests.waiting import until


def videos(ledger, count):
    with ledger.session() as session:
        session.add_all(Video(id=f"{number:06d}", link=str(number), local=False, cuts_us=[]) for number in range(count))


def test_of_many_that_claim_at_once_each_gets_others(any_ledger):
    videos(any_ledger, 400)
    got: dict[str, list[str]] = {f"holder {number}": [] for number in range(6)}
    begin = threading.Barrier(len(got))

    def work(holder):
        begin.wait()
        while some := claim_videos(any_ledger, true(), holder=holder, most=7):
            assert len(some) <= 7
            got[holder] += some

    threads = [threading.Thread(target=work, args=(holder,)) for holder in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_of_them = sorted(one for some in got.values() for one in some)
    assert all_of_them == [f"{number:06d}" for number in range(400)]
    assert other_holders(any_ledger, "holder 0") == {*got} - {"holder 0"} - {
        one for one, some in got.items() if not some
    }


def test_what_a_holder_gives_back_or_leaves_by_dying_is_free_again(any_ledger):
    videos(any_ledger, 3)
    assert claim_videos(any_ledger, true(), holder="one", most=2, lease_s=0.3) == ["000000", "000001"]
    assert claim_videos(any_ledger, true(), holder="two", most=9) == ["000002"]
    assert claim_videos(any_ledger, true(), holder="one", most=9) == []
    give_back(any_ledger, "one", ["000000"])
    assert claim_videos(any_ledger, true(), holder="two", most=9) == ["000000"]
    time.sleep(0.4)
    assert other_holders(any_ledger, "two") == set()
    assert claim_videos(any_ledger, leases.was_abandoned(), holder="two", most=9) == ["000001"]


def test_only_what_is_due_and_comes_after_is_claimed(any_ledger):
    videos(any_ledger, 5)
    found = claim_videos(any_ledger, Video.link != "3", holder="one", most=9, after="000001")
    assert found == ["000002", "000004"]


def test_signs_of_life_keep_what_is_held_and_the_end_gives_it_back(any_ledger):
    videos(any_ledger, 2)
    with kept_up(any_ledger, "one", every_s=0.05, lease_s=0.3):
        claim_videos(any_ledger, true(), holder="one", most=9, lease_s=0.3)
        assert take_turn(any_ledger, "publish", "one", lease_s=0.3)
        time.sleep(0.6)
        assert claim_videos(any_ledger, true(), holder="two", most=9) == []
        assert not take_turn(any_ledger, "publish", "two")
    assert claim_videos(any_ledger, true(), holder="two", most=9) == ["000000", "000001"]
    until(lambda: take_turn(any_ledger, "publish", "two"))


def test_a_turn_is_one_holder_s(any_ledger):
    begin, had = threading.Barrier(5), []

    def work(holder):
        begin.wait()
        if take_turn(any_ledger, "publish", holder):
            had.append(holder)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(had) == 1
    assert take_turn(any_ledger, "publish", had[0]) and not take_turn(any_ledger, "publish", "late")
    assert take_turn(any_ledger, "another", "late")
    end_turn(any_ledger, "publish", "late")
    assert not take_turn(any_ledger, "publish", "late")
    end_turn(any_ledger, "publish", had[0])
    assert take_turn(any_ledger, "publish", "late")


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_that_share_claims_get_each_video_once(any_ledger, threads):
    videos(any_ledger, 100)
    claims, got = Claims(any_ledger, true(), holder="one"), []

    def work():
        while (one := claims.take()) is not None:
            got.append(one)
            claims.done(one)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    # What is still due after it was worked on is not taken again by the same run.
    assert sorted(got) == [f"{number:06d}" for number in range(100)]


def test_renewing_touches_nobody_else_s(any_ledger):
    videos(any_ledger, 2)
    claim_videos(any_ledger, true(), holder="one", most=1, lease_s=0.2)
    claim_videos(any_ledger, true(), holder="two", most=1, lease_s=0.2)
    renew(any_ledger, "two")
    time.sleep(0.3)
    assert claim_videos(any_ledger, true(), holder="three", most=9) == ["000000"]


DIES = """
import os, signal, sys
from sqlalchemy import true
from curation.ledger.leases import claim_videos, new_holder, take_turn
from curation.ledger.open import open_ledger

holder = new_holder()
with open_ledger(sys.argv[1]) as ledger:
    claim_videos(ledger, true(), holder=holder, most=9)
    take_turn(ledger, "publish", holder)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nobody_waits_for_a_process_of_this_machine_that_died(any_ledger, ledger_url):
    videos(any_ledger, 2)
    died = subprocess.run([sys.executable, "-c", DIES, ledger_url], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    mine = leases.new_holder()
    assert claim_videos(any_ledger, true(), holder=mine, most=9) == [] and other_holders(any_ledger, mine)
    # Somebody of another machine with the same number is let be.
    elsewhere = f"elsewhere:1:{2**22 - 1}:00000000"
    with any_ledger.session() as session:
        session.add(Video(id="9", link="9", local=False, cuts_us=[], leased_to=elsewhere, leased_until_ms=2**50))
    with kept_up(any_ledger, mine):
        assert claim_videos(any_ledger, true(), holder=mine, most=9) == ["000000", "000001"]
        assert take_turn(any_ledger, "publish", mine) and other_holders(any_ledger, mine) == {elsewhere}
