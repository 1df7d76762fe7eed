"""What the tests of the ground floor share: clips without pictures."""

from shards.schema import Blob, ClipRecord, Sample


def sample(number: int, *, size: int | None = None, **changes) -> Sample:
    record = ClipRecord(
        key=f"{number:04x}",
        video_id=changes.pop("video_id", "v"),
        link=changes.pop("link", "http://example.org/v.mp4"),
        video_sha256="0" * 64,
        licence=changes.pop("licence", "CC0-1.0"),
        start_us=0,
        end_us=3_000_000,
        caption=changes.pop("caption", "a drum"),
        label=changes.pop("label", "drum"),
        frames=72,
        width_px=64,
        height_px=64,
        rate_hz=44_100,
        band="accept",
        reasons=("random_audit",),
        p_good=0.9,
        scores={"sync": 0.5 + number / 100} | changes.pop("scores", {}),
        **changes,
    )
    mp4 = bytes([number % 256]) * (700 + 13 * number if size is None else size)
    return Sample(record, mp4=Blob.of(mp4), flac=Blob.of(b"fLaC" + bytes([number % 256]) * 99))
