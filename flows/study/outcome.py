"""What came of an arm: its films' strikes against those of their sounds, and how far films lie from true ones."""

import io

import numpy as np

from flows.study.arms import Arm
from flows.study.results import ArmResult
from flows.study.settings import StudySettings
from training.backbones.drawn import VIDEO
from training.evaluate.films import EvaluatedClip, Frames
from training.evaluate.metrics.frechet import FrechetMotion, FrechetPixels
from training.evaluate.sheets import Shown, sheet
from training.evaluate.strikes import Animated, animated, counted
from training.stages.result import StageResult

AUDIO_GUIDANCE = 2.0
PICTURED = 4


def measured(result: StageResult, arm: Arm, settings: StudySettings, seed: int) -> tuple[ArmResult, bytes]:
    """The outcome of a trained arm, and a picture of its first films (PNG)."""
    made = list(animated(result.run_dir, range(settings.evaluated), audio_guidance=AUDIO_GUIDANCE))
    counts = [counted(one.made, one.film.events_s, fps=VIDEO.fps) for one in made]
    total = sum(counts[1:], counts[0])
    outcome = ArmResult(
        arm=arm.name,
        group=arm.group,
        seed=seed,
        curated_share=arm.curated_share,
        run=f"{result.run_dir.parent.name}/{result.run_dir.name}",
        windows=result.clips_trained,
        f1=round(total.f1, 4),
        error_ms=round(1000 * float(np.median(np.abs(total.errors_s or (np.nan,)))), 1),
        frechet_motion=round(_distance(FrechetMotion(), made), 4),
        frechet_pixels=round(_distance(FrechetPixels(), made), 4),
        shift_gap=result.probe["shift_gap"],
        shift_gap_error=result.probe["shift_gap_error"],
        films=[(one.found, one.true, one.hits) for one in counts],
    )
    shown = [Shown(one.made, one.film.audio, one.film.events_s) for one in made[:PICTURED]]
    picture = io.BytesIO()
    sheet(shown, fps=VIDEO.fps).save(picture, format="PNG")
    return outcome, picture.getvalue()


def _distance(metric: FrechetMotion | FrechetPixels, made: list[Animated]) -> float:
    def summed(one: Animated, frames: Frames) -> object:
        clip = EvaluatedClip(
            name=one.scene,
            video_id=one.scene,
            frames=frames,
            fps=VIDEO.fps,
            waveform=one.film.audio,
            rate_hz=one.film.rate_hz,
        )
        return metric.summary(metric.features(clip))

    return float(metric.distance([summed(one, one.made) for one in made], [summed(one, one.true) for one in made]))  # type: ignore[misc]
