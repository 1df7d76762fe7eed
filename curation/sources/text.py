"""Text of strangers: its encoding by its mark, bytes that fit none kept as lone surrogates, no line without an end.

A lone surrogate costs the row it stands in (`rows.has_undecoded`) and no other.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

MARK = "\ufeff"
"""A byte order mark as a character: files that were put together have it in their middle too."""

MAX_LINE = 1 << 20
"""Most characters of a line [ours]: the longest caption is some thousand."""

MAX_SKIPPED = 64 * MAX_LINE
"""A line that is longer still ends the reading [ours]: a file of many gigabytes without a line break is no table."""

_UNDECODED = "clapboard.undecoded"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 first: in little-endian order its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class EndlessLine(ValueError):
    """A line that goes on and on; what lies behind it was not read."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} has more than {MAX_SKIPPED} characters; nothing behind it was read")
        self.number = number


def open_text(file: Path) -> TextIO:
    """A text file in UTF-8, or as its byte order mark says; its line ends stay as they are."""
    with file.open("rb") as start:
        encoding = _encoding(start.read(4))
    return file.open(encoding=encoding, errors=_errors(encoding), newline="")


def decode_text(data: bytes) -> str:
    """Bytes as text, by the same rules."""
    encoding = _encoding(data[:4])
    return data.decode(encoding, _errors(encoding))


def lines_of(text: TextIO) -> Iterator[str]:
    """Lines with their ends. One that is too long comes as its first `MAX_LINE` characters, without its end.

    Raises:
        EndlessLine: nor does it end soon after.
    """
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        skipped = 0
        rest = line
        while is_too_long(rest) and rest:
            rest = text.readline(MAX_LINE)
            skipped += len(rest)
            if skipped > MAX_SKIPPED:
                raise EndlessLine(number)
        yield line.removeprefix(MARK) if not is_too_long(line) else line


def is_too_long(line: str) -> bool:
    """Whether a line of `lines_of` is only the beginning of one."""
    return len(line) >= MAX_LINE and line[-1:] not in ("\n", "\r")


def _encoding(start: bytes) -> str:
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8")


def _errors(encoding: str) -> str:
    # Halves of a UTF-16 character are no single bytes, which is all that `surrogateescape` knows.
    return "surrogateescape" if encoding.startswith("utf-8") else _UNDECODED


def _as_surrogate(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_UNDECODED, _as_surrogate)
