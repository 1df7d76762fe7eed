"""From one video's decided windows to its clips: neighbours of one band and shot merged, the best kept."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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
    def key(self) -> str:
        return clip_id(self.windows[0].video_id, *self.span)

    @property
    def inside(self) -> list[Judged]:
        """Its windows that no end of it cuts through."""
        start, end = self.span
        return [one for one in self.windows if one.start_us >= start and one.end_us <= end]

    @property
    def worst(self) -> Judged:
        """The window that the clip's quality is judged by."""
        return min(self.windows, key=lambda one: one.decision.p_good)


def clips_of(
    judged: Sequence[Judged],
    policy: Policy,
    *,
    max_clip_us: int,
    audit_share: float,
    most: int = 0,
    answered: Mapping[str, Span] | None = None,
) -> list[dict[str, Any]]:
    """One video's clips as rows of the ledger: accepted windows merged, then those for review that are still free.

    What an accepted clip already covers in part is not asked about, nor what people answered before under whatever
    policy: the reviewer's minute is the scarcest resource. What is accepted depends on the policy alone.

    Args:
        judged: the windows of one video.
        policy: what decided them.
        max_clip_us: longest clip.
        audit_share: of the accepted clips that nobody looked at, to be reviewed too.
        most: keep the clips of each band with the highest P(good); 0 keeps all.
        answered: spans of the clips that people answered, by clip id.
    """
    answered = answered or {}
    looked_at = _apart(answered.values())
    accepted = _best(_merged(judged, Band.ACCEPT, (), max_clip_us), most)
    covered = _apart(one.span for one in accepted)
    review = _best(_merged(judged, Band.REVIEW, covered, max_clip_us), most)
    digest = policy.digest()
    return [
        _row(one, digest, audit=in_audit(one.key, audit_share) and (one.key in answered or _free(one.span, looked_at)))
        for one in accepted
    ] + [_row(one, digest, audit=False) for one in _unasked(review, answered, looked_at, max_clip_us)]


def in_audit(clip: str, share: float) -> bool:
    """Whether a clip belongs to the random share, as a pure function of its id."""
    return int(clip[:8], 16) / 0x1_0000_0000 < share


def _merged(judged: Sequence[Judged], band: Band, taken: Sequence[Span], max_clip_us: int) -> list[_Merged]:
    # What is mended and what is not cannot be one clip, since a clip's sound is moved as a whole.
    alike: dict[tuple[int, int], list[Judged]] = defaultdict(list)
    for one in judged:
        if one.decision.band is band and _free((one.start_us, one.end_us), taken):
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


def _unasked(
    found: Sequence[_Merged], answered: Collection[str], looked_at: Sequence[Span], max_clip_us: int
) -> list[_Merged]:
    """Clips of which nothing was looked at, and of the others what is left.

    Each clip is narrowed within itself, so that an answer changes nothing but the clip that it is on.
    """
    rest = []
    for one in found:
        if one.key in answered or _free(one.span, looked_at):
            rest.append(one)
        else:
            rest += _merged(one.inside, one.band, looked_at, max_clip_us)
    return rest


def _apart(spans: Iterable[Span]) -> list[Span]:
    """The same time as sorted spans that do not overlap."""
    apart: list[Span] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _free(span: Span, taken: Sequence[Span]) -> bool:
    """Whether no span of `taken`, sorted and apart, overlaps this one."""
    before = bisect_right(taken, (span[1], -1)) - 1
    return before < 0 or taken[before][1] <= span[0]


def _best(found: list[_Merged], most: int) -> list[_Merged]:
    if not most or len(found) <= most:
        return found
    kept = sorted(found, key=lambda one: (-one.worst.decision.p_good, one.span))[:most]
    return sorted(kept, key=lambda one: one.span)


def _row(one: _Merged, policy_digest: str, *, audit: bool) -> dict[str, Any]:
    worst = one.worst
    start, end = one.span
    return {
        "id": one.key,
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
        "audit": audit,
        "current": True,
        "cut": None,
        "duplicate_of": None,
    }
