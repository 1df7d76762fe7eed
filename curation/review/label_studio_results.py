"""What one answer looks like among Label Studio's results, and what such results say."""

from dataclasses import dataclass
from typing import Any

from curation.review.media import REACH_US
from curation.verdicts.answers import RejectReason, Verdict

CHOICE, REASON, CLASS, CAPTION, PARTS, LATE = "verdict", "reason", "label", "caption", "parts", "sound_late_ms"
KEEP = "keep"
TICK_US = 10_000
"""A frame of its timeline. It counts frames of a rate that is set for all tasks, whatever the videos have."""

_CHOICES = "\n    ".join(f'<Choice value="{reason}"/>' for reason in RejectReason)
LABEL_CONFIG = f"""<View>
  <Video name="video" value="$video" frameRate="{1_000_000 // TICK_US}"/>
  <TimelineLabels name="{PARTS}" toName="video"><Label value="{KEEP}"/></TimelineLabels>
  <Choices name="{CHOICE}" toName="video" choice="single" required="true">
    <Choice value="accept"/>
    <Choice value="reject"/>
  </Choices>
  <Choices name="{REASON}" toName="video" choice="single" visibleWhen="choice-selected" whenTagName="{CHOICE}"
    whenChoiceValue="reject">
    {_CHOICES}
  </Choices>
  <Header value="The sound is late by so many milliseconds (early: less than 0)"/>
  <Number name="{LATE}" toName="video" min="{-REACH_US // 1000}" max="{REACH_US // 1000}"/>
  <Header value="Class and caption, where they are wrong"/>
  <TextArea name="{CLASS}" toName="video" maxSubmissions="1" editable="true"/>
  <TextArea name="{CAPTION}" toName="video" maxSubmissions="1" editable="true"/>
</View>
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What an annotation says. `parts` are spans in microseconds from the clip's start, None for the whole clip."""

    verdict: Verdict
    reason: RejectReason | None = None
    label: str | None = None
    caption: str | None = None
    parts: list[tuple[int, int]] | None = None
    sound_late_us: int | None = None


def results(what: Said, *, name: str) -> list[dict[str, Any]]:
    """An answer as results; times are as exact as the timeline's frames. `name` tells its regions from others."""
    found = [choice(CHOICE, what.verdict)]
    if what.reason:
        found.append(choice(REASON, what.reason))
    for field, text in ((CLASS, what.label), (CAPTION, what.caption)):
        if text:
            found.append(_result(field, "textarea", {"text": [text]}))
    if what.sound_late_us is not None:
        found.append(_result(LATE, "number", {"number": round(what.sound_late_us / 1000)}))
    for number, part in enumerate(what.parts or ()):
        # Frames count from 1, and the last one is in.
        start, end = (round(edge / TICK_US) for edge in part)
        value = {"ranges": [{"start": start + 1, "end": max(end, start + 1)}], "timelinelabels": [KEEP]}
        found.append(_result(PARTS, "timelinelabels", value) | {"id": f"{name}-{number}"})
    return found


def said(found: list[dict[str, Any]]) -> Said | None:
    """What results say; None if there is no verdict among them."""
    words: dict[str, str] = {}
    late_us, ranges = None, []
    for one in found:
        value, field = one["value"], one["from_name"]
        if field == LATE:
            late_us = round(value["number"] * 1000)
        elif field == PARTS:
            ranges += [((one["start"] - 1) * TICK_US, one["end"] * TICK_US) for one in value["ranges"]]
        elif told := value.get("choices") or value.get("text"):
            words[field] = told if isinstance(told, str) else str(told[0])
    if CHOICE not in words:
        return None
    reason = RejectReason(words[REASON]) if REASON in words else None
    return Said(Verdict(words[CHOICE]), reason, words.get(CLASS), words.get(CAPTION), _apart(ranges) or None, late_us)


def choice(name: str, value: str) -> dict[str, Any]:
    """One choice as a result."""
    return _result(name, "choices", {"choices": [str(value)]})


def _result(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "video", "type": kind, "value": value}


def _apart(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order; where two that were drawn by hand lap over, the second begins with the end of the first."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        begin = max(start, found[-1][1]) if found else max(start, 0)
        if begin < end:
            found.append((begin, end))
    return found
