"""Selections of any size: they are cut and read page by page, of clips as the ledger had them when it began."""

import json

import pytest
from sqlalchemy import update

from curation.clips import clip_id
from curation.decide.policy import Band
from curation.home.cutting import Span, cut_files, cut_spans
from curation.home.folder import Home
from curation.home.takedown import take_down
from curation.ledger.tables import ClipRow, JudgedRow, SourceEntry, TakedownRow, Video
from curation.media.settings import CutSettings
from curation.outcomes import Outcome
from curation.review.answers import Answer, Edits, answer
from curation.settings.recipe import Recipe
from curation.steps.publish import NothingToPublish, Selection, publish_selection
from curation.steps.selecting import ChosenClips, clips_to_publish
from curation.verdicts.answers import Verdict
from shards.reader import read_samples
from tests.curation.writing import written

FIRST, SECOND, THIRD = "a" * 40, "b" * 40, "c" * 40
PARTS = ((500_000, 1_000_000), (1_500_000, 2_500_000))


@pytest.fixture
def ledger(review_ledger):
    """Three accepted clips of two videos, the third of the first one's."""
    with review_ledger.session() as session:
        session.execute(update(ClipRow).values(band=Band.ACCEPT))
        more = {"start_us": 0, "end_us": 1_000_000, "band": Band.ACCEPT, "reasons": [], "p_good": 0.9, "policy": "p"}
        rest = {"audit": False, "scores": {}, "current": True, "cut": None}
        session.add(ClipRow(id=THIRD, video_id="video-0.5", source_id="row-0.5", **more, **rest))
    return review_ledger


@pytest.fixture
def publish(ledger, tmp_path, media_workers):
    def run(selection=Selection.AUTO, home=None, **more):
        home = Home(home or tmp_path)
        return publish_selection(ledger, selection, home=home, recipe=Recipe(), workers=media_workers, **more)

    return run


def files(snapshot):
    return {path.name: path.read_bytes() for path in snapshot.path.iterdir()}


def test_what_is_published_does_not_depend_on_the_size_of_a_page(ledger, publish, tmp_path, monkeypatch):
    answer(ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=Edits(parts=PARTS)))
    answer(ledger, Answer(SECOND, Verdict.ACCEPT, "ada"))
    (other := tmp_path / "other").mkdir()
    for selection in Selection:
        whole = publish(selection).snapshot
        with monkeypatch.context() as patched:
            patched.setattr("curation.steps.selecting.PAGE", 1)
            assert files(publish(selection, other).snapshot) == files(whole)


def test_a_page_ends_with_a_video_and_parts_are_counted_one_by_one(ledger, tmp_path, monkeypatch):
    answer(ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=Edits(parts=PARTS)))
    answer(ledger, Answer(THIRD, Verdict.ACCEPT, "ada"))
    answer(ledger, Answer(SECOND, Verdict.ACCEPT, "ada"))
    monkeypatch.setattr("curation.steps.selecting.PAGE", 1)
    with ChosenClips(ledger, Selection.CURATED, folder=tmp_path) as chosen:
        assert [[one.clip.clip_id for one in page] for page in chosen.pages()] == [[FIRST, FIRST, THIRD], [SECOND]]
        assert len(chosen) == len(list(chosen.picks())) == 4
        assert next(iter(chosen.picks())).key == clip_id("video-0.5", *PARTS[0])


def test_a_decision_that_comes_while_clips_are_cut_is_the_next_publication_s(ledger, publish, monkeypatch):
    monkeypatch.setattr("curation.steps.selecting.PAGE", 1)

    def decide_anew(done, total):
        assert total == 3
        with ledger.session() as session:
            session.execute(update(ClipRow).where(ClipRow.id == SECOND).values(current=False, policy="another"))

    records = [one.meta for one in read_samples(publish(progress=decide_anew).snapshot)]
    assert len(records) == 3 and {one["lineage"]["policy"] for one in records} == {"p"}
    assert publish().snapshot.manifest["counts"]["clips"] == 2


