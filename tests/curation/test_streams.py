"""Which tracks of a file are taken: everybody takes the same ones, and what gave way is told."""

import io

import av
import numpy as np
import pytest

from bench.matroska import Block, Track, matroska
from curation.accounting.explain import explain
from curation.fetch.watch import check_media
from curation.ledger.tables import SourceEntry, Video
from curation.media.analyse import analyse
from curation.media.container import open_track, sniff
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.join import join
from curation.media.look import look
from curation.outcomes import Outcome
from curation.settings.recipe import Recipe
from curation.steps.measure import measure_video
from tests.curation.odd_films import RATE_HZ, Picture, Sound, film, pitch_hz, tone
from tests.curation.reading import read_sources

LOW, HIGH = 440.0, 3000.0


def heard_hz(path):
    line = analyse(path)
    return pitch_hz(line.waveform, line.rate_hz)


def outcome_of(path):
    with pytest.raises(MediaFailure) as caught:
        analyse(path)
    return caught.value.outcome


def test_the_default_sound_track_is_taken_by_analysis_cut_and_join_alike(tmp_path):
    path = film(tmp_path / "two.mkv", Picture(), Sound(HIGH, default=False), Sound(LOW))
    assert heard_hz(path) == pytest.approx(LOW, abs=5)
    assert analyse(path).notes == ""
    with av.open(io.BytesIO(cut(path, start_us=0, end_us=2_000_000).flac)) as flac:
        samples = np.concatenate([one.to_ndarray().ravel() for one in flac.decode(audio=0)])
    assert pitch_hz(samples, RATE_HZ) == pytest.approx(LOW, abs=5)
    join(path, path, into=tmp_path / "joined.mkv", most_bytes=10_000_000)
    assert heard_hz(tmp_path / "joined.mkv") == pytest.approx(LOW, abs=5)


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_pictures_that_a_codec_holds_back_are_pictures_wherever_their_track_stands(tmp_path, ending):
    path = film(tmp_path / f"sound_first.{ending}", Sound(codec="aac"), Picture())
    assert len(analyse(path).frame_us) == cut(path, start_us=0, end_us=4_000_000).frames == 100


@pytest.mark.parametrize(("track", "outcome"), [("picture", Outcome.NO_VIDEO), ("sound", Outcome.NO_AUDIO)])
def test_a_track_that_is_declared_and_has_no_packet_is_told(tmp_path, track, outcome):
    blocks = [Block(int(track == "picture"), 20 * at, bytes(320)) for at in range(50)]
    path = tmp_path / "declared.mkv"
    tracks = [Track("V_MJPEG", size_px=(64, 32)), Track("A_PCM/INT/LIT", rate_hz=8_000)]
    path.write_bytes(matroska(tracks, blocks))
    assert outcome_of(path) is outcome


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov"])
def test_of_equally_wanted_pictures_the_largest_is_taken(tmp_path, ending):
    path = film(tmp_path / f"sizes.{ending}", Picture(64, 48), Picture(160, 96), Sound(codec="aac"))
    line = analyse(path)
    made = cut(path, start_us=0, end_us=1_000_000)
    assert (line.width_px, line.height_px) == (made.width_px, made.height_px) == (160, 96)
    with open_track(path, "video") as (stream, *_):
        assert (stream.width, stream.height) == (160, 96)


def test_the_default_picture_goes_before_a_larger_one(tmp_path):
    line = analyse(film(tmp_path / "default.mkv", Picture(160, 96, default=False), Picture(64, 48), Sound()))
    assert (line.width_px, line.height_px) == (64, 48)


@pytest.mark.parametrize("cover", [Picture(320, 240, codec="mjpeg", frames=1), Picture(320, 240, moves=False)])
def test_a_picture_that_stands_still_gives_way_to_one_that_moves(tmp_path, cover):
    path = film(tmp_path / "cover.mkv", cover, Picture(), Sound())
    line = analyse(path)
    assert (line.width_px, line.height_px, len(line.frame_us)) == (96, 64, 100)
    assert "picture track 0 was passed over for track 1" in line.notes
    seen = look(path, start_us=0, end_us=1_000_000, hz=25, short_px=32, side_px=32).images
    assert len({one.tobytes() for one in seen}) > 1


