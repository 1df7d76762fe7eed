"""The review queue on both kinds of ledger: order, leases, who gets what, and answers that are added, never changed."""

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from curation.decide.asking import Order
from curation.decide.policy import Band
from curation.ledger.clock import now_in_ms
from curation.ledger.tables import ClipRow, ReviewRow, SourceEntry, VerdictRow, Video
from curation.outcomes import Outcome
from curation.review import enrolling
from curation.review.answers import Answer, Edits, answer, make_golden, record, undo
from curation.review.progress import Enough, progress
from curation.review.queue import claim, enrol, flagged, hold, items, let_go
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import NotYours, RejectReason, State, UnknownClip, Verdict
from shards.errors import BadInput
from tests.curation.writing import written

PLAIN = ReviewSettings(audit_mix=0, golden_mix=0, double_share=0, lease_s=60)
TWICE = PLAIN.model_copy(update={"double_share": 1.0})
YES, NO, SKIP = Verdict.ACCEPT, Verdict.REJECT, Verdict.SKIP
SOON, LATER = 1_000_000, 1_100_000
MEANING = RejectReason.MEANING


@pytest.fixture
def ledger(any_ledger):
    with any_ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, cuts_us=[]))
        for label in ("dog", "drum"):
            session.add(
                SourceEntry(
                    id=label,
                    table_name="t",
                    row=1,
                    caption=f"a {label}",
                    label=label,
                    licence="",
                    outcome="ok",
                    detail="",
                )
            )
    return any_ledger


def add(ledger, clip_id, p_good=0.5, *, band=Band.REVIEW, label="dog", **more):
    with ledger.session() as session:
        session.add(
            ClipRow(
                id=clip_id, video_id="v", source_id=label, start_us=0, end_us=2_000_000, band=band, policy="p",
                cut=None,
                **({"reasons": [], "p_good": p_good, "scores": {"sync": 0.4}, "audit": False, "current": True} | more),
            )
        )  # fmt: skip


def say(ledger, clip_id, verdict=YES, who="ada", settings=PLAIN, *, from_desk=False, **more):
    reason = MEANING if verdict is NO else None
    return answer(ledger, Answer(clip_id, verdict, who, reason, **more), settings, from_desk=from_desk)


def rows(ledger):
    with ledger.session() as session:
        found = session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        return [(row.clip_id, row.verdict, row.reason, row.reviewer, row.role) for row in found]


def review(ledger, clip_id):
    with ledger.session() as session:
        row = session.get(ReviewRow, clip_id)
        session.expunge_all()
        return row


def ids(found):
    return [item.clip_id for item in found]


