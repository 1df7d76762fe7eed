"""Previews of clips and the curves under them: made when they are asked for, kept beside the cuts.

A preview is cut as publication would cut it, so what a reviewer sees and hears is what is published; moving the sound
makes another cut, so that it is heard as exactly as it will be stored. Of those the newest are kept: one is made at
every touch of a key, and hardly any is asked for again.
"""

import json
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from curation.home.cutting import Span, cut_files, cut_span
from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, Video
from curation.media.failures import MediaFailure
from curation.media.sandbox import MediaWorkers
from curation.media.settings import CutSettings
from curation.review.curves import curves_of
from shards.files import write_atomic

REACH_US = 2_000_000
"""Further than this nobody moves a sound."""

MOVED_CAP_BYTES = 512 << 20
"""Previews with a moved sound take so much disk at most."""


class Media(Protocol):
    """Where the page's media comes from."""

    def preview(self, clip_id: str, *, sound_late_us: int | None = None) -> Path | None:
        """The mp4 of a clip, its sound moved by so much (None: as the policy decided); None if it cannot be made."""

    def curves(self, clip_id: str) -> dict[str, Any] | None:
        """What `curation.review.curves.curves_of` gives; None if the clip cannot be decoded."""


class CutMedia:
    """Previews of a home's clips, cut and decoded by confined workers."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        home: Home,
        settings: CutSettings,
        workers: MediaWorkers,
        moved_cap_bytes: int = MOVED_CAP_BYTES,
    ) -> None:
        self._ledger, self._home, self._settings, self._workers = ledger, home, settings, workers
        self._moved_cap_bytes = moved_cap_bytes
        # One at a time: a cut holds its frames in memory, and pages ask for the next while one is being made.
        self._one_at_a_time = Lock()

    def preview(self, clip_id: str, *, sound_late_us: int | None = None) -> Path | None:
        """The mp4 of a clip, cut when that was not done yet."""
        with self._ledger.session() as session:
            clip = session.get(ClipRow, clip_id)
            if clip is None:
                return None
            span = Span.of(clip)
        if sound_late_us is not None and sound_late_us != span.sound_late_us:
            return self._moved(Span(clip_id, max(-REACH_US, min(REACH_US, sound_late_us))))
        files = cut_files(self._home, span, self._settings)
        if not files.there:
            with self._one_at_a_time:
                cut_span(self._ledger, span, home=self._home, settings=self._settings, cutter=self._workers.cut)
        return files.mp4 if files.there else None

    def _moved(self, span: Span) -> Path | None:
        """The mp4 with its sound elsewhere, in a folder of its own that never grows beyond its cap."""
        path = self._home.cuts / f"{self._settings.digest()}-moved" / f"{span.name}.mp4"
        with self._one_at_a_time:
            if path.is_file():
                path.touch()
                return path
            with self._ledger.session() as session:
                clip = session.get_one(ClipRow, span.clip_id)
                source = Path(session.get_one(Video, clip.video_id).path or "")
                start_us, end_us = clip.start_us, clip.end_us
            late_us = span.sound_late_us
            try:
                made = self._workers.cut(
                    source, start_us=start_us, end_us=end_us, sound_offset_us=late_us, settings=self._settings
                )
            except MediaFailure:
                return None
            write_atomic(path, made.mp4)
            _drop_oldest(path.parent, self._moved_cap_bytes)
            return path

    def curves(self, clip_id: str) -> dict[str, Any] | None:
        """The curves of a clip's preview, kept beside it."""
        path = self.preview(clip_id)
        if path is None:
            return None
        kept = path.with_suffix(".curves.json")
        if not kept.is_file():
            try:
                line = self._workers.analyse(path, thumbnails=False)
            except MediaFailure:
                return None
            write_atomic(kept, json.dumps(curves_of(line)).encode())
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found


def _drop_oldest(folder: Path, cap_bytes: int) -> None:
    """Delete the files that were not used for longest until the rest is within the cap; the newest always stays."""
    files = sorted(((one.stat().st_mtime_ns, one.stat().st_size, one) for one in folder.glob("*.mp4")), reverse=True)
    total = 0
    for at, (_, size, path) in enumerate(files):
        total += size
        if at and total > cap_bytes:
            path.unlink(missing_ok=True)
