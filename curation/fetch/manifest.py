"""Manifests that stand for more than a video has: refused by what they say, before a parser makes it real.

A few hundred bytes of DASH can mean a hundred million segments. What is counted here are the ways that are known;
those that are not end at the memory and the time of the cage.
"""

import re

MANIFEST_BYTES = 8 << 20
"""Most bytes of a manifest: a day in segments of two seconds has half of that [ours]."""

SEGMENTS = 200_000
"""Most segments that a manifest may name: a day of half a second each [ours]."""

VARIANTS = 1_000
"""Most choices that a manifest may offer; large sites offer some hundred with all languages [ours]."""

_DIGITS = 6
"""A count of so many digits is more than `SEGMENTS`, a width of so many is no number's."""

_ROOTS = re.compile(rb"<(?:[\w.-]{1,99}:)?(?:MPD|SmoothStreamingMedia|manifest)\b", re.I)
_REPEATS = re.compile(rb"""\s[rR]\s{0,9}=\s{0,9}["']\s{0,9}(\d{1,40})""")
_WIDTH = re.compile(rb"\$(?:Number|Time|Bandwidth)%0?(\d{1,40})d\$")
_CHOICES = re.compile(
    rb"#EXT-X-STREAM-INF|#EXT-X-MEDIA:|<(?:[\w.-]{1,99}:)?(?:Representation|QualityLevel|AdaptationSet|Period)\b"
)
_PIECES = re.compile(rb"#EXTINF|<(?:[\w.-]{1,99}:)?(?:SegmentURL|S|c)[\s/>]")
_CHARACTERS = re.compile(rb"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));")
_WIDE = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
"""How XML begins whose characters have two bytes each, with and without a mark (XML 1.0, appendix F)."""


class PageTooLarge(OSError):
    """A page that is no page any more."""


def check_page(data: bytes, *, head: bytes = b"") -> bytes:
    """A page as it is; a manifest only if it is of a size that videos have. `head` was read of it before.

    Raises:
        PageTooLarge: it is not.
    """
    text = _narrow(head + data)
    if _ROOTS.search(text):
        # As a parser will read it, with the characters that are written as numbers in their place.
        _check_manifest(_CHARACTERS.sub(_character, text))
    elif text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"#EXTM3U"):
        _check_manifest(text)
    return data


def _narrow(text: bytes) -> bytes:
    """XML whose characters have two bytes each in UTF-8; anything else as it is."""
    wide = next((name for mark, name in _WIDE if text.startswith(mark)), None)
    return text.decode(wide, "replace").encode() if wide else text


def _character(found: re.Match[bytes]) -> bytes:
    number = int(found[1], 16) if found[1] else int(found[2])
    return bytes([number]) if 0 < number < 128 else found[0]


def _check_manifest(data: bytes) -> None:
    if len(data) > MANIFEST_BYTES:
        raise PageTooLarge(f"the manifest is larger than {MANIFEST_BYTES} bytes")
    if b"<!ENTITY" in data:
        raise PageTooLarge("the manifest declares words that stand for others")
    if (choices := _count(_CHOICES, data)) > VARIANTS:
        raise PageTooLarge(f"the manifest offers {choices} variants")
    if any(len(width) > 2 for width in _WIDTH.findall(data)):
        raise PageTooLarge("the manifest's names are longer than any name")
    repeats = [found.lstrip(b"0") or b"0" for found in _REPEATS.findall(data)]
    if any(len(one) > _DIGITS for one in repeats):
        raise PageTooLarge("the manifest repeats a segment millions of times")
    if (pieces := _count(_PIECES, data) + sum(map(int, repeats))) > SEGMENTS:
        raise PageTooLarge(f"the manifest names {pieces} segments")


def _count(pattern: re.Pattern[bytes], data: bytes) -> int:
    return sum(1 for _ in pattern.finditer(data))
