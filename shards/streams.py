"""In which order the tracks of a file are taken: the one its maker made the default first, as players do."""

from typing import Any


def by_preference(streams: Any, kind: str) -> list[Any]:
    """The tracks of a kind ("video", "audio") of PyAV's streams, the best first; pictures that are covers left out.

    The default ones go first, then those that are no extra (a comment, a description for the blind), then the largest
    picture, then the first. [libav's av_find_best_stream, which asks for bit rates where we ask for size]
    """
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    extras = (
        Disposition.comment | Disposition.lyrics | Disposition.karaoke | Disposition.hearing_impaired
        | Disposition.visual_impaired | Disposition.clean_effects | Disposition.non_diegetic
        | Disposition.descriptions | Disposition.dependent
    )  # fmt: skip

    def rank(stream: Any) -> tuple[bool, bool, int, int]:
        asked = stream.disposition
        return not asked & Disposition.default, bool(asked & extras), -_pixels(stream), stream.index

    found = [one for one in getattr(streams, kind) if kind != "video" or not one.disposition & covers]
    return sorted(found, key=rank)


def _pixels(stream: Any) -> int:
    context = stream.codec_context
    return context.width * context.height if stream.type == "video" and context is not None else 0
