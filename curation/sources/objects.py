"""Prefixes of object stores as sources, through fsspec: every media file below one is a row with a link of its own."""

from pathlib import PurePosixPath

from curation.fetch.objects import STORES, is_object, store
from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, surrogates_escaped
from curation.sources.lists import folder_of
from curation.sources.suffixes import SUFFIXES

__all__ = ["STORES", "is_object", "read_objects"]


def read_objects(prefix: str, *, most: int) -> Read:
    """Media files below `s3://bucket/prefix`, in order of name; the name of its own folder is a file's label.

    Raises:
        Unavailable: the package for that store is not installed.
    """
    scheme = prefix.partition("://")[0]
    files, place = store(prefix)
    try:
        names = [place] if files.isfile(place) else sorted(files.find(place))
    except Exception as error:
        # Each store has its own errors: no such bucket, no rights, no network.
        yield RowFault(prefix, 0, Outcome.UNREACHABLE, f"{type(error).__name__}: {error}"[:300])
        return
    media = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if not media:
        yield RowFault(prefix, 0, Outcome.FILE_MISSING, "no media file lies below this prefix")
    if len(media) > most:
        detail = f"{len(media)} media files lie below it, where `sources.max_entries` is {most}"
        yield RowFault(prefix, 0, Outcome.TOO_LARGE, detail)
    for number, name in enumerate(media[:most], start=1):
        yield SourceRow(
            link=f"{scheme}://{name}",
            path=None,
            start_us=None,
            end_us=None,
            caption="",
            label=surrogates_escaped(folder_of(name, place)),
            licence="",
            table=prefix,
            row=number,
        )
