"""Answers out of and into the ledger: CSV and parquet tables, and Label Studio's tasks both ways.

Tables carry every row with its key, so that what comes in twice counts once. Label Studio's format is the documented
one: a list of tasks with `data`, `predictions` and `annotations`, whose results name `from_name`, `to_name` and `type`.
"""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select

from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, VerdictRow
from curation.review.answers import Answer, Edits, answer
from curation.review.queue import Item, flagged
from curation.review.settings import ReviewSettings
from curation.review.verdicts import DECIDING, Given, RejectReason, Role, Verdict, still_said
from shards.errors import BadInput
from shards.files import write_atomic

COLUMNS = (
    "id", "clip_id", "reviewer", "verdict", "reason", "role", "undoes", "key", "label", "caption", "parts",
    "sound_late_us", "seconds", "page", "at",
)  # fmt: skip
MODEL_VERSION = "clapboard"
CHOICE, REASON, CLASS, CAPTION = "verdict", "reason", "label", "caption"
LABEL_CONFIG = """<View>
  <Video name="video" value="$video"/>
  <Choices name="verdict" toName="video" required="true"><Choice value="accept"/><Choice value="reject"/></Choices>
  <Choices name="reason" toName="video" visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="reject">
    {reasons}
  </Choices>
  <TextArea name="label" toName="video" maxSubmissions="1" editable="true"/>
  <TextArea name="caption" toName="video" maxSubmissions="1" editable="true"/>
</View>
"""


def export_answers(ledger: Ledger, path: Path) -> int:
    """Write every answer as a row of a CSV or parquet table, undone ones too; returns how many.

    Raises:
        BadInput: the name ends in neither.
    """
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    with ledger.session() as session:
        rows = [
            {name: getattr(row, name) for name in COLUMNS}
            | {"parts": json.dumps(row.parts) if row.parts else None, "at": row.at.isoformat()}
            for row in session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        ]
    text, whole = pa.string(), pa.int64()
    kinds = {"id": whole, "undoes": whole, "sound_late_us": whole, "seconds": pa.float64()}
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, kinds.get(name, text)) for name in COLUMNS]))
    sink = pa.BufferOutputStream()
    if _kind(path) == ".csv":
        pc.write_csv(table, sink)
    else:
        pq.write_table(table, sink)
    write_atomic(path, sink.getvalue().to_pybytes())
    return len(rows)


def import_answers(ledger: Ledger, path: Path, settings: ReviewSettings) -> tuple[int, int]:
    """Take in the answers of a table that stand; returns how many were new, and how many were here already.

    Raises:
        BadInput: the file is no such table, or names clips that the ledger does not hold.
    """
    rows = _read_rows(path)
    taken_back = {row.undoes for row in rows if row.verdict is Verdict.UNDO}
    standing = [row for row in rows if row.verdict is not Verdict.UNDO and row.id not in taken_back]
    return _take_in(ledger, [_as_answer(row) for row in standing], settings)


def export_tasks(ledger: Ledger, path: Path, *, media: str = "") -> int:
    """Write the queue as Label Studio tasks, with what the policy predicts and what people answered; returns how many.

    Beside it goes `NAME.xml`, the labelling interface that the tasks are made for.
    """
    with ledger.session() as session:
        rows = list(session.scalars(select(VerdictRow).order_by(VerdictRow.id)))
        kept = {one.id for one in still_said([_given(row) for row in rows])}
        session.expunge_all()
    answers: dict[str, list[VerdictRow]] = {}
    for row in rows:
        if row.id in kept and row.verdict in DECIDING:
            answers.setdefault(row.clip_id, []).append(row)
    items = flagged(ledger, waiting_only=False)
    tasks = [_task(item, answers.get(item.clip_id, []), media) for item in items]
    write_atomic(path, json.dumps(tasks, indent=1, ensure_ascii=False).encode())
    choices = "\n    ".join(f'<Choice value="{reason}"/>' for reason in RejectReason)
    write_atomic(path.with_suffix(".xml"), LABEL_CONFIG.format(reasons=choices).encode())
    return len(tasks)


def import_tasks(ledger: Ledger, path: Path, settings: ReviewSettings) -> tuple[int, int]:
    """Take in the annotations of a Label Studio JSON export; returns how many were new, and how many were here already.

    Raises:
        BadInput: it is no such file, or a task names no clip of this ledger.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        found = [
            one
            for task in tasks
            for annotation in task.get("annotations", ())
            if not annotation.get("was_cancelled") and (one := _annotated(task["data"]["clip_id"], annotation))
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path} is no JSON export of Label Studio: {error}", remedy="export tasks as JSON, with `clip_id` in data"
        ) from error
    return _take_in(ledger, found, settings)


class _Row(BaseModel):
    """A row of an exported table."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: int
    clip_id: str
    reviewer: str
    verdict: Verdict
    reason: RejectReason | None = None
    role: Role = Role.ANSWER
    undoes: int | None = None
    key: str | None = None
    label: str | None = None
    caption: str | None = None
    parts: list[tuple[int, int]] | None = None
    sound_late_us: int | None = None
    seconds: float | None = None
    page: str = ""


