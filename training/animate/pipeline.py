"""An adapter and its generator in diffusers' manner:

    pipeline = AudioImageToVideoPipeline.from_pretrained("RUN", backbone="Wan2.2-TI2V-5B-Diffusers").to("cuda")
    video = pipeline(image, "hammer.wav", prompt="a hammer strikes an anvil").frames[0]

The names of arguments are diffusers'; `audio` is as long as one likes, and so is the video. A saved folder holds the
adapter, a model card, and the generator's weights where only this machine has them: those that come with the package
and published ones are named.
"""

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shards.errors import BadInput, Unavailable
from shards.files import write_atomic
from training.adapter.files import DESCRIPTION, WEIGHTS, save_adapter
from training.animate.animator import Animator, Request
from training.animate.settings import SampleSettings, Scheduler
from training.animate.shipped import shipped_adapter
from training.backbones.drawn import SHIPPED
from training.backbones.published import FolderOfParts
from training.data.media import read_image, read_sound
from training.progress import Progress

Picture: TypeAlias = Image.Image | NDArray[np.uint8] | Path | str
Sound: TypeAlias = NDArray[np.floating[Any]] | torch.Tensor | Path | str

_FROZEN = "weights"
_MOST_SEED = 2**31


@dataclass
class AudioImageToVideoOutput:
    """`frames`: for each video a list of PIL images ("pil"), or (videos, frames, h, w, 3) in [0, 1] ("np")."""

    frames: list[list[Image.Image]] | NDArray[np.float32]


