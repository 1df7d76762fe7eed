"""The report's page: complete in itself, safe against what the web wrote, and true to its numbers."""

import re
import socket
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest

from curation.accounting.funnel import Stage, funnel
from curation.decide.policy import Band
from curation.ledger.open import open_ledger
from curation.outcomes import Outcome
from curation.review.where import Where
from curation.verdicts.answers import Verdict
from flows.report import page
from flows.report.cards import sheets
from flows.report.data import ClipCard, Curve, Histogram, Output, ProbeRow, Report, Series, Threshold, Timing, TruthRow
from flows.report.page import headline, render, write_report
from flows.report.picture import contact_sheet, score_picture
from flows.report.strips import contact_strip, sound_peaks, tiles_for
from flows.summary import NotRun
from shards.errors import BadInput

RATE_HZ = 48_000
FPS = 24
COLOURS = ((200, 30, 30), (30, 180, 30), (30, 30, 200))


def write_clip(
    path: Path, *, width_px: int = 128, height_px: int = 96, click_s: float = 1.5, sound: bool = True
) -> Path:
    """Three seconds: red, green, blue, a second each, and a burst of noise at `click_s`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width_px, height_px, "yuv420p"
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono") if sound else None
        for colour in COLOURS:
            picture = np.full((height_px, width_px, 3), colour, np.uint8)
            for _ in range(FPS):
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(video.encode(None))
        if audio is not None:
            wave = np.zeros((1, 3 * RATE_HZ), np.float32)
            at = round(click_s * RATE_HZ)
            wave[0, at : at + 2400] = np.random.default_rng(0).uniform(-0.8, 0.8, 2400)
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_clip(tmp_path_factory.mktemp("report") / "clip.mp4")


def a_card(media: Path | None, **fields) -> ClipCard:
    card = ClipCard(
        clip_id="c1",
        label="bell",
        caption="a bell rings",
        band=Band.REVIEW,
        reasons=(Outcome.WEAK_SYNC,),
        verdict=Verdict.ACCEPT,
        scores={"sync_at_zero": 0.4321},
        media=media,
        link="https://example.org/bell.mp4",
        licence="CC0",
        start_us=1_000_000,
        end_us=4_000_000,
    )
    return replace(card, **fields)


def a_report(*clips: ClipCard, **fields) -> Report:
    report = Report(
        title="A run",
        subtitle="of nothing much",
        made_with={"clapboard": "0.1.0"},
        funnel=(
            Stage("source rows", 3, {"ok": 2, "bad_link": 1}),
            Stage("windows decided", 5, {"accept": 2, "review": 1, "reject: silent": 2}),
            Stage("clips merged", 2, {"accept": 1, "review": 1}),
            Stage("clips reviewed", 1, {"waiting": 1}),
        ),
        published=1,
        not_run=(NotRun(what="CLIP score", why="no weights", command="clapboard weights get clip"),),
        clips=clips,
        histograms=(Histogram("motion", "", {Band.ACCEPT: (0.1, 0.2)}, (Threshold("static", 0.05),)),),
        curves=(Curve("stage one", (1, 2, 3), (0.9, 0.5, 0.4), (Series("probe", (2, 3), (0.6, 0.5)),)),),
        probe=(ProbeRow("stage one", 0.4, 0.5, 0.6),),
        truth=(TruthRow("late.mp4", "late_sound", "sound_offset", "sound_offset", ok=True),),
        outputs=(Output("Snapshot", Path("snapshots/demo/v1")),),
        timings=(Timing("curate", 61.0, "5 windows"),),
    )
    return replace(report, **fields)


class Tags(HTMLParser):
    """All start tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", html)))


HEARD = {"p_in_sync": 0.82, "where_x": 0.5, "where_y": 0.25, "where_side": 0.25}


def test_a_card_says_and_frames_where_it_was_heard(clip):
    html = render(a_report(a_card(clip, scores=HEARD)))
    assert "82 % in sync, heard in the middle" in text_of(html)
    assert "framed where it is heard" in html and "where x" not in text_of(html)
    plain = render(a_report(a_card(clip, scores=HEARD | {"where_x": None})))
    assert "82 % in sync" in text_of(plain) and "framed where" not in plain


def test_a_script_in_a_caption_title_or_series_name_stays_text(clip):
    bad = '<script>alert("x")</script>'
    report = a_report(
        a_card(clip, caption=bad, label=bad, licence=bad),
        title=bad,
        curves=(Curve(bad, (1, 2), (1.0, 0.5), (Series(bad, (1,), (1.0,)),)),),
        histograms=(Histogram(bad, bad, {Band.ACCEPT: (1.0, 2.0)}, (Threshold(bad, 1.5),)),),
        truth=(TruthRow(bad, bad, bad, bad, ok=False),),
        not_run=(NotRun(what=bad, why=f"`{bad}`", command=bad),),
    )
    html = render(report)
    assert not Tags(html).named("script")
    assert bad in unescape(html)


