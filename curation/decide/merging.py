"""From one video's decided windows to its clips: neighbours of one band and shot merged, the best kept."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.clips import Span, clip_id, merge
from curation.decide.policy import Band, Decision, Policy
from curation.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Judged:
    """A window with its score columns, what the policy says about it, and how late its sound is if that is mended."""

    window_id: str
    video_id: str
    source_id: str
    shot: int
    start_us: int
    end_us: int
    columns: dict[str, float]
    decision: Decision
    sound_late_us: int = 0


@dataclass(frozen=True, slots=True)
class _Merged:
    span: Span
    band: Band
    windows: tuple[Judged, ...]

    @property
    def worst(self) -> Judged:
        """The window that the clip's quality is judged by."""
        return min(self.windows, key=lambda one: one.decision.p_good)


def clips_of(
    judged: Sequence[Judged], policy: Policy, *, max_clip_us: int, audit_share: float, most: int = 0
) -> list[dict[str, Any]]:
    """One video's clips as rows of the ledger: accepted windows merged, then those for review that are still free.

    What an accepted clip already covers in part is not asked about: the reviewer's minute is the scarcest resource.
    `most` keeps the clips of each band with the highest P(good); 0 keeps all.
    """
    accepted = _best(_merged(judged, Band.ACCEPT, (), max_clip_us), most)
    review = _best(_merged(judged, Band.REVIEW, sorted(one.span for one in accepted), max_clip_us), most)
    digest = policy.digest()
    return [_row(one, digest, audit_share) for one in (*accepted, *review)]


def in_audit(clip: str, share: float) -> bool:
    """Whether a clip belongs to the random share, as a pure function of its id."""
    return int(clip[:8], 16) / 0x1_0000_0000 < share


def _merged(judged: Sequence[Judged], band: Band, taken: Sequence[Span], max_clip_us: int) -> list[_Merged]:
    # What is mended and what is not cannot be one clip, since a clip's sound is moved as a whole.
    alike: dict[tuple[int, int], list[Judged]] = defaultdict(list)
    for one in judged:
        if one.decision.band is band and _free(one, taken):
            alike[one.shot, one.sound_late_us].append(one)
    found = []
    for ones in alike.values():
        ones.sort(key=lambda one: (one.start_us, one.end_us))
        starts = [one.start_us for one in ones]
        longest = max(one.end_us - one.start_us for one in ones)
        for start, end in merge([(one.start_us, one.end_us) for one in ones], max_us=max_clip_us):
            # Windows are short, so only those that start a little before the span can reach into it.
            near = ones[bisect_left(starts, start - longest) : bisect_left(starts, end)]
            found.append(_Merged((start, end), band, tuple(one for one in near if one.end_us > start)))
    return found


def _free(one: Judged, taken: Sequence[Span]) -> bool:
    """Whether no span of `taken`, sorted and disjoint, overlaps the window."""
    before = bisect_right(taken, (one.end_us, -1)) - 1
    return before < 0 or taken[before][1] <= one.start_us


def _best(found: list[_Merged], most: int) -> list[_Merged]:
    if not most or len(found) <= most:
        return found
    kept = sorted(found, key=lambda one: (-one.worst.decision.p_good, one.span))[:most]
    return sorted(kept, key=lambda one: one.span)


def _row(one: _Merged, policy_digest: str, audit_share: float) -> dict[str, Any]:
    worst = one.worst
    start, end = one.span
    key = clip_id(worst.video_id, start, end)
    return {
        "id": key,
        "video_id": worst.video_id,
        "source_id": worst.source_id,
        "start_us": start,
        "end_us": end,
        "band": one.band.value,
        "reasons": sorted({Outcome(reason) for each in one.windows for reason in each.decision.reasons}),
        "p_good": worst.decision.p_good,
        "scores": {name: value for name, value in worst.columns.items() if value == value},
        "policy": policy_digest,
        "sound_late_us": worst.sound_late_us,
        "audit": one.band is Band.ACCEPT and in_audit(key, audit_share),
        "current": True,
        "cut": None,
        "duplicate_of": None,
    }
