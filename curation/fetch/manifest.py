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

HEAD_BYTES = 2048
"""Within so many bytes a manifest shows that it is one."""

_MARKS = (b"#EXTM3U", b"<MPD", b"<SmoothStreamingMedia", b"<manifest")
_REPEATS = re.compile(rb"""\s[rR]\s{0,9}=\s{0,9}["']\s{0,9}(\d{1,40})""")
_WIDTH = re.compile(rb"\$(?:Number|Time|Bandwidth)%0?(\d{1,40})d\$")
_CHOICES = (b"#EXT-X-STREAM-INF", b"#EXT-X-MEDIA:", b"<Representation", b"<QualityLevel", b"<AdaptationSet", b"<Period")
_PIECES = (b"#EXTINF", b"<SegmentURL", b"<S ", b"<c ", b"<S\n", b"<c\n", b"<S/", b"<c/")


class PageTooLarge(OSError):
    """A page that is no page any more."""


def check_page(data: bytes, *, head: bytes = b"") -> bytes:
    """A page as it is; a manifest only if it is of a size that videos have. `head` was read of it before.

    Raises:
        PageTooLarge: it is not.
    """
    text = head + data
    if not any(mark in text[:HEAD_BYTES] for mark in _MARKS):
        return data
    _check_manifest(text)
    return data


def _check_manifest(data: bytes) -> None:
    if len(data) > MANIFEST_BYTES:
        raise PageTooLarge(f"the manifest is larger than {MANIFEST_BYTES} bytes")
    if (choices := sum(map(data.count, _CHOICES))) > VARIANTS:
        raise PageTooLarge(f"the manifest offers {choices} variants")
    if any(len(width) > 2 for width in _WIDTH.findall(data)):
        raise PageTooLarge("the manifest's names are longer than any name")
    repeats = [found.lstrip(b"0") or b"0" for found in _REPEATS.findall(data)]
    if any(len(one) > _DIGITS for one in repeats):
        raise PageTooLarge("the manifest repeats a segment millions of times")
    if (pieces := sum(map(data.count, _PIECES)) + sum(map(int, repeats))) > SEGMENTS:
        raise PageTooLarge(f"the manifest names {pieces} segments")
