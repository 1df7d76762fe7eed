"""The publication as a person sees it: what was accepted and left out is named, on the terminal and in Prefect."""

import httpx
import pytest

from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.review.answers import record
from curation.verdicts.answers import Verdict
from flows.cli.curate import show_dropped
from flows.publish import PublishParams, publish_curated
from flows.server import prefect_server, running_server, send_what_waits
from training.world import FilmSpec, draw, write_film

THERE, GONE = "a" * 20, "b" * 20


@pytest.fixture
def home(tmp_path):
    """Two accepted clips; the video of one is no longer on the disk, nor where it came from."""
    film, home = tmp_path / "film.mp4", Home(tmp_path / "home")
    write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=4.0)), film)
    with home.ledger() as ledger:
        with ledger.session() as session:
            for clip, path in ((THERE, film), (GONE, tmp_path / "gone.mp4")):
                session.add(Video(id=clip, link=f"http://127.0.0.1:9/{path.stem}", local=False, path=str(path)))
                session.add(
                    SourceEntry(
                        id=clip, table_name="t", row=1, video_id=clip, caption="", label="drum", licence="",
                        outcome="ok", detail="",
                    )
                )  # fmt: skip
                session.flush()
                session.add(
                    ClipRow(
                        id=clip, video_id=clip, source_id=clip, start_us=0, end_us=3_000_000, band=Band.REVIEW,
                        policy="p", reasons=[], p_good=0.5, audit=False, scores={}, current=True, cut=None,
                    )
                )  # fmt: skip
        record(ledger, [THERE, GONE], Verdict.ACCEPT, reviewer="ada")
    return home


def test_a_clip_that_cannot_be_published_is_named_with_what_mends_it(home, capsys):
    # Its file is gone, so its link is asked again, which leads into this machine and is not followed.
    with prefect_server(home):
        summary = publish_curated(PublishParams(home=home.root))
        send_what_waits()
        with httpx.Client(base_url=running_server(home)) as api:
            left = {one["key"]: one for one in api.post("/artifacts/filter", json={}).json()}
    assert summary.clips == 1 and [(one.clip_id, one.outcome) for one in summary.dropped] == [
        (GONE, "address_not_public")
    ]
    assert GONE in left["left-out"]["data"] and "1 address_not_public" in left["left-out"]["description"]
    show_dropped(summary.dropped)
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first == f"left out: 1 accepted, address_not_public; mend: {summary.dropped[0].remedy}"
    assert second == f"  {GONE} 0.00-3.00 s of http://127.0.0.1:9/gone"