class AudioImageToVideoPipeline:
    """See the module; `from_pretrained` makes one."""

    def __init__(self, animator: Animator) -> None:
        self._animator, self._bar = animator, {"disable": False}

    @classmethod
    def from_pretrained(
        cls,
        adapter: str | Path | None = None,
        *,
        backbone: str | Path | None = None,
        device: str = "cpu",
        revision: str | None = None,
    ) -> "AudioImageToVideoPipeline":
        """Open an adapter on its generator.

        Args:
            adapter: a run's folder, an adapter's, a saved pipeline's, or "owner/name" on the hub; without one, the
                adapter that comes with the package, which knows drawn pictures.
            backbone: folder of the generator's weights in diffusers' layout; by default those of the saved folder, of
                the training, or of `clapboard weights fetch`.
            device: where it goes; `to` moves it.
            revision: of the hub's repository.

        Raises:
            BadInput: it is no adapter.
            Unavailable: weights, or the hub, are out of reach.
        """
        folder = shipped_adapter() if adapter is None else Path(adapter)
        if not folder.exists() and isinstance(adapter, str) and adapter.count("/") == 1:
            folder = _fetched(adapter, revision)
        own = folder / _FROZEN if (folder / DESCRIPTION).is_file() and (folder / _FROZEN).is_dir() else None
        return cls(Animator(folder, device=device, weights=Path(backbone) if backbone else own))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(self._animator.device)

    def to(self, device: str | torch.device) -> "AudioImageToVideoPipeline":
        """Move to a device; on a GPU the generator computes in bf16."""
        if str(device) != self._animator.device:
            self._animator.to(str(device))
        return self

    def enable_model_cpu_offload(self, device: str = "cuda") -> None:
        """Keep on the GPU only the part that computes: less memory, more time."""
        self.to(device)
        self._animator.offload = True

    def set_progress_bar_config(self, **settings: Any) -> None:
        """tqdm's settings, such as `disable=True`."""
        self._bar |= settings

    def __call__(
        self,
        image: Picture,
        audio: Sound,
        *,
        sampling_rate: int | None = None,
        prompt: str = "",
        negative_prompt: str = "",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        audio_guidance_scale: float = 2.0,
        scheduler: Scheduler | str = Scheduler.OWN,
        num_videos_per_prompt: int = 1,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        callback: Progress | None = None,
    ) -> AudioImageToVideoOutput:
        """Animate an image in time with a sound.

        Args:
            image: a file, a PIL image, or (h, w, 3) bytes; its centre is used.
            audio: a file, or samples (samples,) or (channels, samples) in [-1, 1] with their `sampling_rate`.
            sampling_rate: of samples.
            prompt, negative_prompt: what the video should show, and what not.
            num_inference_steps, guidance_scale: what the generator usually takes, unless given.
            audio_guidance_scale: how much the sound counts.
            scheduler: see `Scheduler`.
            num_videos_per_prompt: so many videos.
            generator: decides the noise; a list has one for each video. Without one it is another one each time.
            output_type: "pil" or "np".
            callback: called after each step with how many are done, of how many in this video, and a note. What it
                raises ends the call.

        Raises:
            BadInput: image, sound or a setting cannot be used.
            Unavailable: too little memory, or weights are missing.
        """
        if output_type not in ("pil", "np"):
            raise BadInput(f"there is no output {output_type!r}", remedy='"pil" or "np"')
        if scheduler not in set(Scheduler):
            raise BadInput(f"there is no scheduler {scheduler!r}", remedy=f"one of: {', '.join(Scheduler)}")
        waveform, rate_hz = _waveform(audio, sampling_rate)
        settings = SampleSettings(
            num_inference_steps,
            audio_guidance_scale,
            guidance_scale,
            negative=negative_prompt,
            scheduler=Scheduler(scheduler),
        )
        request = Request(_pixels(image, self._animator.backbone.size_px), waveform, rate_hz, prompt, settings)
        videos = [
            self._video(replace(request, settings=replace(settings, seed=seed)), callback)
            for seed in _seeds(generator, num_videos_per_prompt)
        ]
        if output_type == "np":
            return AudioImageToVideoOutput(np.stack(videos).astype(np.float32) / np.float32(255))
        return AudioImageToVideoOutput([[Image.fromarray(frame) for frame in frames] for frames in videos])

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write a folder that `from_pretrained` opens, on another machine too."""
        animator, place = self._animator, Path(folder)
        saved, frozen = animator.saved, animator.weights.resolve()
        only_here = not isinstance(animator.backbone, FolderOfParts) and frozen != SHIPPED.resolve()
        notes = saved.notes | {"backbone_weights": None, "weights": _FROZEN}
        if only_here and frozen != (place / _FROZEN).resolve():
            shutil.copytree(frozen, place / _FROZEN, dirs_exist_ok=True)
        write_atomic(place / "README.md", _card(animator).encode())
        save_adapter(place, saved.adapter.config, saved.adapter.state_dict(), notes=notes)
        return place

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
        """Save to a repository of the hub; returns its address.

        Raises:
            Unavailable: the hub is out of reach, or says no.
        """
        import tempfile

        from huggingface_hub import HfApi

        api = HfApi(token=token)
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.save_pretrained(folder)
                url = api.create_repo(repo_id, private=private, exist_ok=True)
                api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="Audio adapter")
        except _hub_errors() as error:
            why = next(iter(str(error).splitlines()), type(error).__name__)
            raise Unavailable(f"{repo_id} could not be pushed: {why}", remedy="sign in: `hf auth login`") from error
        return str(url)

    def _video(self, request: Request, callback: Progress | None) -> NDArray[np.uint8]:
        from tqdm.auto import tqdm

        with tqdm(**self._bar) as bar:
            return np.concatenate(list(self._animator.frames(request, progress=_shown_on(bar, callback))))

    def __repr__(self) -> str:
        return f"AudioImageToVideoPipeline({self._animator.name} on {self._animator.device}, {self._animator.folder})"


def _shown_on(bar: Any, callback: Progress | None) -> Progress:
    def advance(done: int, total: int, note: str) -> None:
        bar.total = total
        bar.set_description(note, refresh=False)
        bar.update(done - bar.n)
        if callback is not None:
            callback(done, total, note)

    return advance


def _pixels(image: Picture, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) of the backbone's size, upright, on white."""
    if isinstance(image, str | Path):
        return read_image(Path(image), size_px=size_px)
    try:
        made = image if isinstance(image, Image.Image) else Image.fromarray(image)
        upright = ImageOps.exif_transpose(made)
        stored = io.BytesIO()
        upright.convert("RGBA" if upright.has_transparency_data else "RGB").save(stored, "png", compress_level=1)
    except (TypeError, ValueError, AttributeError, OSError) as error:
        raise BadInput(f"this is no image: {error}", remedy="give a file, a PIL image, or (h, w, 3) bytes") from error
    return read_image(stored.getvalue(), size_px=size_px)