def test_either_kind_of_ledger_gives_a_clip_as_it_has_it(any_ledger, tmp_path):
    scores = {"sync": 0.1, "offset_s": None}
    with any_ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, fetch="ok", cuts_us=[]))
        session.flush()
        words = {"caption": "a dog", "label": "dog", "licence": "", "outcome": "ok", "detail": ""}
        session.add(SourceEntry(id="s", table_name="t", row=1, video_id="v", **words))
        session.flush()
        decided = {"band": Band.ACCEPT, "reasons": ["random_audit"], "p_good": 1 / 3, "policy": "p", "audit": True}
        span = {"start_us": 0, "end_us": 2_500_000, "sound_late_us": 40_000}
        session.add(ClipRow(id=FIRST, video_id="v", source_id="s", scores=scores, current=True, **span, **decided))
    edits = Edits(caption="a cat", parts=PARTS, sound_late_us=0)
    answer(any_ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=edits))
    with ChosenClips(any_ledger, Selection.AUTO, folder=tmp_path) as chosen:
        [[pick]] = chosen.pages()
        assert (pick.clip.p_good, pick.clip.reasons, pick.clip.verdict_id) == (1 / 3, ["random_audit"], None)
        assert json.loads(pick.clip.scores) == scores and pick.span == Span(FIRST, 40_000)
    with ChosenClips(any_ledger, Selection.CURATED, folder=tmp_path) as chosen:
        picks = list(chosen.picks())
        assert [one.span for one in picks] == [Span(FIRST, 0, part) for part in PARTS]
        assert {(one.clip.new_caption, one.clip.reviewer, one.proposed_late_us) for one in picks} == {
            ("a cat", "ada", 40_000)
        }


def test_progress_counts_on_from_page_to_page(publish, monkeypatch):
    monkeypatch.setattr("curation.steps.selecting.PAGE", 1)
    for _ in range(2):
        told = []
        publish(progress=lambda done, total, told=told: told.append((done, total)))
        assert told == [(1, 3), (2, 3), (3, 3)]


def test_of_several_parts_the_first_that_could_not_be_cut_is_noted_once(ledger, publish, tmp_path):
    with ledger.session() as session:
        session.get_one(Video, "video-0.5").path = str(tmp_path / "gone.mp4")
    answer(ledger, Answer(SECOND, Verdict.ACCEPT, "ada"))
    answer(ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=Edits(parts=PARTS)))
    for _ in range(2):
        assert [one.outcome for one in publish(Selection.CURATED).dropped] == [Outcome.FILE_MISSING] * 2
        with ledger.session() as session:
            assert sorted(row.cut for row in session.query(JudgedRow)) == ["file_missing", "ok"]


def test_what_is_cut_already_writes_nothing_when_it_is_published_again(ledger, publish):
    publish()
    with written(ledger) as rows:
        assert not publish().fresh
    assert rows == {}


def test_a_cut_that_lies_there_unrecorded_is_recorded(ledger, publish):
    publish()
    with ledger.session() as session:
        session.execute(update(ClipRow).values(cut=None))
    publish()
    with ledger.session() as session:
        assert {row.cut for row in session.query(ClipRow)} == {"ok"}


def test_of_a_video_that_was_taken_down_no_cut_counts_as_there(ledger, tmp_path, media_workers):
    home, settings = Home(tmp_path), CutSettings()
    spans = [Span(FIRST), Span(SECOND)]
    assert cut_spans(ledger, spans, home=home, settings=settings, workers=media_workers) == [Outcome.OK] * 2
    left = {path: path.read_bytes() for path in cut_files(home, spans[0], settings).stem.parent.glob(f"{FIRST}*")}
    take_down(ledger, FIRST, home=home, reason="asked")
    for path, data in left.items():
        path.write_bytes(data)
    outcomes = cut_spans(ledger, spans, home=home, settings=settings, workers=media_workers)
    assert outcomes == [Outcome.TAKEN_DOWN, Outcome.OK] and not cut_files(home, spans[0], settings).there


def test_what_is_taken_down_after_it_was_cut_is_told_and_leaves_the_snapshot(ledger, publish, monkeypatch):
    """The video's row comes once its page was cut, and before the snapshot is there."""
    monkeypatch.setattr("curation.steps.selecting.PAGE", 1)

    def demand(of_video):
        def show(done, total):
            if done == total:
                with ledger.session() as session:
                    session.add(TakedownRow(video_id=of_video, link="film.mp4", reason="asked"))

        return show

    made = publish(progress=demand("video-0.5"))
    assert sorted((one.clip_id, one.outcome) for one in made.dropped) == [
        (FIRST, Outcome.TAKEN_DOWN),
        (THIRD, Outcome.TAKEN_DOWN),
    ]
    assert made.snapshot.id == "auto/v2" and made.snapshot.manifest["counts"]["clips"] == 1
    with pytest.raises(NothingToPublish) as caught:
        publish(progress=demand("video-0.7"))
    assert {one.outcome for one in caught.value.dropped} == {Outcome.TAKEN_DOWN}


def test_ids_come_in_order_and_one_at_a_time(ledger):
    assert list(clips_to_publish(ledger, Selection.AUTO)) == [FIRST, SECOND, THIRD]
    assert next(clips_to_publish(ledger, Selection.CURATED), None) is None
