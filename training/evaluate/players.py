"""Who is evaluated: the truth itself, a folder of films, or a run that makes them.

A run's films are written and read again as any other's: what the codec loses is lost for all.
"""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from shards.errors import BadInput
from shards.files import sha256_of
from training.evaluate.films import ClipFormat, EvaluatedClip, Frames, read_film

LEAST_HEIGHT_PX = 128
"""Smaller films are written larger: some players cannot show them."""


class Player(Protocol):
    """Somebody whose films are evaluated; `key_of` changes when the film of a clip may have, or was never made."""

    name: str

    def key_of(self, clip: str) -> str:
        """Names the content of a clip's film; "" while there is none."""
        ...

    def frames(self, clip: EvaluatedClip, cut: ClipFormat) -> Frames:
        """The film made for a clip."""
        ...

    def film_of(self, clip: str) -> Path | None:
        """Where the film lies; None where it lies nowhere."""
        ...


class FolderPlayer:
    """Films `VIDEO_clip-N.mp4` in a folder, as the predecessor's generator leaves them."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise BadInput(f"there is no folder {folder}", remedy="name a folder of films, or a run")
        self.folder, self.name = folder, folder.name

    def key_of(self, clip: str) -> str:
        """Size and time of the file."""
        path = self.film_of(clip)
        return f"{path.stat().st_size} {path.stat().st_mtime_ns}" if path.is_file() else ""

    def film_of(self, clip: str) -> Path:
        """The clip's file; a class's folder in a name may also be a folder."""
        flat = self.folder / f"{clip}.mp4"
        return flat if flat.is_file() else self.folder / f"{clip.replace('__', '/')}.mp4"

    def frames(self, clip: EvaluatedClip, cut: ClipFormat) -> Frames:
        """The film's frames.

        Raises:
            BadInput: there is no film of this clip.
        """
        return read_film(self.film_of(clip.name), cut)


class RunPlayer:
    """A finished run: from each clip's first frame, sound and words it makes a film, once.

    Raises:
        BadInput: the folder holds no finished run.
    """

    def __init__(self, run: Path, films: Path, *, guidance: float = 2.0, seed: int = 0, device: str = "auto") -> None:
        from training.animate.animator import Animator
        from training.animate.settings import SampleSettings

        self._animator = Animator(run, device=device)
        self.name, self._films = run.name, films
        self._settings = SampleSettings(audio_guidance_scale=guidance, seed=seed)
        digests = "".join(sha256_of(path) for path in sorted(self._animator.folder.iterdir()) if path.is_file())
        self._key = f"{zlib.crc32(digests.encode()):08x} guidance {guidance:g} seed {seed}"

    @property
    def cut(self) -> ClipFormat:
        """What the backbone makes."""
        backbone = self._animator.backbone
        return ClipFormat(frames=backbone.video.frames, fps=backbone.video.fps, size_px=backbone.size_px)

    def key_of(self, clip: str) -> str:
        """Adapter and settings, once the film is there."""
        return self._key if self.film_of(clip).is_file() else ""

    def film_of(self, clip: str) -> Path:
        """The film, named by what made it."""
        return self._films / self._key.replace(" ", "-") / f"{clip}.mp4"

    def frames(self, clip: EvaluatedClip, cut: ClipFormat) -> Frames:
        """The film's frames; it is made if it is not there."""
        path = self.film_of(clip.name)
        if not path.is_file():
            self._make(clip, path)
        return read_film(path, cut)

    def _make(self, clip: EvaluatedClip, path: Path) -> None:
        from training.animate.animator import Request
        from training.data.media import fitted_sound

        backbone = self._animator.backbone
        request = Request(
            picture=_sized(clip.frames[0], backbone.size_px),
            waveform=fitted_sound(clip.waveform, start=0, count=round(backbone.video.duration_s * clip.rate_hz)),
            rate_hz=clip.rate_hz,
            caption=clip.caption,
            settings=replace(self._settings, seed=self._settings.seed + zlib.crc32(clip.name.encode())),
        )
        write_film(path, np.concatenate(list(self._animator.frames(request))), clip, fps=backbone.video.fps)


def write_film(path: Path, frames: Frames, clip: EvaluatedClip, *, fps: int) -> None:
    """Frames with a clip's sound, as MP4."""
    from training.data.mux import Track, write_video

    track = Track(clip.waveform[None], clip.rate_hz, "mono")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, [frames], fps=fps, track=track, height_px=max(frames.shape[1], LEAST_HEIGHT_PX))


def _sized(picture: Frames, size_px: tuple[int, int]) -> Frames:
    """(h, w, 3) a frame at another size."""
    if picture.shape[:2] == size_px:
        return picture
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize(size_px[::-1], Image.Resampling.BICUBIC))