def _waveform(audio: Sound, sampling_rate: int | None) -> tuple[NDArray[np.float32], int]:
    """Mono samples and their rate."""
    if isinstance(audio, str | Path):
        return read_sound(Path(audio))
    if not sampling_rate or sampling_rate < 1:
        raise BadInput("samples without their rate", remedy="say it: sampling_rate=44100")
    samples = np.asarray(audio.detach().cpu() if isinstance(audio, torch.Tensor) else audio, dtype=np.float32)
    if samples.ndim == 2:
        # Of channels there are few.
        samples = samples.mean(axis=int(np.argmin(samples.shape)))
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise BadInput("this is no sound", remedy="give (samples,) or (channels, samples) of numbers in [-1, 1]")
    return samples, int(sampling_rate)


def _seeds(generator: torch.Generator | Sequence[torch.Generator] | None, count: int) -> list[int]:
    """A seed for each video, drawn from what the caller gave, as diffusers draws noise from it."""
    if count < 1:
        raise BadInput(f"{count} videos are none", remedy="ask for 1 or more")
    if isinstance(generator, Sequence):
        if len(generator) != count:
            raise BadInput(f"{len(generator)} generators for {count} videos", remedy="give one, or one for each video")
        return [_drawn(one) for one in generator]
    return [_drawn(generator) for _ in range(count)]


def _drawn(generator: torch.Generator | None) -> int:
    device = generator.device if generator is not None else None
    return int(torch.randint(_MOST_SEED, (1,), generator=generator, device=device).item())


def _fetched(repo_id: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(repo_id, revision=revision, allow_patterns=[DESCRIPTION, WEIGHTS, f"{_FROZEN}/*"])
        )
    except _hub_errors() as error:
        raise Unavailable(
            f"{repo_id} is neither a folder here nor to be had from the hub",
            remedy="check its name and the network, or name a folder",
        ) from error


def _hub_errors() -> tuple[type[Exception], ...]:
    """What says that the hub is out of reach, says no, or knows no such name."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # Its bases are OSError and what the HTTP client raises, which is another library from version to version.
    return *HfHubHTTPError.__bases__, HFValidationError


def _card(animator: Animator) -> str:
    """A model card."""
    saved, video = animator.saved, animator.backbone.video
    heard = ", ".join(dict.fromkeys(f"{row.encoder}/{row.layer}" for row in saved.adapter.config.rows))
    front = {"library_name": "clapboard", "pipeline_tag": "image-to-video", "tags": ["audio-to-video", "adapter"]}
    lines = [
        "---",
        *(f"{name}: {json.dumps(value)}" for name, value in front.items()),
        "---",
        f"# An audio adapter for {animator.name}",
        "",
        f"Animates an image in time with a sound: {video.frames} frames at {video.fps} a second at a time, any length "
        f"in segments. Trained parameters: {saved.adapter.config.parameters():,}. It listens to {heard}.",
        "",
        "```python",
        "from training.animate import AudioImageToVideoPipeline",
        "",
        'pipeline = AudioImageToVideoPipeline.from_pretrained("THIS FOLDER").to("cuda")',
        'frames = pipeline("image.png", "sound.wav", prompt="what the image shows").frames[0]',
        "```",
        "",
    ]
    return "\n".join(lines)
