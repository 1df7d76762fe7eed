"""From an image file and a sound file to an MP4, with the very sound in it and a record beside it."""

import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from training.animate.animator import Animator, Request
from training.animate.memory import memory_told
from training.animate.record import asked, write_record
from training.animate.sample import LEAST_HEIGHT_PX
from training.animate.segments import MotionMeter, joint_jumps
from training.animate.settings import SampleSettings
from training.data.media import read_image, read_sound
from training.data.mux import Track, read_track, write_video
from training.progress import Progress


@dataclass(frozen=True, slots=True)
class Job:
    """One video to make: PNG or JPEG, a file with sound, where the MP4 goes, what the image shows, how to sample."""

    image: Path
    sound: Path
    out: Path
    caption: str = ""
    settings: SampleSettings = field(default_factory=SampleSettings)


@dataclass(frozen=True, slots=True)
class Made:
    """A video that was made.

    Attributes:
        out, record: the MP4, and the JSON beside it.
        fps: frames a second.
        changes: see `MotionMeter.changes`.
        jumps: see `joint_jumps`.
    """

    out: Path
    record: Path
    fps: int
    changes: list[float]
    jumps: list[float]


def animate(
    run: Path,
    *,
    image: Path,
    sound: Path,
    out: Path,
    caption: str = "",
    settings: SampleSettings | None = None,
    device: str = "auto",
) -> Path:
    """Animate an image in time with a sound, however long; returns `out`, an MP4 with that very sound.

    Args:
        run: a finished run's folder, or its adapter's.
        image: PNG or JPEG; its centre is used.
        sound: WAV, FLAC, MP3 or a video; the video is as long.
        out: where the video goes; a record of all settings goes beside it.
        caption: what is in the image; the training captions' words help.
        settings: see `SampleSettings`.
        device: where all of it runs; "auto" takes a GPU where there is one.

    Raises:
        BadInput: image, sound or run cannot be used.
        Unavailable: weights or memory are missing.
        TrainingError: the video could not be written.
    """
    job = Job(image, sound, out, caption, settings or SampleSettings())
    return make_video(Animator(run, device=device), job).out


def read_job(animator: Animator, job: Job) -> tuple[Request, Track]:
    """A job's files, read; the track is the request's sound with all its channels.

    Raises:
        BadInput: one of them cannot be used.
    """
    with memory_told(animator.device):
        picture = read_image(job.image, size_px=animator.backbone.size_px)
        waveform, rate_hz = read_sound(job.sound)
        return Request(picture, waveform, rate_hz, job.caption, job.settings), read_track(job.sound)


def make_video(animator: Animator, job: Job, *, progress: Progress | None = None) -> Made:
    """Make one video; see `animate`."""
    began = time.monotonic()
    request, track = read_job(animator, job)
    plan, meter, fps = animator.plan(request), MotionMeter(), animator.backbone.video.fps
    facts = asked(animator, image=job.image, sound=job.sound, caption=job.caption, settings=job.settings)
    blocks = meter.through(animator.frames(request, progress=progress))
    # The first block before the file: what cannot be made leaves none behind.
    first = next(blocks)
    write_video(job.out, chain([first], blocks), fps=fps, track=track, height_px=LEAST_HEIGHT_PX)
    joints = plan.joints()
    jumps = joint_jumps(meter.changes, joints)
    found = {
        "image": str(job.image),
        "sound": str(job.sound),
        "adapter": str(animator.folder),
        "video": {
            "frames": plan.frames, "fps": fps, "seconds": round(track.duration_s, 6),
            "size_px": list(animator.backbone.size_px), "segments": len(plan.segments()),
        },
        "joints": [
            {"at_s": round(joint.start / fps, 3), "change_of_usual": round(jump, 3)}
            for joint, jump in zip(joints, jumps, strict=True)
        ],
        "device": animator.device,
        "made_in_s": round(time.monotonic() - began, 2),
    }  # fmt: skip
    return Made(job.out, write_record(job.out, facts, found), fps, meter.changes, jumps)
