"""What is published: people's edits and mended offsets, found again in the cut sound and in the records."""

import io
import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

from curation.accounting.funnel import UNTRIED, funnel
from curation.clips import clip_id
from curation.decide.apply import Merging, decide_all
from curation.decide.policy import Band, Policy
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.outcomes import Outcome
from curation.review.answers import Answer, Edits, answer, record, undo
from curation.settings.recipe import Recipe
from curation.steps.publish import NothingToPublish, Selection, publish_selection
from curation.verdicts.answers import RejectReason, Verdict

FIRST, SECOND = "a" * 40, "b" * 40
RATE_HZ = 16_000


@pytest.fixture
def publication(review_ledger, tmp_path, media_workers):
    def run(selection=Selection.CURATED):
        return publish_selection(review_ledger, selection, home=Home(tmp_path), recipe=Recipe(), workers=media_workers)

    return run


@pytest.fixture
def publish(publication):
    def run(selection=Selection.CURATED):
        return samples(publication(selection).snapshot.path)

    return run


def samples(folder):
    """Every clip's record and its exact sound, in order of key."""
    import webdataset as wds

    found = []
    for shard in sorted(folder.glob("*.tar")):
        for sample in wds.WebDataset(str(shard), shardshuffle=False):
            found.append((json.loads(sample["json"]), sound(sample["flac"])))
    index = pq.read_table(folder / "index.parquet").to_pylist()
    assert [row["key"] for row in index] == [record["key"] for record, _ in found]
    return found


def sound(flac):
    with av.open(io.BytesIO(flac)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]).astype(np.float64)


def source_sound(film):
    with av.open(str(film)) as container:
        frames = list(container.decode(audio=0))
    first = round(frames[0].time * RATE_HZ)
    whole = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64)
    return whole[-first:] if first < 0 else np.pad(whole, (first, 0))


def begins_at_s(clip, film):
    """Where in the source's sound a clip's begins, by correlation."""
    whole = source_sound(film)
    inner = clip[1600:9600]
    lags = np.correlate(whole - whole.mean(), inner - inner.mean(), mode="valid")
    return (int(lags.argmax()) - 1600) / RATE_HZ


def test_a_clip_is_published_as_its_reviewer_left_it(review_ledger, publish, film):
    parts = ((500_000, 1_250_000), (1_250_000, 2_500_000))
    edits = Edits(label="cat", caption="a cat", parts=parts, sound_late_us=250_000)
    answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=edits))
    found = {record["start_us"]: (record, heard) for record, heard in publish()}
    assert list(found) and {*found} == {500_000, 1_250_000}
    for start, end in parts:
        one, heard = found[start]
        assert one["key"] == clip_id("video-0.5", start, end) and one["end_us"] == end
        assert (one["label"], one["caption"], one["verdict"]["reviewer"]) == ("cat", "a cat", "ada")
        assert one["lineage"]["part_of"] == FIRST
        assert one["lineage"]["sound_moved"] == {"late_us": 250_000, "by": "reviewer"}
        assert one["frames"] == round((end - start) * 24 / 1e6)
        assert begins_at_s(heard, film) == pytest.approx(start / 1e6 + 0.25, abs=1e-3)


def test_an_untouched_clip_keeps_its_id_its_words_and_its_sound(review_ledger, publish, film):
    record(review_ledger, [FIRST], Verdict.ACCEPT, reviewer="ada")
    [(one, heard)] = publish()
    assert one["key"] == clip_id("video-0.5", 500_000, 2_500_000)
    assert one["label"] == "dog" and "part_of" not in one["lineage"] and "sound_moved" not in one["lineage"]
    assert begins_at_s(heard, film) == pytest.approx(0.5, abs=1e-3)


def test_a_constant_offset_is_mended_at_the_cut_and_told(review_ledger, publish, film):
    with review_ledger.session() as session:
        clip = session.get_one(ClipRow, FIRST)
        clip.band, clip.sound_late_us = Band.ACCEPT, 180_000
        clip.scores = {"sync_before": 0.1, "sync_at_zero": 0.8}
    [(one, heard)] = publish(Selection.AUTO)
    assert begins_at_s(heard, film) == pytest.approx(0.68, abs=1e-3)
    moved = {"late_us": 180_000, "by": "policy", "sync_before": 0.1, "sync_after": 0.8}
    assert one["lineage"]["sound_moved"] == moved and one["verdict"] is None