def test_a_javascript_link_is_shown_but_leads_nowhere(clip):
    html = render(a_report(a_card(clip, link="javascript:alert(1)")))
    assert "javascript:alert(1)" in html
    assert not any("javascript" in (a.get("href") or "") for a in Tags(html).named("a"))


def test_the_page_loads_nothing_from_anywhere_but_itself(clip, tmp_path):
    html = write_report(a_report(a_card(clip), animation=clip), tmp_path / "report.html").read_text()
    tags = Tags(html)
    assert not tags.named("link", "script", "iframe", "object", "embed", "form")
    loaded = [attrs[key] for _, attrs in tags.tags for key in ("src", "srcset", "poster", "data") if key in attrs]
    assert len(loaded) == 4  # the clip's strip, the clip itself, the animation and its strip
    assert all((target or "").startswith("data:") for target in loaded)
    assert "@import" not in html and "url(" not in html
    policy = next(a["content"] for a in tags.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")


def test_the_page_can_be_read_without_eyes(clip):
    tags = Tags(render(a_report(a_card(clip, band=Band.ACCEPT), a_card(clip), animation=clip)))
    levels = [int(tag[1]) for tag, _ in tags.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert all(image.get("alt") for image in tags.named("img"))
    assert all(drawing.get("aria-label") for drawing in tags.named("svg", "video"))
    assert tags.named("html")[0]["lang"] == "en"
    ids = {attrs["id"] for _, attrs in tags.tags if "id" in attrs}
    inside = [a["href"] for a in tags.named("a") if (a["href"] or "").startswith("#")]
    assert inside and all((target or "")[1:] in ids for target in inside)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_the_page(scheme):
    css = files("flows.report").joinpath("templates/report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    colour = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme]))
    for paper in ("page", "card", "soft"):
        for ink in ("text", "muted", "accept"):
            assert contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)
    assert all(contrast(colour[mark], colour["page"]) >= 3 for mark in ("accept", "review", "reject"))


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours."""
    dark, light = sorted(luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_the_page_says_whether_networks_or_signal_scores_decided():
    said = text_of(render(a_report(decided="This run was decided by signal scores alone: `why`.")))
    assert "This run was decided by signal scores alone: why." in said
    assert "decided by" not in text_of(render(a_report()))


def test_every_reason_of_the_funnel_comes_with_its_remedy():
    every = {f"reject: {one}" if i % 2 else str(one): 1 for i, one in enumerate(Outcome)}
    said = text_of(render(a_report(funnel=(Stage("windows decided", len(every), every),))))
    for outcome in Outcome:
        if outcome is not Outcome.OK:
            assert outcome.remedy.replace("`", "") in said


def test_a_stage_that_loses_items_says_so():
    assert "Does not add up: 3 accounted for" in render(a_report(funnel=(Stage("source rows", 4, {"ok": 3}),)))


def test_the_headline_knows_the_stages_that_a_ledger_names(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        stages = tuple(funnel(ledger))
    figures = headline(a_report(funnel=stages, published=7))
    assert [figure.value for figure in figures] == ["0", "0", "0", "7", "1 min 1 s"]


def test_what_was_not_run_stands_with_its_reason_and_command():
    said = text_of(render(a_report()))
    assert "CLIP score" in said and "no weights" in said and "clapboard weights get clip" in said
    assert "every part of the recipe ran" in text_of(render(a_report(not_run=())))


def test_a_broken_clip_costs_its_picture_and_not_the_report(clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"<html>Video unavailable</html>")
    html = render(a_report(a_card(broken, clip_id="b"), a_card(tmp_path / "absent.mp4"), a_card(None), a_card(clip)))
    assert html.count("No picture:") == 3
    assert len(Tags(html).named("img")) == 1
    assert len(Tags(html).named("video")) == 1


def test_a_small_animation_lies_in_the_page_and_a_large_one_beside_it(clip, tmp_path):
    assert 'loop playsinline aria-label="Animation' in render(a_report(animation=clip))
    large = tmp_path / "out" / "a film.mp4"
    large.parent.mkdir()
    large.write_bytes(bytes(page.EMBED_ANIMATION_BYTES + 1))
    html = write_report(a_report(animation=large), tmp_path / "report.html").read_text()
    assert not Tags(html).named("video")
    assert "out/a%20film.mp4" in [a["href"] for a in Tags(html).named("a")]


def test_parts_that_a_run_did_not_have_leave_no_empty_section():
    html = render(a_report(truth=None, histograms=(), curves=(), probe=(), animation_note="No model was trained."))
    ids = {attrs["id"] for attrs in Tags(html).named("section")}
    assert ids == {"funnel", "not-run", "animation", "about"}
    assert "No model was trained." in html


def test_the_same_report_gives_the_same_bytes_and_leaves_no_other_file(clip, tmp_path):
    report = a_report(a_card(clip), outputs=(Output("Ledger", tmp_path / "ledger.db"),))
    first = write_report(report, tmp_path / "report.html").read_bytes()
    assert write_report(report, tmp_path / "report.html").read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert 'href="ledger.db"' in first.decode()


def test_a_strip_shows_the_clips_frames_in_order(clip):
    strip = decoded(contact_strip(clip, tiles=3, height_px=48))
    assert strip.shape == (48, 3 * 64, 3)
    for i, colour in enumerate(COLOURS):
        assert np.abs(strip[8:40, i * 64 + 8 : i * 64 + 56].mean((0, 1)) - colour).max() < 15


def test_a_strip_of_a_span_shows_nothing_of_the_rest(clip):
    strip = decoded(contact_strip(clip, tiles=2, height_px=48, span_us=(1_100_000, 1_900_000)))
    assert np.abs(strip.mean((0, 1)) - COLOURS[1]).max() < 15


@pytest.mark.parametrize("colour", [0, 255])
def test_a_frame_is_seen_on_light_and_dark_and_covers_little(tmp_path, monkeypatch, colour):
    monkeypatch.setattr(sys.modules[__name__], "COLOURS", ((colour,) * 3,) * 3)
    film = write_clip(tmp_path / "grey.mp4")
    strip, plain = (
        decoded(contact_strip(film, tiles=2, height_px=96, where=where)).mean(2)
        for where in (Where(0.25, 0.5, 0.25), None)
    )
    assert strip.shape == plain.shape == (96, 256)
    rows, columns = np.nonzero(np.abs(strip - plain) > 60)
    first = columns < 128
    assert (rows.min(), rows.max()) == pytest.approx((48, 71), abs=2)
    assert (columns[first].min(), columns[first].max()) == pytest.approx((32, 63), abs=2)
    assert (columns[~first].min(), columns[~first].max()) == pytest.approx((160, 191), abs=2)
    assert np.abs(strip - plain)[54:66, 40:56].max() < 30, "what it frames is left alone"


def decoded(jpeg: bytes) -> np.ndarray:
    packet = av.Packet(jpeg)
    (frame,) = av.CodecContext.create("mjpeg", "r").decode(packet)
    return frame.to_ndarray(format="rgb24").astype(np.float64)


def test_the_peaks_rise_where_the_clip_sounds(clip):
    peaks = sound_peaks(clip, columns=60)
    assert abs(int(np.flatnonzero(peaks > 0.2)[0]) - 30) <= 1
    assert peaks[:28].max() < 0.05 < 0.5 < peaks.max() <= 1
    later = sound_peaks(clip, columns=60, span_us=(1_000_000, 2_000_000))
    assert abs(int(np.flatnonzero(later > 0.2)[0]) - 30) <= 2


def test_a_clip_without_a_sound_track_has_a_flat_line(tmp_path):
    assert not sound_peaks(write_clip(tmp_path / "mute.mp4", sound=False)).any()


def test_portrait_clips_get_more_frames_so_that_strips_are_alike(clip, tmp_path):
    tall = write_clip(tmp_path / "tall.mp4", width_px=72, height_px=128, sound=False)
    assert (tiles_for(clip), tiles_for(tall)) == (6, 14)


def test_a_playlist_in_place_of_a_clip_reaches_no_server(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        trap = tmp_path / "trap.m3u8"
        link = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        trap.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{link}\n#EXT-X-ENDLIST\n")
        with pytest.raises(BadInput):
            contact_strip(trap, span_us=(0, 1_000_000))
        with pytest.raises(BadInput):
            sound_peaks(trap)
        with pytest.raises(BlockingIOError):
            server.accept()


class TestPicturesForArtifacts:
    def test_a_sheet_shows_each_band_and_takes_names_as_words(self, clip):
        cards = sheets(
            [
                a_card(clip, band=Band.ACCEPT, reasons=()),
                a_card(clip, label="<script>&\x00\x1b[31m" + "x" * 500, band=Band.REJECT, reasons=(Outcome.SILENT,)),
                a_card(None, label="nothing to see"),
            ]
        )
        sheet = ElementTree.fromstring(contact_sheet(cards))
        said = [text.text for text in sheet.iter("{http://www.w3.org/2000/svg}text")]
        assert said[:3] == ["accept", "bell", "in sync"] and "silent" in said
        assert said[4].startswith("<script>&") and len(said[4]) <= 60 and said[4].isprintable()
        strips = [image.get("href") for image in sheet.iter("{http://www.w3.org/2000/svg}image")]
        assert len(strips) == 2 and all(one.startswith("data:image/jpeg;base64,") for one in strips)
        assert contact_sheet({Band.ACCEPT: [], Band.REVIEW: sheets([a_card(None)])[Band.REVIEW]}) == ""

    def test_scores_stand_in_rows_of_three_and_what_was_not_measured_is_left_out(self):
        charts = [Histogram(f"score_{at}", "", {Band.ACCEPT: (0.1, 0.2), Band.REJECT: (0.9,)}, ()) for at in range(4)]
        picture = ElementTree.fromstring(score_picture([*charts, Histogram("nothing", "", {}, ())]))
        panels = [(one.get("x"), one.get("y")) for one in picture.iter("{http://www.w3.org/2000/svg}svg")][1:]
        assert len(panels) == 4 and len({x for x, _ in panels}) == 3 and len({y for _, y in panels}) == 2
        assert score_picture([Histogram("nothing", "", {}, ())]) == ""
