"""What is measured of one clip and of all its twins: scores, and what `clapboard curate` would decide.

The picture of a clip is decoded once for all twins that share it; of those only the sound is decoded, from their own
files.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from bench.natural.baseline import Moves, heard, moves, naive
from bench.natural.corpus import Filmed
from bench.natural.twins import FROZEN, RIGHT, Twin, made
from curation.clips import Span, clip_id, propose
from curation.decide.apply import PlacedWindow, judge_video
from curation.decide.merging import Judged, clips_of
from curation.decide.odds import probability
from curation.decide.policy import Band
from curation.media.analyse import analyse
from curation.media.failures import MediaFailure
from curation.media.look import look
from curation.media.shots import find_shots
from curation.media.timeline import Timeline, Window
from curation.scores.registry import build
from curation.settings.recipe import Recipe

GOAL_COLUMN = "p_in_sync"
"""The column that the goals are about."""

OFFSET, SURE, SURE_FROM = "offset_s", "offset_confidence", 0.6
"""The column that says how late the sound is, the one that says how sure that is, and from where on it counts."""

P_GOOD, POLICY, NAIVE = "P(good)", "policy", "naive"
"""No columns of a score: the policy's probability, that with what it rejects ranked below the rest, the baseline."""

TOO_SHORT = "too short"
MISPLACED = "its sound does not lie where it was put"
PLACED_S = 0.002


@dataclass(frozen=True, slots=True)
class Job:
    """One clip, its twins, the folder of their files, and the names of the scores."""

    clip: Filmed
    twins: Sequence[Twin]
    folder: Path
    scores: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What is found of one file.

    Attributes:
        clip: the corpus clip that it was made of; kind: what was done to it, "right" if nothing.
        late_s: how late its sound is made.
        outcome: "accept", "review" or "reject", "too short", or why it cannot be measured.
        take: each column's mean over the windows of the shot that has most; window: those of the middle one of these.
        reasons: of how many windows each band and first reason is what the policy says.
        sure_offset_s: the median offset of the windows of that shot that are sure; None if none is.
        moved_us: by how much the correction moves its sound.
    """

    clip: Filmed
    kind: str
    late_s: float
    outcome: str
    take: Mapping[str, float] = field(default_factory=dict)
    window: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    sure_offset_s: float | None = None
    moved_us: int = 0


def measure(job: Job) -> list[Found]:
    """The clip as it is and each of its twins; one that cannot be made or measured says why."""
    right = Twin(RIGHT, job.clip)
    try:
        line, seen = analyse(job.clip.path), moves(job.clip.path)
    except MediaFailure as failure:
        return [_lost(right, failure)]
    found = [_found(right, job.clip.path, line, seen, job.scores)]
    for twin in job.twins:
        try:
            path = made(twin, job.folder)
            if twin.kind == FROZEN:
                found.append(_found(twin, path, analyse(path), moves(path), job.scores))
            else:
                found.append(_sounding(twin, path, line, seen, job.scores))
        except MediaFailure as failure:
            found.append(_lost(twin, failure))
    return found


def with_sound_of(line: Timeline, path: Path) -> Timeline:
    """A film's curves with the sound of a file that shows the same picture: times count from either's first frame."""
    heard = analyse(path, thumbnails=False, pictures=False)
    return replace(line, waveform=heard.waveform, audio_start_us=heard.audio_start_us)


def late_by_s(line: Timeline, other: Timeline) -> float:
    """How much later the sound of one film lies in another that has it too: where the two waveforms agree best."""
    rate = line.rate_hz
    places = [round(one.audio_start_us * rate / 1e6) for one in (line, other)]
    size = 2 ** int(len(line.waveform) + len(other.waveform)).bit_length()
    one, moved = (np.fft.rfft(each.waveform, size) for each in (line, other))
    late = int(np.fft.irfft(moved * np.conj(one), size).argmax())
    return ((late if late < size // 2 else late - size) + places[1] - places[0]) / rate


def _sounding(twin: Twin, path: Path, line: Timeline, seen: Moves, scores: Sequence[str]) -> Found:
    """What is found of a twin with its clip's picture; a moved one is looked at first, whether it is moved so."""
    own = with_sound_of(line, path)
    if twin.late_s and abs(late_by_s(line, own) - twin.late_s) > PLACED_S:
        return Found(twin.clip, twin.kind, twin.late_s, MISPLACED)
    return _found(twin, path, own, seen, scores)