def _read_rows(path: Path) -> list[_Row]:
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    try:
        if _kind(path) == ".csv":
            texts = pc.ConvertOptions(
                column_types={name: pa.string() for name in ("clip_id", "key", "label", "caption", "parts", "page")},
                strings_can_be_null=True,
            )
            found = pc.read_csv(path, convert_options=texts).to_pylist()
        else:
            found = pq.read_table(path).to_pylist()
        rows = []
        for one in found:
            told = {name: value for name, value in one.items() if value is not None and value != ""}
            if "parts" in told:
                told["parts"] = json.loads(told["parts"])
            rows.append(_Row.model_validate(told))
        return rows
    except (OSError, pa.ArrowException, ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path} is no table of answers: {reason}", remedy="export one to see its columns") from error


def _as_answer(row: _Row) -> Answer:
    return Answer(
        clip_id=row.clip_id,
        verdict=row.verdict,
        reviewer=row.reviewer,
        reason=row.reason,
        # A row without a key gets one that follows from it, so that a second import finds it.
        key=row.key or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row.id} {row.clip_id} {row.reviewer} {row.verdict}")),
        edits=Edits(row.label, row.caption, None if row.parts is None else tuple(row.parts), row.sound_late_us),
        seconds=row.seconds,
        page=row.page,
        final=row.role is Role.FINAL,
    )


def _take_in(ledger: Ledger, answers: list[Answer], settings: ReviewSettings) -> tuple[int, int]:
    with ledger.session() as session:
        clips = set(session.scalars(select(ClipRow.id)))
        keys = set(session.scalars(select(VerdictRow.key).where(VerdictRow.key.is_not(None))))
    strange = next((one.clip_id for one in answers if one.clip_id not in clips), None)
    if strange:
        raise BadInput(f"there is no clip {strange} here", remedy="import into the home that the clips came from")
    fresh = [one for one in answers if one.key not in keys]
    for one in fresh:
        answer(ledger, one, settings)
    return len(fresh), len(answers) - len(fresh)


def _task(item: Item, answers: list[VerdictRow], media: str) -> dict[str, Any]:
    video = f"{media.rstrip('/')}/{item.clip_id}.mp4" if media else f"{item.clip_id}.mp4"
    expected = Verdict.ACCEPT if item.p_good >= 0.5 else Verdict.REJECT
    return {
        "data": {
            "video": video,
            "clip_id": item.clip_id,
            "label": item.label,
            "caption": item.caption,
            "licence": item.licence,
            "source": item.link,
            "why": [str(reason) for reason in item.reasons],
        },
        "predictions": [
            {"model_version": MODEL_VERSION, "score": round(item.p_good, 4), "result": [_choice(CHOICE, expected)]}
        ],
        "annotations": [_annotation(row) for row in answers],
    }


def _annotation(row: VerdictRow) -> dict[str, Any]:
    result = [_choice(CHOICE, row.verdict)]
    if row.reason:
        result.append(_choice(REASON, row.reason))
    for name, value in ((CLASS, row.label), (CAPTION, row.caption)):
        if value:
            result.append({"from_name": name, "to_name": "video", "type": "textarea", "value": {"text": [value]}})
    return {
        "unique_id": row.key or "",
        "completed_by": row.reviewer,
        "lead_time": row.seconds,
        "created_at": _iso(row.at),
        "result": result,
    }


def _annotated(clip_id: str, annotation: dict[str, Any]) -> Answer | None:
    """An annotation as an answer; None if it has no verdict."""
    values: dict[str, str] = {}
    for one in annotation["result"]:
        value = one["value"]
        told = value.get("choices") or value.get("text") or []
        if told:
            values[one["from_name"]] = told if isinstance(told, str) else str(told[0])
    if CHOICE not in values:
        return None
    who = annotation.get("completed_by", "label studio")
    reviewer = who.get("email") or f"label studio {who.get('id')}" if isinstance(who, dict) else str(who)
    verdict = Verdict(values[CHOICE])
    name = annotation.get("unique_id") or f"{annotation.get('id')} {clip_id} {reviewer}"
    return Answer(
        clip_id=clip_id,
        verdict=verdict,
        reviewer=reviewer,
        reason=RejectReason(values.get(REASON, RejectReason.BAD_QUALITY)) if verdict is Verdict.REJECT else None,
        key=_as_key(name),
        edits=Edits(label=values.get(CLASS), caption=values.get(CAPTION)),
        seconds=annotation.get("lead_time"),
        page=MODEL_VERSION if annotation.get("unique_id") else "label studio",
    )


def _as_key(name: str) -> str:
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"label studio {name}"))


def _choice(name: str, value: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "video", "type": "choices", "value": {"choices": [str(value)]}}


def _given(row: VerdictRow) -> Given:
    return Given(row.id, row.reviewer, Verdict(row.verdict), Role(row.role), row.undoes)


def _iso(at: datetime) -> str:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _kind(path: Path) -> str:
    if path.suffix not in (".csv", ".parquet"):
        raise BadInput(f"answers are not written as {path.suffix or path.name}", remedy="use .csv, .parquet or .json")
    return path.suffix
