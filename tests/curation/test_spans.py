"""Which part of its file a row means, where the file may have been cut already."""

import io
import json
import tarfile

import pytest
from sqlalchemy import func, select

from curation.accounting.explain import explain
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.ledger.tables import SourceEntry, Video, WindowRow
from curation.outcomes import Outcome
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.sources.spans import TAKEN_WHOLE, span_of
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video

TAR, FILM = "/data/a.tar!/x.mp4", "/data/x.mp4"


@pytest.mark.parametrize(
    ("link", "start_s", "end_s", "meant_s"),
    [
        (TAR, 30, 40, (0, 10)),
        (TAR, 30, 39.4, (0, 10)),
        (TAR, 3, 13, (0, 10)),
        (TAR, 300, 304, (0, 10)),
        (TAR, 1, 2, (1, 2)),
        (TAR, 0, 10, (0, 10)),
        (TAR, 0.5, 10.5, (0.5, 10)),
        (TAR, 8, 14, (8, 10)),
        (TAR, None, None, (0, 10)),
        (TAR, 4, None, (4, 10)),
        (TAR, 12, None, None),
        (FILM, 30, 40, None),
        (FILM, 3, 13, (3, 10)),
    ],
)
def test_a_span_of_what_a_member_was_cut_from_means_the_whole_member(link, start_s, end_s, meant_s):
    start_us, end_us = (None if at is None else round(at * 1e6) for at in (start_s, end_s))
    entry = SourceEntry(start_us=start_us, end_us=end_us)
    found = span_of(entry, Video(link=link, local=True, duration_us=10_000_000))
    assert found == (meant_s and tuple(round(at * 1e6) for at in meant_s))


def test_a_clip_that_was_cut_already_is_windowed_whole_and_that_is_told(empty_ledger, film, tmp_path):
    """The film lasts three seconds, less than a window, so windows are shorter here."""
    recipe = Recipe.model_validate({"clips": {"window_s": 1.0}})
    words = json.dumps({"start": 30.0, "end": 33.0, "caption": "a drum"}).encode()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(film, "x.mp4")
        info = tarfile.TarInfo("x.json")
        info.size = len(words)
        tar.addfile(info, io.BytesIO(words))
    register(empty_ledger, iter_sources([tmp_path / "a.tar"]))
    (video_id,) = videos_to_fetch(empty_ledger)
    assert fetch_video(empty_ledger, video_id, home=Home(tmp_path), settings=FetchSettings()) is Outcome.OK
    measure_video(empty_ledger, video_id, [], recipe=recipe)
    with empty_ledger.session() as session:
        first, last = session.execute(select(func.min(WindowRow.start_us), func.max(WindowRow.end_us))).one()
    assert first == 0 and last > 2_500_000
    (told,) = explain(empty_ledger, video_id)["rows"]
    assert (told["windows"]["outcome"], told["windows"]["detail"]) == (Outcome.OK, TAKEN_WHOLE)