def _found(twin: Twin, path: Path, line: Timeline, seen: Moves, scores: Sequence[str]) -> Found:
    recipe = Recipe()
    shots = find_shots(line, recipe.shots)
    placed = _placed(twin.clip.name, line, shots, recipe)
    columns = _columns(placed, path, line, shots, scores)
    judged = judge_video([(one, "") for one in placed], columns, recipe.policy, line.duration_us)
    shot = _longest([one for one in judged if one.window_id in columns])
    sound = heard(path)
    take = _take(shot, columns, recipe) | {NAIVE: naive(seen, sound)}
    middle = shot[len(shot) // 2 : len(shot) // 2 + 1]
    window = _take(middle, columns, recipe)
    if middle:
        window[NAIVE] = naive(seen, sound, (middle[0].start_us, middle[0].end_us))
    sure = [columns[one.window_id][OFFSET] for one in shot if columns[one.window_id].get(SURE, 0.0) >= SURE_FROM]
    return Found(
        clip=twin.clip,
        kind=twin.kind,
        late_s=twin.late_s,
        outcome=_outcome(judged, recipe),
        take=take if shot else {},
        window=window,
        reasons=Counter(_said(one) for one in judged),
        sure_offset_s=float(np.median(sure)) if sure else None,
        moved_us=max((abs(one.sound_late_us) for one in judged), default=0),
    )


def _placed(video: str, line: Timeline, shots: Sequence[Span], recipe: Recipe) -> list[PlacedWindow]:
    """The windows that curation would propose of a whole video."""
    proposals = propose(
        shots,
        window_us=round(recipe.clips.window_s * 1e6),
        stride_us=round(recipe.clips.stride_s * 1e6),
        frame_us=line.frame_us,
        span_us=(0, line.duration_us),
    )
    return [
        PlacedWindow(clip_id(video, *span), video, video, one.shot, *span, one.crosses_cut)
        for one in proposals
        for span in [(one.start_us, one.end_us)]
    ]


def _columns(
    placed: Sequence[PlacedWindow], path: Path, line: Timeline, shots: Sequence[Span], scores: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The score columns of each window that no cut runs through, by its id, as curation measures them."""
    looker = partial(look, path)
    windows = {
        one.id: Window(line, one.start_us, one.end_us, look=looker, take_us=shots[one.shot])
        for one in placed
        if not one.crosses_cut
    }
    found: dict[str, dict[str, float]] = {key: {} for key in windows}
    for score in build(scores) if windows else ():
        for own, measured in zip(found.values(), score.score(list(windows.values())), strict=True):
            own.update(measured)
    return found


def _longest(judged: Sequence[Judged]) -> list[Judged]:
    """The windows of the shot that has most of them, in order."""
    by_shot = Counter(one.shot for one in judged)
    return [one for one in judged if one.shot == max(by_shot, key=lambda shot: by_shot[shot])]


def _take(shot: Sequence[Judged], columns: Mapping[str, dict[str, float]], recipe: Recipe) -> dict[str, float]:
    """Each column's mean over windows; what was measured of none of them is NaN."""
    rows = [
        columns[one.window_id]
        | {
            P_GOOD: probability(columns[one.window_id], recipe.policy),
            POLICY: one.decision.p_good - (one.decision.band is Band.REJECT),
        }
        for one in shot
    ]
    values = {
        name: np.array([row.get(name, np.nan) for row in rows]) for name in {name for row in rows for name in row}
    }
    return {
        name: float(np.nanmean(ones)) if not np.isnan(ones).all() else float("nan") for name, ones in values.items()
    }


def _outcome(judged: Sequence[Judged], recipe: Recipe) -> str:
    """The best band that any clip of a video reaches."""
    clips = clips_of(judged, recipe.policy, max_clip_us=round(recipe.clips.max_s * 1e6), audit_share=0.0)
    bands = {clip["band"] for clip in clips}
    if not judged:
        return TOO_SHORT
    return next((band.value for band in (Band.ACCEPT, Band.REVIEW) if band.value in bands), Band.REJECT.value)


def _said(one: Judged) -> str:
    """The band and the first reason of a window's decision."""
    return ": ".join([one.decision.band.value, *(reason.value for reason in one.decision.reasons[:1])])


def _lost(twin: Twin, failure: MediaFailure) -> Found:
    return Found(twin.clip, twin.kind, twin.late_s, f"{failure.outcome}: {failure.detail}")