def test_silence_where_the_source_has_no_sound_is_told(review_ledger, publish):
    answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=Edits(sound_late_us=-800_000)))
    [(one, heard)] = publish()
    assert one["lineage"]["silent_us"] == pytest.approx(300_000, abs=1000)
    assert not heard[: int(0.29 * RATE_HZ)].any() and heard[int(0.32 * RATE_HZ) :].any()


def test_how_a_film_was_read_is_told_and_why_it_cannot_be_any_more_is_not(review_ledger, publish):
    record(review_ledger, [FIRST], Verdict.ACCEPT, reviewer="ada")
    for outcome, told in ((Outcome.OK, "sound track 1 was passed over"), (Outcome.TRUNCATED, None)):
        with review_ledger.session() as session:
            video = session.get_one(Video, "video-0.5")
            video.analysis, video.analysis_detail = outcome, "sound track 1 was passed over"
        [(one, _)] = publish()
        assert one["lineage"].get("notes") == told


def test_a_reviewer_may_put_a_moved_sound_back(review_ledger, publish, film):
    with review_ledger.session() as session:
        session.get_one(ClipRow, FIRST).sound_late_us = 180_000
    answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=Edits(sound_late_us=0)))
    [(one, heard)] = publish()
    assert begins_at_s(heard, film) == pytest.approx(0.5, abs=1e-3) and "sound_moved" not in one["lineage"]


def test_what_was_rejected_disputed_or_taken_back_is_not_published(review_ledger, publish, film):
    with review_ledger.session() as session:
        session.get_one(Video, "video-0.7").path = str(film)
    answer(review_ledger, Answer(SECOND, Verdict.ACCEPT, "ada"))
    answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada"))
    answer(review_ledger, Answer(FIRST, Verdict.REJECT, "ben", RejectReason.MEANING))
    assert [one["start_us"] for one, _ in publish()] == [500_000]
    undo(review_ledger, "ada"), undo(review_ledger, "ada")
    with pytest.raises(NothingToPublish):
        publish()


def people_accepted(ledger):
    """The funnel's stage of what people accepted, which adds up."""
    [stage] = [stage for stage in funnel(ledger) if stage.name == "clips people accepted cut"]
    assert stage.adds_up
    return stage.outcomes


