"""Settings of the analysis and of the cut: models of the recipe."""

import hashlib

from pydantic import BaseModel, ConfigDict, Field

CUTTER_VERSION = 8
"""Goes up whenever the cutter, or what is noted about its files, changes: what was cut before is then cut anew."""

SHOTS_VERSION = 5
"""Goes up whenever the same file and settings give other times, curves or shots: videos are then measured anew."""


class AnalysisSettings(BaseModel):
    """What one decode pass yields, and what it refuses to decode."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    thumb_hz: float = Field(
        default=4.0, gt=0, description="thumbnails a second, where a score needs them; fewer in videos of hours"
    )
    thumb_px: int = Field(default=112, ge=16, description="height of a thumbnail")
    rate_hz: int = Field(default=16_000, ge=8_000, description="sample rate of the mono waveform")
    max_pixels: int = Field(default=4096 * 4096, ge=1, description="refuse larger pictures before decoding")
    max_duration_s: float = Field(default=4 * 3600, gt=0, description="refuse longer videos before decoding")
    max_fps: float = Field(default=480.0, gt=0, description="refuse pictures at a higher rate")
    max_tracks: int = Field(default=64, ge=2, description="refuse files with more tracks")
    max_channels: int = Field(default=24, ge=1, description="refuse sound of more channels")
    max_sound_hz: int = Field(default=384_000, ge=8_000, description="refuse sound at a higher rate")


class ShotSettings(BaseModel):
    """When a frame begins a new shot: what comes after it is unlike what was before, and stays so.

    Unlikeness is of the structure of two pictures, whatever their light: 0 is the same scene, 1 has nothing in common.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unlike: float = Field(
        default=0.17, ge=0, le=2, description="how unlike nearly all pictures after a cut must be to those before it"
    )
    reach_s: float = Field(
        default=0.6,
        gt=0,
        description="how far they are compared: what is gone again within it, such as a flash, is no cut",
    )
    stands_out: float = Field(
        default=2.0, ge=1, description="how many times what camera and actors do around it a cut must be"
    )
    colour_change: float = Field(
        default=0.05, ge=0, le=1, description="least distance of its colour histogram to the frame before"
    )
    motion: float = Field(default=0.03, ge=0, le=1, description="least mean luma difference to the frame before")
    dissolve_unlike: float = Field(
        default=0.3, ge=0, le=2, description="how unlike the pictures must be between which a dissolve is looked for"
    )
    dissolve_s: float = Field(default=1.5, ge=0, description="longest dissolve that is looked for; 0 looks for none")
    black: float = Field(default=0.078, ge=0, le=1, description="mean luma below which a picture is black")


class SandboxSettings(BaseModel):
    """What a process that decodes untrusted files may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(default=0, ge=0, description="processes that decode and cut; 0 takes one a core")
    memory_gib: float = Field(default=4.0, gt=0.5, description="address space of a worker")
    deadline_s: float = Field(default=900.0, gt=0, description="longest time for one video or clip")
    cpu_s: float = Field(default=900.0, gt=0, description="most processor time for one video or clip")
    file_gib: float = Field(default=1.0, gt=0, description="largest file a worker may write while it cuts")
    jobs_per_worker: int = Field(default=500, ge=1, description="a worker is replaced after so many jobs")


class CutSettings(BaseModel):
    """How published clips are encoded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crf: int = Field(default=18, ge=0, le=51, description="x264 quality; lower is better and larger")
    preset: str = Field(default="veryfast", description="x264 preset")
    audio_bit_rate: int = Field(
        default=192_000, ge=32_000, description="AAC bits a second; the exact sound is in the FLAC"
    )
    keyframe_every: int = Field(default=12, ge=1, description="frames between keyframes")

    def digest(self) -> str:
        """A short name for just these settings; cut files lie in a folder of this name."""
        return hashlib.sha256(f"{CUTTER_VERSION}{self.model_dump_json()}".encode()).hexdigest()[:12]