def test_a_lone_picture_is_no_film(tmp_path):
    assert outcome_of(film(tmp_path / "song.mkv", Picture(frames=1), Sound())) is Outcome.NO_VIDEO


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Sound(HIGH, codec="wavpack"), "codec_not_allowed"),
        (Sound(HIGH, broken=True), "decode_failed"),
        (Picture(320, 240, codec="ffv1"), "codec_not_allowed"),
        (Picture(320, 240, codec="mjpeg", broken=True), "decode_failed"),
    ],
    ids=str,
)
def test_a_track_that_cannot_be_decoded_gives_way_and_that_is_told(tmp_path, bad, why):
    path = film(tmp_path / "bad.mkv", bad, Picture(), Sound(LOW))
    line = analyse(path)
    assert (line.width_px, len(line.frame_us)) == (96, 100)
    assert heard_hz(path) == pytest.approx(LOW, abs=5)
    assert f"track 0 was passed over for track {1 if isinstance(bad, Picture) else 2}" in line.notes
    assert why in line.notes
    made = join(path, path, into=tmp_path / "joined.mkv", most_bytes=10_000_000)
    assert why in made.notes
    assert heard_hz(tmp_path / "joined.mkv") == pytest.approx(LOW, abs=5)


def test_where_no_track_can_be_decoded_the_outcome_is_that_of_the_first(tmp_path):
    one, other = Sound(codec="wavpack"), Sound(broken=True)
    assert outcome_of(film(tmp_path / "one.mkv", Picture(), one, other)) is Outcome.DECODE_FAILED
    assert outcome_of(film(tmp_path / "two.mkv", Picture(), one, one)) is Outcome.UNKNOWN_CODEC


def test_explain_tells_which_track_gave_way(tmp_path, empty_ledger):
    path = film(tmp_path / "bad.mkv", Picture(), Sound(HIGH, codec="wavpack"), Sound(LOW))
    with empty_ledger.session() as session:
        session.add(Video(id="v" * 40, link="film", local=True, path=str(path), fetch=Outcome.OK, cuts_us=[]))
        row = {"caption": "", "label": "", "licence": "", "outcome": Outcome.OK, "detail": ""}
        session.add(SourceEntry(id="s", table_name="t", row=1, video_id="v" * 40, **row))
    assert measure_video(empty_ledger, "v" * 40, [], recipe=Recipe()) is Outcome.OK
    told = explain(empty_ledger, "film")["analysis"]
    assert told["outcome"] == Outcome.OK
    assert "sound track 1 was passed over for track 2" in told["detail"]


# --- transport streams


def packed(stream: bytes, *, before: int, behind: int) -> bytes:
    """The same packets, each with so many other bytes before and behind it."""
    packets = [stream[at : at + 188] for at in range(0, len(stream), 188)]
    return b"".join(b"\x0e\xbf\x46\x22"[:before] + one + bytes(behind) for one in packets)


@pytest.mark.parametrize(("before", "behind"), [(0, 0), (4, 0), (0, 16)])
@pytest.mark.parametrize("lost", [0, 50])
def test_transport_packets_of_every_kind_are_recognised(tmp_path, before, behind, lost):
    plain = film(
        tmp_path / "plain.ts", Picture(), Sound(codec="mp2", layout="stereo", samples=np.stack([tone(), tone()]))
    )
    odd = tmp_path / "odd.mts"
    odd.write_bytes(packed(plain.read_bytes(), before=before, behind=behind)[lost:])
    assert sniff(odd.read_bytes()[:2048]) == "mpegts"
    check_media(odd)
    nameless = odd.with_suffix("")
    nameless.write_bytes(odd.read_bytes())
    assert [row.path.name for row in read_sources([tmp_path]).rows] == ["odd", "odd.mts", "plain.ts"]
    line, original = analyse(odd), analyse(plain)
    # A capture that begins within the first packet has lost the first table.
    assert len(line.frame_us) == len(original.frame_us)
    assert np.array_equal(line.waveform, original.waveform)


def test_noise_and_text_are_no_transport_stream():
    assert sniff(np.random.default_rng(0).bytes(2048)) is None
    assert sniff(b"GOOGLE\n" * 300) is None


def test_recordings_with_b_frames_that_were_joined_are_two_parts(tmp_path):
    one = film(tmp_path / "one.mkv", Picture(), Sound(codec="aac")).read_bytes()
    joined = tmp_path / "joined.mkv"
    joined.write_bytes(one + one)
    line = analyse(joined)
    assert len(line.frame_us) == 200 and line.seams.tolist() == [100] and line.notes == ""


@pytest.mark.parametrize(("ending", "times"), [("mp4", 2), ("flv", 2), ("mkv", 3)])
def test_a_file_that_hangs_behind_another_unread_is_told(tmp_path, ending, times):
    one = film(tmp_path / f"one.{ending}", Picture(), Sound(codec="aac"))
    assert analyse(one).notes == ""
    data = one.read_bytes()
    joined = tmp_path / f"joined.{ending}"
    joined.write_bytes(data * times)
    line = analyse(joined)
    assert len(line.frame_us) == (times - 1) * 100
    assert f"another file of {len(data)} bytes" in line.notes