class TestWhatCannotBeCut:
    @pytest.fixture
    def gone(self, review_ledger, tmp_path):
        """The second clip's video is no longer on the disk."""
        with review_ledger.session() as session:
            video = session.get_one(Video, "video-0.7")
            video.path = str(tmp_path / "gone.mp4")
            return video.link

    @pytest.mark.parametrize(
        "edits",
        [Edits(), Edits(sound_late_us=40_000), Edits(parts=((500_000, 1_000_000), (1_500_000, 2_500_000)))],
        ids=["whole", "moved", "parts"],
    )
    def test_an_accepted_clip_that_cannot_be_cut_is_told_and_counted(self, review_ledger, publication, gone, edits):
        record(review_ledger, [FIRST], Verdict.ACCEPT, reviewer="ada")
        answer(review_ledger, Answer(SECOND, Verdict.ACCEPT, "ada", edits=edits))
        assert people_accepted(review_ledger) == {UNTRIED: 2}
        made = publication()
        assert [one["start_us"] for one, _ in samples(made.snapshot.path)] == [500_000]
        assert [(one.start_us, one.end_us) for one in made.dropped] == list(edits.parts or [(500_000, 2_500_000)])
        assert {(one.clip_id, one.link, one.outcome) for one in made.dropped} == {(SECOND, gone, Outcome.FILE_MISSING)}
        assert people_accepted(review_ledger) == {"ok": 1, "file_missing": 1}

    def test_it_is_published_once_its_video_is_back(self, review_ledger, publication, gone, film):
        record(review_ledger, [FIRST, SECOND], Verdict.ACCEPT, reviewer="ada")
        publication()
        with review_ledger.session() as session:
            session.get_one(Video, "video-0.7").path = str(film)
        assert publication().dropped == () and people_accepted(review_ledger) == {"ok": 2}

    def test_a_new_answer_is_yet_to_be_cut(self, review_ledger, publication):
        answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada"))
        publication()
        answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada", edits=Edits(parts=((500_000, 1_000_000),))))
        assert people_accepted(review_ledger) == {UNTRIED: 1}

    def test_where_nothing_can_be_cut_there_is_no_snapshot_and_it_says_why(self, review_ledger, publication, gone):
        record(review_ledger, [SECOND], Verdict.ACCEPT, reviewer="ada")
        with pytest.raises(NothingToPublish, match="1 file_missing") as caught:
            publication()
        assert [one.clip_id for one in caught.value.dropped] == [SECOND]
        assert people_accepted(review_ledger) == {"file_missing": 1}

    def test_the_automatic_set_tells_it_too(self, review_ledger, publication, gone):
        with review_ledger.session() as session:
            session.execute(update(ClipRow).values(band=Band.ACCEPT))
        assert [(one.clip_id, one.outcome) for one in publication(Selection.AUTO).dropped] == [
            (SECOND, Outcome.FILE_MISSING)
        ]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"duplicate_of": "Bench:film.mp4"}, Outcome.DUPLICATE_CLIP),
        ({"duplicate_of": FIRST}, Outcome.DUPLICATE_CLIP),
        ({"outcome": Outcome.EXCLUDED}, Outcome.EXCLUDED),
        ({"fetch": Outcome.TAKEN_DOWN}, Outcome.TAKEN_DOWN),
    ],
)
def test_what_is_accepted_and_left_out_for_a_reason_is_told(review_ledger, publication, change, outcome):
    record(review_ledger, [FIRST, SECOND], Verdict.ACCEPT, reviewer="ada")
    with review_ledger.session() as session:
        rows = (
            session.get_one(ClipRow, SECOND),
            session.get_one(SourceEntry, "row-0.7"),
            session.get_one(Video, "video-0.7"),
        )
        for name, value in change.items():
            setattr(next(row for row in rows if hasattr(row, name)), name, value)
    made = publication()
    assert [(one.clip_id, one.outcome) for one in made.dropped] == [(SECOND, outcome)]
    assert made.snapshot.manifest["counts"]["clips"] == 1
    assert people_accepted(review_ledger) == {"ok": 1, outcome: 1}


def test_a_copy_that_nobody_accepted_keeps_no_accepted_clip_out(review_ledger, publish):
    record(review_ledger, [SECOND], Verdict.ACCEPT, reviewer="ada")
    with review_ledger.session() as session:
        session.get_one(ClipRow, SECOND).duplicate_of = FIRST
    assert len(publish()) == 1


def test_an_accepted_clip_keeps_the_sound_that_its_reviewer_heard(review_ledger, publish, film):
    with review_ledger.session() as session:
        session.get_one(ClipRow, FIRST).sound_late_us = 180_000
    record(review_ledger, [FIRST], Verdict.ACCEPT, reviewer="ada")
    decide_all(review_ledger, Policy(), Merging(max_clip_us=10_000_000, audit_share=0))
    with review_ledger.session() as session:
        clip = session.get_one(ClipRow, FIRST)
        # What a later policy makes of the same span.
        clip.sound_late_us, clip.current = 0, False
    [(one, heard)] = publish()
    assert begins_at_s(heard, film) == pytest.approx(0.68, abs=1e-3)
    assert one["lineage"]["sound_moved"]["by"] == "policy"


def test_the_card_says_what_the_scores_mean_and_which_policy_decided(review_ledger, publication):
    record(review_ledger, [FIRST], Verdict.ACCEPT, reviewer="ada")
    card = publication().snapshot.file("README.md").read_text(encoding="utf-8")
    assert "| `score_p_in_sync` | probability that picture and sound are within 60 ms of each other |" in card
    assert f"| policy | `{Recipe().policy.digest()}`;" in card
    assert "| CC BY 4\\.0 | 1 | 2.0 |" in card
    assert "Clips that carry a person's verdict: 1;" in card
