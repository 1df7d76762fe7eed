"""Label Studio: the queue as its tasks, and its JSON export back as answers.

The format is the documented one: tasks of `data`, `predictions` and `annotations`, whose results name `from_name`,
`to_name` and `type`. Its importer knows people by a member's address only, so annotations do not say who made them: who
said what, when and exactly where is in `data.answers`, and what comes back unchanged is that row again. An annotation
that was made or changed there is an answer of who did it.
"""

import json
import uuid
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, VerdictRow
from curation.review.label_studio_results import CHOICE, LABEL_CONFIG, Said, choice, results, said
from curation.review.queue import Item, flagged
from curation.review.records import Record, record_of, sentence, take_in
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import DECIDING, Given, RejectReason, Role, Verdict, still_said
from shards.errors import BadInput
from shards.files import write_atomic

MODEL_VERSION, PAGE = "clapboard", "label studio"
Span = tuple[int, int]


def export_tasks(ledger: Ledger, path: Path, *, media: str = "") -> int:
    """Write the queue as Label Studio tasks, with what the policy predicts and what people answered; returns how many.

    Beside it goes `NAME.xml`, the labelling interface that the tasks are made for.
    """
    with ledger.session() as session:
        rows = list(session.scalars(select(VerdictRow).order_by(VerdictRow.id)))
        kept = {one.id for one in still_said([_given(row) for row in rows])}
        records = [record_of(row) for row in rows if row.id in kept and row.verdict in DECIDING]
    answers: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        answers.setdefault(record["clip_id"], []).append(record)
    items = flagged(ledger, waiting_only=False)
    tasks = [_task(item, answers.get(item.clip_id, []), media) for item in items]
    write_atomic(path, json.dumps(tasks, indent=1, ensure_ascii=False).encode())
    write_atomic(path.with_suffix(".xml"), LABEL_CONFIG.encode())
    return len(tasks)


def import_tasks(ledger: Ledger, path: Path, settings: ReviewSettings) -> tuple[int, int]:
    """Take in the annotations of a Label Studio JSON export, all or none; returns how many were new and how many were
    here already.

    Raises:
        BadInput: it is no such file, or a task names no clip of this ledger.
    """
    with ledger.session() as session:
        spans = {
            clip_id: (start, end)
            for clip_id, start, end in session.execute(select(ClipRow.id, ClipRow.start_us, ClipRow.end_us)).tuples()
        }
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        found = [one for task in tasks for one in _of_task(task, spans)]
    except (OSError, ValueError, ValidationError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path} is no JSON export of Label Studio: {sentence(error)}",
            remedy="export tasks as JSON, with `clip_id` in data",
        ) from error
    # Their numbers come from several places, and none of them takes back another.
    numbered = [one.model_copy(update={"id": at}) for at, one in enumerate(found, 1)]
    return take_in(ledger, numbered, settings)


def _task(item: Item, answers: list[dict[str, Any]], media: str) -> dict[str, Any]:
    video = f"{media.rstrip('/')}/{item.clip_id}.mp4" if media else f"{item.clip_id}.mp4"
    expected = Verdict.ACCEPT if item.p_good >= 0.5 else Verdict.REJECT
    span = item.start_us, item.end_us
    return {
        "data": {
            "video": video,
            "clip_id": item.clip_id,
            "label": item.label,
            "caption": item.caption,
            "licence": item.licence,
            "source": item.link,
            "why": [str(reason) for reason in item.reasons],
            "answers": answers,
        },
        "predictions": [
            {"model_version": MODEL_VERSION, "score": round(item.p_good, 4), "result": [choice(CHOICE, expected)]}
        ],
        "annotations": [_annotation(Record.model_validate(one), span) for one in answers],
    }


def _annotation(record: Record, span: Span) -> dict[str, Any]:
    """`id` comes back as `import_id`; an annotation that does not say otherwise is taken for ground truth."""
    return {
        "id": record.id,
        "ground_truth": False,
        "lead_time": record.seconds,
        "result": results(_said_by(record, span), name=record.known_by),
    }


def _of_task(task: dict[str, Any], spans: dict[str, Span]) -> list[Record]:
    clip_id = task["data"]["clip_id"]
    ours = {one["id"]: Record.model_validate(one) for one in task["data"].get("answers", ())}
    found = []
    for annotation in task.get("annotations", ()):
        what = None if annotation.get("was_cancelled") else said(annotation["result"])
        if what is None:
            continue
        # A file that was never there has our numbers as they are; there an annotation gets another, and who made it.
        number = annotation.get("import_id") if "completed_by" in annotation else annotation.get("id")
        own, span = ours.get(number), spans.get(clip_id, (0, 0))
        if own is not None and said(results(_said_by(own, span), name="")) == what:
            found.append(own)
        else:
            found.append(_made_there(clip_id, annotation, what, span))
    return found


def _said_by(record: Record, span: Span) -> Said:
    parts = None if record.parts is None else [(start - span[0], end - span[0]) for start, end in record.parts]
    return Said(record.verdict, record.reason, record.label, record.caption, parts, record.sound_late_us)


def _made_there(clip_id: str, annotation: dict[str, Any], what: Said, span: Span) -> Record:
    reviewer = _person(annotation.get("updated_by") or annotation.get("completed_by") or PAGE)
    name = annotation.get("unique_id") or annotation.get("id")
    length = span[1] - span[0]
    cut = [(span[0] + start, span[0] + min(end, length)) for start, end in what.parts or () if start < length]
    reason = (what.reason or RejectReason.BAD_QUALITY) if what.verdict is Verdict.REJECT else None
    return Record(
        id=0,
        clip_id=clip_id,
        reviewer=reviewer,
        verdict=what.verdict,
        reason=reason,
        # What it says is part of the name: one that is changed there and exported again is another answer.
        key=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{PAGE} {name} {clip_id} {reviewer} {what}")),
        label=what.label,
        caption=what.caption,
        parts=None if not cut or cut == [span] else tuple(cut),
        sound_late_us=what.sound_late_us,
        seconds=annotation.get("lead_time"),
        page=PAGE,
        at=annotation.get("updated_at") or annotation.get("created_at"),
    )


def _person(who: dict[str, Any] | int | str) -> str:
    """A member as an export names one: an object, or a number."""
    return who.get("email") or f"{PAGE} {who.get('id')}" if isinstance(who, dict) else str(who)


def _given(row: VerdictRow) -> Given:
    return Given(row.id, row.reviewer, Verdict(row.verdict), Role(row.role), row.undoes)
