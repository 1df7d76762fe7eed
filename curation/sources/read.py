"""Read any mix of sources: tables, folders, files, tars, links, lists on sites, prefixes of object stores.

A new kind is a new file and a line here: by a file's ending in READERS, by how it begins in
BY_CONTENT, else in `_read`. Objects and files of this machine come in only where the operator named them: what lists
name is http(s), or lies where a table says.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path

from curation.fetch.governor import Governor
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome
from curation.sources.audioset import is_audioset, read_audioset
from curation.sources.base import Read, RowFault, SourceRow, is_web
from curation.sources.folder import leads_out, read_file, read_folder
from curation.sources.identity import without_fragment
from curation.sources.link_list import SUFFIXES as LISTS
from curation.sources.link_list import begins_as_list, read_link_list
from curation.sources.lists import PREFIX, is_list, read_list, read_prefix
from curation.sources.objects import is_object, read_objects
from curation.sources.parquet import read_parquet
from curation.sources.rows import columns_of
from curation.sources.selection import Selection
from curation.sources.settings import SourceSettings
from curation.sources.suffixes import SUFFIXES
from curation.sources.table import HEAD_CHARACTERS, header_of, read_csv, read_json, read_jsonl
from curation.sources.text import EndlessLine, open_text
from curation.sources.vggsound import is_vggsound, read_vggsound
from curation.sources.webdataset import read_webdataset
from shards.errors import BadInput

Reader = Callable[[Path, SourceSettings], Read]

READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".parquet": read_parquet,
    ".tar": read_webdataset,
}

BY_CONTENT: tuple[tuple[Callable[[str], bool], Reader], ...] = (
    (is_vggsound, read_vggsound),
    (is_audioset, read_audioset),
)
"""Lists of data sets look like tables without a header; they are known by their first lines."""


def iter_sources(
    sources: Sequence[str | Path],
    *,
    settings: SourceSettings | None = None,
    fetch: FetchSettings | None = None,
    governor: Governor | None = None,
) -> Read:
    """Read all sources in order, row by row; the first row of a span wins, later ones are faults.
    `fetch` says how lists on sites are asked for, `governor` how often.

    A source that is not there stops everything even when others are: it is a slip of the hand, best mended before an
    hour of fetching.

    Raises:
        BadInput: none is given, or one does not exist or cannot be read.
    """
    if not sources:
        raise BadInput("there is no source to curate", remedy="name a CSV or JSONL table, a folder, a file or a link")
    settings, fetch = settings or SourceSettings(), fetch or FetchSettings()
    wanted = Selection(settings)
    # Lists have millions of rows, so of each only two numbers are kept: what it is, and where it stood.
    seen: dict[int, int] = {}
    tables: list[str] = []
    for position, source in enumerate(sources, start=1):
        for read in _read(source, position, settings, fetch, governor):
            one = wanted(read) if isinstance(read, SourceRow) else read
            if one is None:
                continue
            if isinstance(one, RowFault):
                known = one.unwanted is not None and _key(one.unwanted) in seen
                # Another line, with another licence say, has brought the span in: the fault is this line's alone.
                yield replace(one, unwanted=None) if known else one
                continue
            if not tables or tables[-1] != one.table:
                tables.append(one.table)
            key, here = _key(one), len(tables) - 1 + (one.row << 24)
            first = seen.setdefault(key, here)
            if first == here:
                yield one
            else:
                detail = f"the same as {tables[first & 0xFFFFFF]}:{first >> 24}"
                yield RowFault(one.table, one.row, Outcome.DUPLICATE_ROW, detail)


def _key(row: SourceRow) -> int:
    return hash((row.source_id, row.start_us, row.end_us))


def is_path(source: str) -> bool:
    """Whether a source lies on this machine: what is no link and no list on a site is a path or a pattern."""
    text = source.strip()
    return not (is_list(text) or text.startswith(PREFIX) or "://" in text)


def is_there(source: str) -> bool:
    """Whether a path, or a pattern, names anything just now."""
    try:
        return bool(_paths(source))
    except BadInput:
        return False


def check_is_there(source: str) -> None:
    """A path must name something before anything else is begun; what links lead to is seen when they are read.

    Raises:
        BadInput: it is a path, or a pattern, and names nothing.
    """
    if is_path(source):
        _paths(source)


def _read(
    source: str | Path, position: int, settings: SourceSettings, fetch: FetchSettings, governor: Governor | None
) -> Read:
    text, most = str(source).strip(), settings.max_entries
    if is_list(text):
        yield from read_list(text, fetch, most=most, governor=governor)
    elif text.startswith(PREFIX):
        yield from read_prefix(text, fetch, most=most, governor=governor)
    elif is_object(text):
        yield from read_objects(text, most=most)
    elif "://" in text:
        yield _link_row(text, position)
    else:
        for path in _paths(source):
            if not Path(source).exists() and not settings.follow_links and (wrong := leads_out(path, _base(source))):
                yield RowFault(str(path), 0, wrong[0], f"{path}: {wrong[1]}")
                continue
            try:
                yield from _or_empty(_read_path(path, settings), path)
            except EndlessLine as error:
                yield RowFault(str(path), error.number, Outcome.BAD_LINE, str(error))
            except OSError as error:
                raise BadInput(f"{path} cannot be read: {error.strerror}", remedy="check its permissions") from error


def _paths(source: str | Path) -> list[Path]:
    """The file or folder itself, or what a pattern such as `shards/*.tar` matches."""
    if Path(source).exists():
        return [Path(source)]
    # `Path.glob` takes no absolute pattern.
    if found := sorted(glob(str(source))):  # noqa: PTH207
        return [Path(one) for one in found]
    raise BadInput(
        f"there is no file or folder {source}", remedy="check the path; links begin with http:// or https://"
    )


def _or_empty(read: Read, path: Path) -> Read:
    """What is read of a source; if that is nothing, one fault that says so."""
    first = next(read, None)
    if first is None:
        yield RowFault(str(path), 0, Outcome.FILE_MISSING, "it names no video")
        return
    yield first
    yield from read


def _read_path(path: Path, settings: SourceSettings) -> Read:
    if path.is_dir():
        return read_folder(path, settings)
    if not path.is_file():
        # A pipe would be waited for, or never end.
        return read_file(path)
    suffix = path.suffix.lower()
    reader = READERS.get(suffix)
    if reader is read_csv or suffix in LISTS or not (reader or suffix in SUFFIXES):
        reader = _text_reader(path, settings)
    return reader(path, settings) if reader else read_file(path)


def _text_reader(path: Path, settings: SourceSettings) -> Reader | None:
    """Who reads a text, by how it begins: it may be a table by another name; None if it is neither table nor list."""
    suffix = path.suffix.lower()
    with open_text(path) as text:
        head = text.read(HEAD_CHARACTERS)
    if known := next((each for knows, each in BY_CONTENT if knows(head)), None):
        return known
    if suffix in READERS:
        return READERS[suffix]
    names = columns_of(settings.columns)
    if header_of(head.splitlines(), names).leads(names):
        return read_csv
    return read_link_list if suffix in LISTS or begins_as_list(head) else None


def _base(pattern: str | Path) -> Path:
    """The folder that a pattern is about: all of it before the first part that is none of its own."""
    parts = Path(pattern).parts
    plain = next((at for at, part in enumerate(parts) if has_magic(part)), len(parts))
    return Path(*parts[:plain])


def _link_row(link: str, position: int) -> SourceRow | RowFault:
    if not is_web(link):
        return RowFault("links", position, Outcome.BAD_LINK, f"{link} is not http or https")
    return SourceRow(
        link=without_fragment(link),
        path=None,
        start_us=None,
        end_us=None,
        caption="",
        label="",
        licence="",
        table="links",
        row=position,
    )
