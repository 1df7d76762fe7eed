"""Copies are known again whatever was done to them, look-alikes are not taken for copies, and the best one stays."""

from dataclasses import replace

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select, update

from bench.dedup import EDITS, edited_clip, edited_file
from curation.decide.apply import Merging, decide_all
from curation.decide.policy import Policy
from curation.dedup.bits import set_bits, set_bits_by_table
from curation.dedup.candidates import pairs
from curation.dedup.fingerprint import Fingerprint, fingerprint, mirrored, picture_hashes
from curation.dedup.groups import Item, copies
from curation.dedup.ledger import add_benchmark, mark_duplicates
from curation.dedup.match import DedupSettings, compare
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, Video
from curation.media.analyse import analyse
from curation.review.answers import record
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video
from curation.steps.publish import Selection, clips_to_publish
from curation.verdicts.answers import Verdict
from training.world import FilmSpec, draw, write_film

SETTINGS = DedupSettings()


def film(folder, scene, seed):
    path = folder / f"{scene}-{seed}.mp4"
    if not path.exists():
        write_film(draw(FilmSpec(scene=scene, seed=seed, duration_s=5.0)), path)
    return path


def printed(path):
    return fingerprint(analyse(path, thumbnails=False)).span(0, 4_500_000)


def item(key, prints, rank=1.0, **changes):
    given = {"video_id": key, "start_us": 0, "end_us": 4_000_000, "sha256": key} | changes
    return Item(id=key, prints=prints, rank=(rank,), **given)


