"""Answers out and in again: tables, and Label Studio's tasks both ways."""

import csv
import json
import uuid

import pytest
from sqlalchemy import select

from curation.home import Home
from curation.ledger.tables import VerdictRow
from curation.review.answers import Answer, Edits, answer, undo
from curation.review.exchange import export_answers, export_tasks, import_answers, import_tasks
from curation.review.progress import progress
from curation.review.queue import enrol
from curation.review.settings import ReviewSettings
from curation.review.verdicts import RejectReason, Verdict
from shards.errors import BadInput

FIRST, SECOND = "a" * 40, "b" * 40
SETTINGS = ReviewSettings(double_share=0)


@pytest.fixture
def twin(review_ledger, tmp_path):
    """Another home with the same clips and no answers."""
    enrol(review_ledger, SETTINGS)
    (tmp_path / "twin").mkdir()
    with review_ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM INTO ?", (str(tmp_path / "twin" / "ledger.sqlite"),))
    with Home(tmp_path / "twin").ledger() as ledger:
        yield ledger


@pytest.fixture
def answered(review_ledger):
    enrol(review_ledger, SETTINGS)
    edits = Edits("cat", 'a "cat", purring\nin two lines', ((500_000, 900_000), (900_000, 2_000_000)), -20_000)
    key = str(uuid.uuid4())
    answer(review_ledger, Answer(FIRST, Verdict.ACCEPT, "ada", key=key, edits=edits, seconds=3.5, page="1"), SETTINGS)
    answer(review_ledger, Answer(SECOND, Verdict.ACCEPT, "ada"), SETTINGS)
    undo(review_ledger, "ada")
    answer(review_ledger, Answer(SECOND, Verdict.REJECT, "ben", RejectReason.MEANING, seconds=2.0), SETTINGS)
    return review_ledger


def rows(ledger):
    names = ("clip_id", "verdict", "reviewer", "reason", "label", "caption", "parts", "sound_late_us", "seconds")
    with ledger.session() as session:
        found = session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        return [tuple(getattr(row, name) for name in names) for row in found]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_comes_back_as_it_went_and_only_once(twin, answered, tmp_path, suffix):
    path = tmp_path / f"answers{suffix}"
    assert export_answers(answered, path) == 4
    assert import_answers(twin, path, SETTINGS) == (2, 0)
    assert import_answers(twin, path, SETTINGS) == (0, 2)
    assert rows(twin) == [row for row in rows(answered) if row[1] != "undo" and row[4:] != (None,) * 5]
    assert progress(twin, SETTINGS).accepted == progress(answered, SETTINGS).accepted == 1


def test_a_csv_can_be_read_by_anything(answered, tmp_path):
    export_answers(answered, tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["verdict"] for row in found] == ["accept", "accept", "undo", "reject"]
    assert found[0]["caption"] == 'a "cat", purring\nin two lines' and json.loads(found[0]["parts"])[0] == [
        500_000,
        900_000,
    ]


def test_label_studio_tasks_have_the_documented_shape(answered, tmp_path):
    assert export_tasks(answered, tmp_path / "tasks.json", media="https://media.example/clips/") == 2
    tasks = {task["data"]["clip_id"]: task for task in json.loads((tmp_path / "tasks.json").read_text())}
    first = tasks[FIRST]
    assert first["data"]["video"] == f"https://media.example/clips/{FIRST}.mp4"
    [prediction] = first["predictions"]
    assert prediction["score"] == 0.5 and prediction["result"][0]["value"] == {"choices": ["accept"]}
    [annotation] = first["annotations"]
    assert annotation["completed_by"] == "ada" and annotation["lead_time"] == 3.5
    for one in annotation["result"]:
        assert {"from_name", "to_name", "type", "value"} == set(one)
    interface = (tmp_path / "tasks.xml").read_text()
    assert all(f'value="{reason}"' in interface for reason in RejectReason)


def test_our_own_tasks_come_back_once(twin, answered, tmp_path):
    export_tasks(answered, tmp_path / "tasks.json")
    assert import_tasks(twin, tmp_path / "tasks.json", SETTINGS) == (2, 0)
    assert import_tasks(twin, tmp_path / "tasks.json", SETTINGS) == (0, 2)
    assert sorted(row[:4] for row in rows(twin)) == [(FIRST, "accept", "ada", ""), (SECOND, "reject", "ben", "meaning")]


def test_an_export_of_label_studio_is_taken_in(twin, tmp_path):
    """As its JSON export gives them: numbered annotations, people as objects, cancelled ones, empty ones."""

    eva = {"id": 3, "email": "eva@example.org"}

    def chosen(**values):
        return [
            {"id": "x", "from_name": name, "to_name": "video", "type": "choices", "value": {"choices": [value]}}
            for name, value in values.items()
        ]

    tasks = [
        {
            "id": 7,
            "data": {"clip_id": FIRST, "video": "x.mp4"},
            "annotations": [
                {"id": 1, "completed_by": eva, "result": chosen(verdict="accept"), "lead_time": 6.1},
                {"id": 2, "completed_by": 4, "result": chosen(verdict="reject"), "was_cancelled": True},
                {"id": 3, "completed_by": 4, "result": []},
            ],
        },
        {
            "id": 8,
            "data": {"clip_id": SECOND},
            "annotations": [
                {"id": 4, "completed_by": 4, "result": chosen(verdict="reject", reason="camera_motion")},
            ],
        },
    ]  # fmt: skip
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    assert import_tasks(twin, tmp_path / "export.json", SETTINGS) == (2, 0)
    assert import_tasks(twin, tmp_path / "export.json", SETTINGS) == (0, 2)
    assert [row[:4] for row in rows(twin)] == [
        (FIRST, "accept", "eva@example.org", ""),
        (SECOND, "reject", "4", "camera_motion"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "who,what\nada,yes\n"), ("x.csv", ""), ("x.parquet", "PAR1"), ("x.json", "{"), ("x.json", '{"a": 1}'),
        ("x.json", '[{"data": {}, "annotations": [{"result": []}]}]'), ("x.txt", ""),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(twin, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    read = import_tasks if name.endswith(".json") else import_answers
    with pytest.raises(BadInput) as caught:
        read(twin, tmp_path / name, SETTINGS)
    assert caught.value.remedy and rows(twin) == []


def test_clips_of_another_home_are_refused_and_nothing_is_taken(twin, tmp_path):
    header = "id,clip_id,reviewer,verdict\n"
    (tmp_path / "x.csv").write_text(f"{header}1,{FIRST},ada,accept\n2,{'c' * 40},ada,accept\n")
    with pytest.raises(BadInput, match="there is no clip c"):
        import_answers(twin, tmp_path / "x.csv", SETTINGS)
    assert rows(twin) == []