class TestEnrolling:
    def test_whoever_collects_gets_what_is_likeliest_good_first_and_then_what_classes_lack(self, ledger):
        for clip_id, p_good, label in (("a", 0.5, "dog"), ("b", 0.95, "dog"), ("c", 0.7, "dog"), ("d", 0.8, "drum")):
            add(ledger, clip_id, p_good, label=label, band=Band.ACCEPT if clip_id == "b" else Band.REVIEW, audit=True)
        collect = PLAIN.model_copy(update={"order": Order.COLLECT})
        enrol(ledger, collect)
        assert claim(ledger, "ada", collect, count=4) == ["b", "d", "c", "a"]
        let_go(ledger, "ada")
        wanting = collect.model_copy(update={"targets": {"drum": 1, "dog": 9}})
        enrol(ledger, wanting)
        say(ledger, "d", settings=wanting)
        assert claim(ledger, "ada", wanting, count=3) == ["b", "c", "a"]
        let_go(ledger, "ada")
        # The order is a setting of the review: enrolled anew, the same queue teaches again.
        enrol(ledger, PLAIN)
        assert claim(ledger, "ada", PLAIN, count=3) == ["a", "c", "b"]

    def test_flagged_clips_wait_those_worth_most_first(self, ledger):
        for clip_id, p_good in (("sure", 0.9), ("torn", 0.51), ("doubtful", 0.3)):
            add(ledger, clip_id, p_good)
        add(ledger, "accepted", 0.9, band=Band.ACCEPT)
        add(ledger, "copy", duplicate_of="torn")
        add(ledger, "old", current=False)
        assert enrol(ledger, PLAIN) == 3
        assert ids(flagged(ledger)) == ["torn", "doubtful", "sure"]

    def test_accepted_clips_are_asked_about_only_when_drawn_for_an_audit(self, ledger):
        add(ledger, "audited", 0.9, band=Band.ACCEPT, audit=True)
        enrol(ledger, PLAIN)
        [item] = flagged(ledger)
        assert (item.clip_id, item.reasons) == ("audited", (Outcome.AUDIT,))

    def test_contradicting_scores_and_classes_that_lack_clips_come_first(self, ledger):
        add(ledger, "plain", 0.9, label="drum")
        add(ledger, "torn", 0.9, scores={"p_in_sync": 0.99, "synchformer_p_in_sync": 0.1})
        add(ledger, "lacking", 0.9)
        enrol(ledger, PLAIN.model_copy(update={"targets": {"dog": 5}}))
        assert ids(flagged(ledger)) == ["torn", "lacking", "plain"]

    def test_a_clip_that_is_decided_otherwise_leaves_unless_somebody_answered(self, ledger):
        add(ledger, "left"), add(ledger, "answered")
        enrol(ledger, TWICE)
        say(ledger, "answered", settings=TWICE)
        with ledger.session() as session:
            for clip_id in ("left", "answered"):
                session.get_one(ClipRow, clip_id).band = Band.ACCEPT
        assert enrol(ledger, TWICE) == 1
        assert ids(flagged(ledger)) == ["answered"]
        with ledger.session() as session:
            session.get_one(ClipRow, "left").band = Band.REVIEW
        assert enrol(ledger, TWICE) == 2

    def test_enrolling_twice_changes_nothing(self, ledger):
        for at in range(5):
            add(ledger, f"clip{at}", at / 10)
        enrol(ledger, PLAIN)
        say(ledger, "clip2")
        before = ids(flagged(ledger, waiting_only=False))
        assert enrol(ledger, PLAIN) == 4
        assert ids(flagged(ledger, waiting_only=False)) == before

    def test_the_queue_does_not_depend_on_the_size_of_a_page(self, ledger, monkeypatch):
        monkeypatch.setattr("curation.review.enrolling.WRITTEN_AT_ONCE", 2)
        monkeypatch.setattr("curation.review.enrolling.READ_AT_ONCE", 3)
        for at in range(7):
            add(ledger, f"clip{at}", at / 10, label=("dog", "drum")[at % 2])
        wanting = PLAIN.model_copy(update={"targets": {"dog": 4}, "double_share": 0.5})
        assert enrol(ledger, wanting) == 7
        order = ids(flagged(ledger))
        assert order[0] == "clip4", "dogs are lacking, and 0.4 is nearest to a doubt among them"
        wanted = [review(ledger, one).wanted for one in order]
        assert {*wanted} == {1, 2}
        with ledger.session() as session:
            session.get_one(ClipRow, "clip4").band = session.get_one(ClipRow, "clip3").band = Band.REJECT
        assert enrol(ledger, wanting) == 5
        assert [one for one in order if one not in ("clip3", "clip4")] == ids(flagged(ledger))

    @pytest.mark.parametrize("targets", [{}, {"dog": 3, "drum": 1}])
    def test_what_is_in_line_is_not_written_again(self, ledger, targets):
        for at in range(6):
            add(ledger, f"clip{at}", at / 7, label=("dog", "drum")[at % 2])
        add(ledger, "gone"), add(ledger, "audited", 0.9, band=Band.ACCEPT, audit=True)
        settings = TWICE.model_copy(update={"targets": targets})
        enrol(ledger, settings)
        for at in range(4):
            say(ledger, f"clip{at}", settings=settings)
        with ledger.session() as session:
            session.get_one(ClipRow, "gone").band = Band.REJECT
        assert enrol(ledger, settings) == 7
        with written(ledger) as rows:
            assert enrol(ledger, settings) == 7
        assert rows == {}
        add(ledger, "new")
        with written(ledger) as rows:
            enrol(ledger, settings)
        assert 1 <= rows["review"] <= 2, "the new clip, and the value that its class gives it"

    def test_an_answer_that_comes_while_the_queue_is_brought_in_line_stays(self, ledger, monkeypatch):
        """Between reading a page and writing it a clip was answered, and another one got its row."""
        add(ledger, "audited", 0.9, band=Band.ACCEPT, audit=True), add(ledger, "left"), add(ledger, "new")
        with ledger.session() as session:
            session.get_one(ClipRow, "new").current = False
        enrol(ledger, PLAIN)
        with ledger.session() as session:
            session.get_one(ClipRow, "audited").band = session.get_one(ClipRow, "left").band = Band.REVIEW
            session.get_one(ClipRow, "new").current = True
        write = enrolling._Changes.write

        def answered_first(*changes):
            for clip_id in ("audited", "new"):
                say(ledger, clip_id)
            return write(*changes)

        monkeypatch.setattr(enrolling._Changes, "write", answered_first)
        assert enrol(ledger, PLAIN) == 1
        assert review(ledger, "audited").audit, "it was asked about as an audit"
        assert {review(ledger, one).state for one in ("audited", "new")} == {State.DONE}


