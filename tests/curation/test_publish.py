"""What is published: people's edits and mended offsets, found again in the cut sound and in the records."""

import io
import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.clips import clip_id
from curation.decide.policy import Band
from curation.home import Home
from curation.ledger.tables import ClipRow, Video
from curation.publish import NothingToPublish, Selection, publish_selection
from curation.recipe import Recipe
from curation.review.answers import Answer, Edits, answer, record, undo
from curation.review.verdicts import RejectReason, Verdict

FIRST, SECOND = "a" * 40, "b" * 40
RATE_HZ = 16_000


@pytest.fixture
def publish(review_ledger, tmp_path, media_workers):
    def run(selection=Selection.CURATED):
        made = publish_selection(review_ledger, selection, home=Home(tmp_path), recipe=Recipe(), workers=media_workers)
        return samples(made.snapshot.path)

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
