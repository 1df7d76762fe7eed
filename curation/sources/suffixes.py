"""Endings of files that hold picture and sound, and what a file's first bytes say where its ending is none of them."""

from curation.media.container import sniff

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".f4v", ".f4p", ".ismv", ".3gp", ".3gpp", ".3g2", ".3gp2"}
    | {".mkv", ".mk3d", ".webm", ".ogg", ".ogv", ".ogm", ".ogx", ".flv", ".avi", ".divx", ".xvid"}
    | {".ts", ".mts", ".m2ts", ".m2t", ".trp", ".tp", ".mod", ".tod"}
    | {".mpg", ".mpeg", ".mpe", ".mpv", ".m1v", ".m2v", ".m2p", ".vob", ".vro", ".evo"}
    | {".wmv", ".asf", ".dvr-ms", ".wm", ".rm", ".rmvb", ".mxf", ".dv", ".nut", ".wtv"}
)
"""In lower case. What a file of such a name really is, its first bytes say when its turn comes."""

UNFINISHED = frozenset({".part", ".crdownload", ".download", ".ytdl", ".tmp", ".partial", ".!qb", ".aria2"})
"""Endings that programs give to what they have not fetched whole."""

ARCHIVES = frozenset({".tar", ".tgz", ".gz", ".zst", ".bz2", ".xz", ".zip", ".7z", ".rar"})
"""Endings of what may hold films and is not looked into."""

_PICTURES = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx "})
"""Brands of still pictures in the container of MP4 (ISO 23008-12, "brands")."""


def begins_as_media(head: bytes) -> bool:
    """Whether a file that begins with `head` (`container.HEAD_BYTES` of it) is a container of moving pictures."""
    if head[4:8] == b"ftyp" and head[8:12] in _PICTURES:
        return False
    return sniff(head) is not None