class TestLeases:
    def test_two_reviewers_never_hold_the_same_clip(self, ledger):
        for at in range(5):
            add(ledger, f"clip{at}")
        enrol(ledger, PLAIN)
        mine, hers = claim(ledger, "ada", PLAIN, count=3), claim(ledger, "ben", PLAIN, count=3)
        assert len(mine) == 3 and len(hers) == 2 and not {*mine} & {*hers}
        assert claim(ledger, "eva", PLAIN) == []

    def test_what_is_held_is_given_again_in_the_same_order(self, ledger):
        for at in range(4):
            add(ledger, f"clip{at}", 0.5 + at / 10)
        enrol(ledger, PLAIN)
        first = claim(ledger, "ada", PLAIN, count=2, now_ms=SOON)
        assert first == ["clip0", "clip1"] and claim(ledger, "ada", PLAIN, count=2, now_ms=SOON + 5) == first

    def test_a_lease_ends_after_silence_and_lives_while_it_is_renewed(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        assert claim(ledger, "ada", PLAIN, now_ms=SOON) == ["one"]
        assert hold(ledger, "ada", ["one"], PLAIN, now_ms=SOON + 50_000) == ["one"]
        assert claim(ledger, "ben", PLAIN, now_ms=SOON + 100_000) == []
        assert claim(ledger, "ben", PLAIN, now_ms=SOON + 111_000) == ["one"]
        assert hold(ledger, "ada", ["one"], PLAIN, now_ms=SOON + 112_000) == []

    def test_a_lease_that_ran_out_lives_again_if_nobody_took_the_clip(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        claim(ledger, "ada", PLAIN, now_ms=SOON)
        assert hold(ledger, "ada", ["one"], PLAIN, now_ms=SOON + 600_000) == ["one"]
        assert claim(ledger, "ben", PLAIN, now_ms=SOON + 600_001) == []

    def test_a_clip_that_was_answered_by_name_is_held_no_more(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        claim(ledger, "ada", PLAIN)
        record(ledger, ["one"], YES, reviewer="boss")
        assert hold(ledger, "ada", ["one"], PLAIN) == []

    def test_a_clock_that_is_a_year_ahead_holds_nothing(self, ledger):
        """A machine whose clock is wrong once wrote its own time into the ledger."""
        add(ledger, "one"), add(ledger, "two")
        enrol(ledger, PLAIN)
        year_ms = 365 * 24 * 3600 * 1000
        with ledger.session() as session:
            in_a_year = now_in_ms(session) + year_ms
        assert len(claim(ledger, "ada", PLAIN, count=2, now_ms=in_a_year)) == 2
        assert claim(ledger, "ben", PLAIN, count=1) == ["one"]
        say(ledger, "two", who="eva", from_desk=True)
        assert claim(ledger, "ada", PLAIN, count=2) == []

    def test_leases_go_by_the_database_s_clock(self, ledger, monkeypatch):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        with ledger.session() as session:
            now = now_in_ms(session)
        assert abs(now - time.time_ns() // 1_000_000) < 60_000
        monkeypatch.setattr(time, "time_ns", lambda: (now + 10**11) * 1_000_000)
        monkeypatch.setattr(time, "time", lambda: (now + 10**11) / 1000)
        claim(ledger, "ada", PLAIN)
        assert 0 < review(ledger, "one").leased_until_ms - now < 120_000

    def test_clips_can_be_given_back(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        claim(ledger, "ada", PLAIN)
        let_go(ledger, "ada")
        assert claim(ledger, "ben", PLAIN) == ["one"]

    def test_a_skipped_clip_goes_to_others_and_comes_back_last(self, ledger):
        add(ledger, "dear", 0.5), add(ledger, "cheap", 0.9)
        enrol(ledger, PLAIN)
        assert claim(ledger, "ada", PLAIN) == ["dear"]
        say(ledger, "dear", SKIP)
        assert claim(ledger, "ada", PLAIN) == ["cheap"]
        say(ledger, "cheap")
        assert claim(ledger, "ada", PLAIN) == ["dear"]
        let_go(ledger, "ada")
        assert claim(ledger, "ben", PLAIN) == ["dear"]

    def test_many_clients_at_once_get_each_clip_once_and_lose_no_answer(self, ledger):
        for at in range(60):
            add(ledger, f"clip{at:02}", at / 100)
        enrol(ledger, PLAIN)
        given, lock = Counter(), threading.Lock()

        def work(name):
            while got := claim(ledger, name, PLAIN, count=2):
                for clip_id in got:
                    with lock:
                        given[clip_id] += 1
                    key = str(uuid.uuid4())
                    for _ in range(2):
                        say(ledger, clip_id, who=name, key=key)

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(work, f"r{n}") for n in range(8)]:
                done.result()
        assert len(given) == 60 and set(given.values()) == {1}
        assert len(rows(ledger)) == 60
        assert progress(ledger, PLAIN).accepted == 60


class TestFromTheDesk:
    """Answers that come from a page, where a clip may have gone to somebody else while it lay there."""

    def send(self, ledger, who, verdict=YES, **more):
        return say(ledger, "one", verdict, who, from_desk=True, **more)

    @pytest.fixture(autouse=True)
    def _one_clip(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)

    def test_a_clip_that_somebody_else_has_now_takes_no_answer(self, ledger):
        claim(ledger, "ada", PLAIN, now_ms=SOON)
        assert claim(ledger, "ben", PLAIN) == ["one"], "ada was silent for too long"
        with pytest.raises(NotYours, match="another reviewer has this clip now"):
            self.send(ledger, "ada")
        self.send(ledger, "ben", NO)
        with pytest.raises(NotYours, match="answered in the meantime"):
            self.send(ledger, "ada")
        assert [row[:4] for row in rows(ledger)] == [("one", "reject", "meaning", "ben")]
        assert review(ledger, "one").state == State.DONE, "and there is no dispute"

    def test_a_lease_that_ran_out_does_no_harm_while_nobody_took_the_clip(self, ledger):
        claim(ledger, "ada", PLAIN, now_ms=SOON)
        self.send(ledger, "ada")
        assert review(ledger, "one").state == State.DONE and review(ledger, "one").leased_to is None

    def test_what_was_given_back_and_lies_there_still_takes_an_answer(self, ledger):
        claim(ledger, "ada", PLAIN)
        let_go(ledger, "ada")
        self.send(ledger, "ada")
        assert len(rows(ledger)) == 1

    def test_an_answer_that_is_sent_again_is_known_though_the_clip_is_done(self, ledger):
        key = str(uuid.uuid4())
        claim(ledger, "ada", PLAIN)
        assert self.send(ledger, "ada", key=key) == self.send(ledger, "ada", key=key)

    def test_the_same_answer_from_sixteen_connections_at_once_is_one_answer_and_no_refusal(self, ledger):
        claim(ledger, "ada", PLAIN)
        key, together = str(uuid.uuid4()), threading.Barrier(16)

        def send(_):
            together.wait()
            return self.send(ledger, "ada", key=key)

        with ThreadPoolExecutor(16) as pool:
            assert len({*pool.map(send, range(16))}) == 1
        assert len(rows(ledger)) == 1

    def test_a_golden_clip_takes_answers_though_it_is_done(self, ledger):
        record(ledger, ["one"], YES, reviewer="boss")
        make_golden(ledger, ["one"])
        claim(ledger, "ada", PLAIN.model_copy(update={"golden_mix": 1.0}))
        self.send(ledger, "ada", NO)
        assert rows(ledger)[-1][-1] == "golden"

    def test_of_eight_desks_that_answer_at_once_one_is_heard(self, ledger):
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(self.send, ledger, f"r{n}") for n in range(8)]
        assert sum(one.exception() is None for one in sent) == 1
        assert all(isinstance(one.exception(), NotYours | None) for one in sent)
        assert len(rows(ledger)) == 1


class TestWhoGetsWhat:
    def test_a_share_is_drawn_from_what_was_accepted_unseen(self, ledger):
        for at in range(40):
            add(ledger, f"flagged{at:02}")
            add(ledger, f"audit{at:02}", 0.99, band=Band.ACCEPT, audit=True)
        mixed = PLAIN.model_copy(update={"audit_mix": 0.3})
        enrol(ledger, mixed)
        got = []
        for _ in range(40):
            [clip_id] = claim(ledger, "ada", mixed)
            say(ledger, clip_id, settings=mixed)
            got.append(clip_id)
        share = sum(one.startswith("audit") for one in got)
        assert 5 <= share <= 20 and got != sorted(got)

    def test_a_golden_clip_measures_the_reviewer_and_nothing_else(self, ledger):
        add(ledger, "known"), add(ledger, "open")
        golden = PLAIN.model_copy(update={"golden_mix": 1.0})
        enrol(ledger, golden)
        with pytest.raises(BadInput, match="no answer that counts"):
            make_golden(ledger, ["known"])
        record(ledger, ["known"], YES, reviewer="boss")
        make_golden(ledger, ["known"])
        assert claim(ledger, "ada", golden) == ["known"]
        assert claim(ledger, "ada", golden) == ["known"], "a golden clip is held like any other"
        say(ledger, "known", NO, settings=golden)
        assert rows(ledger)[-1][-1] == "golden"
        assert [one.verdict for one in items(ledger, ["known"])] == [YES]
        assert claim(ledger, "ada", golden) == ["open"]

    def test_two_answer_a_clip_that_is_asked_twice(self, ledger):
        add(ledger, "one")
        enrol(ledger, TWICE)
        say(ledger, "one", settings=TWICE)
        assert claim(ledger, "ada", TWICE) == [], "not the same person"
        assert claim(ledger, "ben", TWICE) == ["one"]
        say(ledger, "one", who="ben", settings=TWICE)
        assert review(ledger, "one").state == State.DONE

    def test_a_third_decides_where_two_disagree_before_anything_else(self, ledger):
        add(ledger, "sure", 0.99), add(ledger, "torn", 0.5)
        enrol(ledger, TWICE)
        say(ledger, "sure", settings=TWICE), say(ledger, "sure", NO, "ben", TWICE)
        assert progress(ledger, TWICE).disputed == 1
        assert claim(ledger, "eva", TWICE) == ["sure"]
        say(ledger, "sure", NO, "eva", TWICE)
        assert rows(ledger)[-1] == ("sure", "reject", "meaning", "eva", "adjudication")
        assert [one.verdict for one in items(ledger, ["sure"])] == [NO]


class TestAnswers:
    def test_a_second_answer_counts_and_the_first_stays_on_record(self, ledger):
        add(ledger, "one")
        record(ledger, ["one"], YES, reviewer="ada")
        record(ledger, ["one"], NO, reviewer="ben", reason=MEANING)
        assert [one.verdict for one in flagged(ledger, waiting_only=False)] == [NO]
        assert review(ledger, "one").verdict_id == 2
        assert [row[:4] for row in rows(ledger)] == [("one", "accept", "", "ada"), ("one", "reject", "meaning", "ben")]

    def test_a_rejection_without_a_reason_is_refused(self, ledger):
        add(ledger, "one")
        with pytest.raises(BadInput, match="needs a reason"):
            record(ledger, ["one"], NO, reviewer="ada")
        with pytest.raises(BadInput, match="only a rejection"):
            record(ledger, ["one"], YES, reviewer="ada", reason=MEANING)
        assert rows(ledger) == []

    def test_one_unknown_clip_among_several_leaves_no_answer_at_all(self, ledger):
        add(ledger, "one")
        with pytest.raises(UnknownClip, match="no clip two"):
            record(ledger, ["one", "two"], YES, reviewer="ada")
        assert rows(ledger) == []

    def test_a_key_counts_once_also_from_eight_clients_at_once(self, ledger):
        add(ledger, "one"), add(ledger, "two")
        key = str(uuid.uuid4())
        with ThreadPoolExecutor(8) as pool:
            found = {done.result() for done in [pool.submit(say, ledger, "one", key=key) for _ in range(8)]}
        assert len(found) == 1 and len(rows(ledger)) == 1
        with pytest.raises(BadInput, match="used for another answer"):
            say(ledger, "two", key=key)

    @pytest.mark.parametrize(
        "other",
        [
            {"verdict": NO}, {"verdict": SKIP}, {"who": "ben"}, {"seconds": 2.0}, {"page": "2"},
            {"edits": Edits(label="cat")}, {"edits": Edits(caption="a cat")}, {"edits": Edits(sound_late_us=10)},
            {"edits": Edits(parts=((0, 10),))}, {"edits": Edits(label="")},
        ],
    )  # fmt: skip
    def test_a_key_that_comes_with_anything_else_is_refused(self, ledger, other):
        add(ledger, "one")
        key = str(uuid.uuid4())
        first = {"seconds": 1.0, "page": "1", "key": key}
        assert say(ledger, "one", **first) == say(ledger, "one", **first)
        with pytest.raises(BadInput, match="used for another answer"):
            say(ledger, "one", **first | other)
        assert len(rows(ledger)) == 1

    def test_another_reason_under_the_same_key_is_refused(self, ledger):
        add(ledger, "one")
        key = str(uuid.uuid4())
        answer(ledger, Answer("one", NO, "ada", MEANING, key))
        with pytest.raises(BadInput, match="used for another answer"):
            answer(ledger, Answer("one", NO, "ada", RejectReason.PERSONAL, key))

    def test_what_steers_a_terminal_is_not_kept(self, ledger):
        add(ledger, "one")
        edits = Edits("c\x1b]0;owned\x07at", "a\x00 \ud800cat\n\u202epurrs\x9b31m \u200dé")
        key = str(uuid.uuid4())
        assert say(ledger, "one", who="a\x1b[31mda", edits=edits, page="\x00", key=key) == say(
            ledger, "one", who="a\x1b[31mda", edits=edits, page="\x00", key=key
        )
        with ledger.session() as session:
            row = session.scalars(select(VerdictRow)).one()
            assert (row.label, row.caption, row.reviewer, row.page) == (
                "c]0;ownedat", "a cat\npurrs31m \u200dé", "a[31mda", ""
            )  # fmt: skip

    def test_eight_clients_that_answer_one_clip_at_once_are_all_heard(self, ledger):
        add(ledger, "one")
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(say, ledger, "one", YES if n % 2 else NO, f"r{n}") for n in range(8)]
            assert len({one.result() for one in done}) == 8
        assert review(ledger, "one").answers == 8 or review(ledger, "one").state == State.DONE

    def test_edits_are_kept_with_the_answer(self, ledger):
        add(ledger, "one")
        edits = Edits("cat", "a cat purrs", ((0, 800_000), (800_000, 1_500_000)), -30_000)
        say(ledger, "one", edits=edits, seconds=4.25, page="1.0")
        with ledger.session() as session:
            row = session.scalars(select(VerdictRow)).one()
            assert (row.label, row.caption, row.sound_late_us) == ("cat", "a cat purrs", -30_000)
            assert row.parts == [[0, 800_000], [800_000, 1_500_000]] and (row.seconds, row.page) == (4.25, "1.0")

    @pytest.mark.parametrize(
        "parts", [(), ((0, 0),), ((5, 3),), ((0, 10), (5, 20)), ((-1, 5),), ((0, 2_000_001),), ((10, 20), (0, 5))]
    )
    def test_parts_that_are_none_are_refused(self, ledger, parts):
        add(ledger, "one")
        with pytest.raises(BadInput):
            say(ledger, "one", edits=Edits(parts=parts))
        assert rows(ledger) == []


class TestUndo:
    def test_it_goes_back_as_far_as_one_likes_and_leases_what_it_opens(self, ledger):
        for clip_id in ("one", "two"):
            add(ledger, clip_id)
        enrol(ledger, PLAIN)
        say(ledger, "two"), say(ledger, "one", NO), say(ledger, "two", who="ben", verdict=SKIP)
        assert [undo(ledger, "ada"), undo(ledger, "ada"), undo(ledger, "ada")] == ["one", "two", None]
        assert len(rows(ledger)) == 5, "an undo is a row"
        assert progress(ledger, PLAIN).done == 0
        assert claim(ledger, "ben", PLAIN) == []
        assert {*claim(ledger, "ada", PLAIN, count=2)} == {"one", "two"}

    def test_the_same_key_undoes_once(self, ledger):
        add(ledger, "one"), add(ledger, "two")
        enrol(ledger, PLAIN)
        say(ledger, "one"), say(ledger, "two")
        key = str(uuid.uuid4())
        assert undo(ledger, "ada", key=key) == undo(ledger, "ada", key=key) == "two"
        assert progress(ledger, PLAIN).accepted == 1

    def test_the_same_key_undoes_once_also_from_eight_clients_at_once(self, ledger):
        for at in range(4):
            add(ledger, f"clip{at}")
        enrol(ledger, PLAIN)
        for at in range(4):
            say(ledger, f"clip{at}")
        key = str(uuid.uuid4())
        with ThreadPoolExecutor(8) as pool:
            found = {done.result() for done in [pool.submit(undo, ledger, "ada", key=key) for _ in range(8)]}
        assert found == {"clip3"} and progress(ledger, PLAIN).accepted == 3

    def test_an_answer_s_key_undoes_nothing_and_says_so(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        mine, hers = str(uuid.uuid4()), str(uuid.uuid4())
        say(ledger, "one", key=mine)
        for key, who in ((mine, "ada"), (mine, "ben")):
            with pytest.raises(BadInput, match="used for another answer"):
                undo(ledger, who, key=key)
        assert undo(ledger, "ada", key=hers) == "one"
        for taken in (mine, hers):
            with pytest.raises(BadInput, match="used for another answer"):
                say(ledger, "one", NO, key=taken)
        with pytest.raises(BadInput, match="used for another answer"):
            undo(ledger, "ben", key=hers)
        assert [row[1] for row in rows(ledger)] == ["accept", "undo"]

    def test_undos_at_once_each_take_back_one_answer(self, ledger):
        for at in range(8):
            add(ledger, f"clip{at}")
        enrol(ledger, PLAIN)
        for at in range(8):
            say(ledger, f"clip{at}")
        together = threading.Barrier(4)

        def take_back(_):
            together.wait()
            return undo(ledger, "ada", key=str(uuid.uuid4()))

        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(take_back, range(4))]
        assert sorted(found) == ["clip4", "clip5", "clip6", "clip7"]
        assert progress(ledger, PLAIN).accepted == 4

    def test_an_answer_after_an_undo_counts(self, ledger):
        add(ledger, "one")
        enrol(ledger, PLAIN)
        say(ledger, "one")
        undo(ledger, "ada")
        say(ledger, "one", NO)
        assert [one.verdict for one in items(ledger, ["one"])] == [NO]


class TestEnough:
    def fill(self, ledger, count, **more):
        for at in range(count):
            add(ledger, f"clip{at:03}", **more)

    def test_targets_that_are_met_end_it_and_say_what_the_order_saved(self, ledger):
        targets = PLAIN.model_copy(update={"per_class": 4})
        for at in range(30):
            add(ledger, f"good{at:02}", 0.6)
            add(ledger, f"poor{at:02}", 0.05)
        enrol(ledger, targets)
        for _ in range(4):
            assert progress(ledger, targets).enough is None
            [clip_id] = claim(ledger, "ada", targets)
            say(ledger, clip_id, settings=targets)
        found = progress(ledger, targets)
        assert found.enough is Enough.TARGETS_MET and found.classes[0].met
        # Of 60 clips about 20 are good, so a random order would take about 12 answers to four of them.
        assert 5 <= found.saved <= 10

    def test_a_class_with_its_target_met_comes_behind_one_without(self, ledger):
        targets = PLAIN.model_copy(update={"per_class": 1})
        add(ledger, "dog1"), add(ledger, "dog2"), add(ledger, "drum1", 0.45, label="drum")
        enrol(ledger, targets)
        assert ids(flagged(ledger))[:2] == ["dog1", "dog2"]
        say(ledger, "dog1", settings=targets)
        assert ids(flagged(ledger)) == ["drum1", "dog2"]

    def test_audits_that_prove_the_precision_end_it(self, ledger):
        self.fill(ledger, 80, p_good=0.99, band=Band.ACCEPT, audit=True)
        add(ledger, "flagged")
        enrol(ledger, PLAIN)
        for at in range(80):
            assert progress(ledger, PLAIN).enough is None or at > 70
            say(ledger, f"clip{at:03}")
        found = progress(ledger, PLAIN)
        assert found.enough is Enough.PRECISION_PROVEN and found.precision.low >= 0.95

    def test_nothing_left_is_enough(self, ledger):
        assert progress(ledger, PLAIN).enough is Enough.NOTHING_WAITS


def test_a_clip_that_nobody_flagged_is_not_shown(ledger):
    add(ledger, "accepted", band=Band.ACCEPT)
    enrol(ledger, PLAIN)
    with pytest.raises(UnknownClip, match="no flagged clip accepted"):
        items(ledger, ["accepted"])