def blank(*, moments=0, bins=0):
    none = (np.zeros(0, np.uint32), np.zeros(0, np.uint64))
    return Fingerprint(*none, np.zeros(bins, np.float32), np.zeros(moments, np.uint32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def drum(folder):
    return printed(film(folder, "playing_drum", 1))


@pytest.fixture(scope="module")
def others(folder):
    return [printed(film(folder, scene, 1)) for scene in ("ringing_bell", "clapping_blocks", "chopping_wood")]


def test_picture_hashes_are_those_of_the_library():
    stills = np.random.default_rng(0).integers(0, 256, (5, 32, 32)).astype(np.uint8)
    theirs = [int(str(imagehash.phash(Image.fromarray(still))), 16) for still in stills]
    assert [int(one) for one in picture_hashes(stills)] == theirs


def test_the_hash_of_a_picture_in_a_mirror_is_known_without_the_picture():
    stills = np.random.default_rng(1).integers(0, 256, (50, 32, 32)).astype(np.uint8)
    differing = np.bitwise_count(mirrored(picture_hashes(stills)) ^ picture_hashes(stills[:, :, ::-1]))
    assert differing.mean() < 6


def test_a_fingerprint_comes_back_from_its_bytes(drum):
    again = Fingerprint.from_bytes(*drum.to_bytes())
    for name in ("still_ms", "picture", "sound"):
        assert np.array_equal(getattr(again, name), getattr(drum, name))
    assert np.allclose(again.motion, drum.motion, rtol=1e-3)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_found_among_others(edit, folder, drum, others):
    items = [item("original", drum), *(item(f"other {n}", one) for n, one in enumerate(others))]
    copy = edited_clip(film(folder, "playing_drum", 1), edit, folder)
    assert copies([*items, item("copy", copy.prints, rank=0.5)], SETTINGS) == {"copy": "original"}


def test_the_same_sound_under_another_picture_is_no_copy(folder, drum):
    bell = analyse(film(folder, "ringing_bell", 3), thumbnails=False)
    line = analyse(film(folder, "playing_drum", 1), thumbnails=False)
    dubbed = fingerprint(replace(bell, waveform=line.waveform, rate_hz=line.rate_hz)).span(0, 4_500_000)
    assert copies([item("drum", drum), item("dubbed", dubbed)], SETTINGS) == {}


def test_another_take_of_the_same_scene_is_no_copy(folder, drum):
    takes = [item(f"take {seed}", printed(film(folder, "playing_drum", seed))) for seed in (2, 3, 4)]
    assert copies([item("drum", drum), *takes], SETTINGS) == {}


def test_silence_and_black_agree_with_nothing():
    nothing = blank(moments=48, bins=24)
    assert not compare(nothing, nothing, shift_s=0.0, settings=SETTINGS).is_copy(SETTINGS)
    assert copies([item("a", nothing), item("b", nothing)], SETTINGS) == {}


def test_the_best_copy_stays_and_of_equal_ones_the_first(drum):
    ranks = {"b": 0.5, "a": 0.5, "c": 0.9}
    assert copies([item(key, drum, rank) for key, rank in ranks.items()], SETTINGS) == {"a": "c", "b": "c"}
    assert copies([item(key, drum) for key in ("b", "a")], SETTINGS) == {"b": "a"}


def test_what_is_protected_stays(drum):
    items = [item("ours", drum, 0.9), item("theirs", drum, 2.0, protected=True), item("too", drum, 2.0, protected=True)]
    assert copies(items, SETTINGS) == {"ours": "theirs"}


def test_equal_files_are_copies_where_their_spans_meet():
    spans = {"a": (0, 4), "b": (1, 5), "c": (20, 24)}
    items = [
        item(key, blank(), sha256="same", start_us=start * 10**6, end_us=end * 10**6)
        for key, (start, end) in spans.items()
    ]
    assert copies(items, SETTINGS) == {"b": "a"}


def test_pairs_are_the_same_in_however_many_files_they_are_counted(monkeypatch):
    chance = np.random.default_rng(0)
    at_ms = np.arange(16, dtype=np.uint32) * 250
    hashes = chance.integers(0, 2**63, (300, 16), np.uint64)
    sounds = chance.integers(0, 2**32, (300, 48), np.uint32)
    clips = [Fingerprint(at_ms, one, np.zeros(0, np.float32), other) for one, other in zip(hashes, sounds, strict=True)]
    clips += [replace(one, picture=one.picture[2:], still_ms=one.still_ms[:-2]) for one in clips[:40]]
    at_once = list(pairs(clips))
    assert {frozenset((number, 300 + number)) for number in range(40)} <= {
        frozenset((one.first, one.second)) for one in at_once
    }
    for name, value in {"WORDS_AT_ONCE": 1000, "CLIPS_AT_ONCE_BITS": 4, "READ_AT_ONCE": 500}.items():
        monkeypatch.setattr(f"curation.dedup.candidates.{name}", value)
    assert list(pairs(iter(clips))) == at_once


@settings(deadline=None)
@given(order=st.permutations(range(12)), seed=st.integers(0, 1 << 30))
def test_what_is_compared_with_what_does_not_depend_on_names(order, seed):
    chance = np.random.default_rng(seed)
    at_ms, kept = np.arange(16, dtype=np.uint32) * 250, chance.integers(0, 1 << 63, 24).astype(np.uint64)
    motion, sound = np.zeros(32, np.float32), chance.integers(1, 1 << 32, 96).astype(np.uint32)
    clips = [
        Fingerprint(
            at_ms, kept[at : at + 16], motion, chance.permutation(sound)[:64] if at % 3 else sound[at : at + 64]
        )
        for at in chance.integers(0, 8, len(order)).tolist()
    ]

    def compared(numbers):
        found = pairs([clips[number] for number in numbers])
        return {(*_sides(clips, numbers[pair.first], numbers[pair.second]), pair.shift_s) for pair in found}

    assert compared(order) == compared(sorted(order)) != set()


def _sides(clips, first, second):
    return tuple(b"".join(clips[number].to_bytes()) for number in (first, second))


@settings(deadline=None)
@given(count=st.integers(1, 40), quarters=st.integers(-6, 6), seed=st.integers(0, 1 << 30))
def test_a_planted_copy_is_a_candidate_at_its_shift(count, quarters, seed):
    chance = np.random.default_rng(seed)

    def clip():
        return Fingerprint(
            np.arange(0, 8000, 250, dtype=np.uint32),
            chance.integers(0, 1 << 63, 32).astype(np.uint64),
            chance.random(64).astype(np.float32),
            chance.integers(1, 1 << 32, 128).astype(np.uint32),
        )

    clips = [clip() for _ in range(count)]
    moved = clip()
    there = np.arange(32) + quarters
    inside = (there >= 0) & (there < 32)
    moved.picture[there[inside]] = clips[0].picture[inside]
    found = {(one.first, one.second): one.shift_s for one in pairs([*clips, moved])}
    found |= {(second, first): -shift_s for (first, second), shift_s in found.items()}
    assert abs(found[0, count] - quarters / 4) <= 0.25


@pytest.fixture
def ledger(tmp_path, folder, any_ledger):
    """A ledger of three videos, all accepted: a film, its poor copy, and another film."""
    home, films = Home(tmp_path / "home"), tmp_path / "films"
    films.mkdir()
    (films / "a.mp4").write_bytes(film(folder, "playing_drum", 1).read_bytes())
    edited_file(film(folder, "playing_drum", 1), "half the size", films / "b.mp4")
    (films / "c.mp4").write_bytes(film(folder, "ringing_bell", 1).read_bytes())
    recipe, scores = Recipe(policy=Policy(accept_all=True)), build(["motion", "loudness", "sync"])
    register(any_ledger, iter_sources([str(films)]))
    for video_id in videos_to_fetch(any_ledger):
        fetch_video(any_ledger, video_id, home=home, settings=FetchSettings())
        measure_video(any_ledger, video_id, scores, recipe=recipe)
    decide_all(any_ledger, recipe.policy, Merging(max_clip_us=10_000_000, audit_share=0))
    return any_ledger


def marked(ledger):
    with ledger.session() as session:
        rows = session.execute(select(Video.link, ClipRow.duplicate_of).join(ClipRow, ClipRow.video_id == Video.id))
        return {link.rsplit("/", 1)[1]: other for link, other in rows}


def test_the_ledger_says_which_clip_is_a_copy_of_which(ledger):
    assert mark_duplicates(ledger, SETTINGS) == 1
    found = marked(ledger)
    assert (found["a.mp4"] is None) != (found["b.mp4"] is None) and found["c.mp4"] is None
    assert mark_duplicates(ledger, SETTINGS) == 1 and marked(ledger) == found
    assert mark_duplicates(ledger, DedupSettings(enabled=False)) == 0 and set(marked(ledger).values()) == {None}


def test_copies_of_a_protected_video_are_marked_with_its_name(ledger, folder):
    add_benchmark(ledger, "Bench", [film(folder, "ringing_bell", 1)], analyse=analyse)
    mark_duplicates(ledger, SETTINGS)
    assert marked(ledger)["c.mp4"] == "Bench:ringing_bell-1.mp4"


def test_of_copies_that_people_accepted_one_stays_whatever_the_policy_proposes_by_now(ledger):
    mark_duplicates(ledger, SETTINGS)
    with ledger.session() as session:
        rows = session.execute(select(ClipRow.id, ClipRow.duplicate_of).where(ClipRow.duplicate_of.is_not(None)))
        [(poor, good)] = rows.tuples()
    record(ledger, [poor], Verdict.ACCEPT, reviewer="ada")
    mark_duplicates(ledger, SETTINGS)
    assert list(clips_to_publish(ledger, Selection.CURATED)) == [poor], "the better one nobody accepted"
    assert poor not in list(clips_to_publish(ledger, Selection.AUTO))
    record(ledger, [good], Verdict.ACCEPT, reviewer="ada")
    for current in (True, False):
        with ledger.session() as session:
            session.execute(update(ClipRow).values(current=current))
        mark_duplicates(ledger, SETTINGS)
        assert list(clips_to_publish(ledger, Selection.CURATED)) == [good]
    with ledger.session() as session:
        session.get_one(ClipRow, poor).current = True
    mark_duplicates(ledger, SETTINGS)
    assert list(clips_to_publish(ledger, Selection.CURATED)) == [poor], "the policy still proposes it"


@pytest.mark.parametrize("kind", [np.uint8, np.uint32, np.uint64])
def test_bits_are_counted_alike_with_and_without_numpys_own_counter(kind):
    words = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (7, 5), dtype=kind, endpoint=True)
    counted = [[int(word).bit_count() for word in row] for row in words]
    assert set_bits(words).tolist() == set_bits_by_table(words).tolist() == counted
