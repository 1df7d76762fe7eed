"""Answers out and in again: tables, and Label Studio's tasks both ways."""

import csv
import json
import uuid
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from sqlalchemy import select, update

from curation.home.folder import Home
from curation.ledger.tables import ReviewRow, VerdictRow
from curation.review.answers import Answer, Edits, answer, make_golden, record, undo
from curation.review.label_studio import export_tasks, import_tasks
from curation.review.progress import progress
from curation.review.queue import enrol
from curation.review.tables import export_answers, import_answers
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import RejectReason, Verdict
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


SAID = ("clip_id", "verdict", "reviewer", "reason", "label", "caption", "parts", "sound_late_us", "seconds")
WHOLE = (*SAID, "id", "role", "undoes", "key", "page", "at")


def rows(ledger, names=SAID):
    with ledger.session() as session:
        found = session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        return [tuple(getattr(row, name) for name in names) for row in found]


def stands(ledger):
    """Where each clip stands, and which answer counts."""
    with ledger.session() as session:
        found = session.scalars(select(ReviewRow).order_by(ReviewRow.clip_id))
        return [(row.clip_id, row.state, row.verdict_id, row.answers) for row in found]


def long_ago(ledger):
    """Let every answer be one of another day."""
    with ledger.session() as session:
        for row in session.scalars(select(VerdictRow)):
            row.at = datetime(2026, 1, row.id, 7, 30, tzinfo=UTC)


@pytest.fixture
def contested(review_ledger):
    """Answers of every role: two that disagree, the one that decides, one by name, one that measures its reviewer."""
    enrol(review_ledger, SETTINGS)
    for who, verdict in (("ada", Verdict.ACCEPT), ("ben", Verdict.REJECT), ("007", Verdict.ACCEPT)):
        reason = RejectReason.MEANING if verdict is Verdict.REJECT else None
        answer(review_ledger, Answer(FIRST, verdict, who, reason, edits=Edits(caption="NA", label="")), SETTINGS)
    record(review_ledger, [SECOND], Verdict.ACCEPT, reviewer="boss")
    make_golden(review_ledger, [SECOND])
    answer(review_ledger, Answer(SECOND, Verdict.REJECT, "ben", RejectReason.OFFENSIVE), SETTINGS)
    return review_ledger


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("ledger", ["answered", "contested"])
def test_a_table_comes_back_as_it_went_and_only_once(twin, ledger, request, tmp_path, suffix):
    source, path = request.getfixturevalue(ledger), tmp_path / f"answers{suffix}"
    long_ago(source)
    count = export_answers(source, path)
    assert count == len(rows(source))
    assert import_answers(twin, path, SETTINGS) == (count, 0)
    assert import_answers(twin, path, SETTINGS) == (0, count)
    assert rows(twin, WHOLE) == rows(source, WHOLE)
    assert stands(twin) == stands(source)
    assert str(progress(twin, SETTINGS)) == str(progress(source, SETTINGS))


FORMULAS = ("=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "'=1", "''-x", "'plain", "-", "=", "＝1", "plain", " =1")


@pytest.fixture
def formulas(review_ledger):
    """Answers whose every word is a formula."""
    enrol(review_ledger, SETTINGS)
    for number, text in enumerate(FORMULAS):
        edits = Edits(label=text, caption=f"{text}HYPERLINK()", sound_late_us=-20_000)
        said = Answer((FIRST, SECOND)[number % 2], Verdict.ACCEPT, f"{text}{number}", edits=edits, seconds=1.5)
        answer(review_ledger, said, SETTINGS)
    return review_ledger


def test_no_cell_is_run_by_a_spreadsheet_and_all_come_back_equal(twin, formulas, tmp_path):
    path = tmp_path / "answers.csv"
    export_answers(formulas, path)
    with path.open(newline="", encoding="utf-8") as file:
        cells = [(name, cell) for row in csv.DictReader(file) for name, cell in row.items()]
    assert not [cell for name, cell in cells if cell[:1] in tuple("=+-@\t\r\n＝") and name != "sound_late_us"]
    assert import_answers(twin, path, SETTINGS) == (len(FORMULAS), 0)
    assert rows(twin, WHOLE) == rows(formulas, WHOLE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("delimiter", "announced"), [(";", ""), ("\t", ""), (";", "sep=;\r\n"), (",", "")])
def test_a_table_comes_back_from_a_spreadsheet(twin, answered, tmp_path, delimiter, announced, encoding):
    path = tmp_path / "answers.csv"
    export_answers(answered, path)
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    with path.open("w", newline="", encoding=encoding) as file:
        file.write(announced)
        saved = csv.DictWriter(file, found[0], delimiter=delimiter)
        saved.writeheader()
        comma = delimiter != ","
        saved.writerows(
            row | {"seconds": row["seconds"].replace(".", ",") if comma else row["seconds"]} for row in found
        )
    assert import_answers(twin, path, SETTINGS) == (4, 0)
    assert rows(twin) == rows(answered)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("a;b\n1;2\n", "it has no column clip_id, id, reviewer, verdict; its columns are: a, b"),
        ("id,clip_id,reviewer,verdict\n1,x,ada,accept\n2,x,ada,acept\n", "in its row 2 verdict is 'acept'"),
        ("id,clip_id,reviewer,verdict\none,x,ada,accept\n", "in its row 1 id is 'one'"),
        ("id,clip_id,reviewer,verdict,parts\n1,x,ada,accept,[[\n", "in its row 1 parts is '[['"),
        ("", "Empty CSV file"),
    ],
)
def test_a_table_that_is_wrong_is_told_in_a_sentence(twin, tmp_path, table, told):
    (tmp_path / "x.csv").write_text(table)
    with pytest.raises(BadInput) as caught:
        import_answers(twin, tmp_path / "x.csv", SETTINGS)
    assert told in str(caught.value) and "validation error" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_roles_keep_a_clip_that_is_done_from_a_dispute(twin, contested, tmp_path):
    export_answers(contested, tmp_path / "answers.csv")
    import_answers(twin, tmp_path / "answers.csv", SETTINGS)
    assert [row[0] for row in rows(twin, ("role",))] == ["answer", "answer", "adjudication", "final", "golden"]
    assert [one[1] for one in stands(twin)] == ["done", "done"]


def test_a_table_of_before_every_row_had_a_key_goes_in_once_too(twin, answered, tmp_path):
    with answered.session() as session:
        session.execute(update(VerdictRow).values(key=None))
    export_answers(answered, tmp_path / "answers.csv")
    assert import_answers(answered, tmp_path / "answers.csv", SETTINGS) == (0, 4)
    assert import_answers(twin, tmp_path / "answers.csv", SETTINGS) == (4, 0)
    assert import_answers(twin, tmp_path / "answers.csv", SETTINGS) == (0, 4)


def test_an_undo_of_a_row_that_is_not_there_is_refused(twin, tmp_path):
    header = "id,clip_id,reviewer,verdict,undoes\n"
    (tmp_path / "x.csv").write_text(f"{header}1,{FIRST},ada,accept,\n2,{FIRST},ada,undo,7\n")
    with pytest.raises(BadInput, match="takes back row 7"):
        import_answers(twin, tmp_path / "x.csv", SETTINGS)
    (tmp_path / "x.csv").write_text(f"{header}1,{FIRST},ada,accept,\n2,{FIRST},ben,undo,1\n")
    with pytest.raises(BadInput, match="takes back row 1"):
        import_answers(twin, tmp_path / "x.csv", SETTINGS)
    assert rows(twin) == []


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
    assert annotation["lead_time"] == 3.5 and annotation["ground_truth"] is False
    # Its importer takes a member's number or address; a name that is neither makes it refuse the whole file.
    assert "completed_by" not in annotation
    [told] = first["data"]["answers"]
    assert (told["id"], told["reviewer"], told["role"]) == (annotation["id"], "ada", "answer")
    for one in annotation["result"]:
        region = {"id"} if one["type"] == "timelinelabels" else set()
        assert {"from_name", "to_name", "type", "value"} | region == set(one)
    interface = (tmp_path / "tasks.xml").read_text()
    assert all(f'value="{reason}"' in interface for reason in RejectReason)


def test_label_studio_shows_what_was_cut_and_how_late_the_sound_is(answered, tmp_path):
    export_tasks(answered, tmp_path / "tasks.json")
    first = next(one for one in json.loads((tmp_path / "tasks.json").read_text()) if one["data"]["clip_id"] == FIRST)
    [annotation] = first["annotations"]
    parts = [one["value"] for one in annotation["result"] if one["type"] == "timelinelabels"]
    # The clip begins at 0.5 s; frames of 10 ms count from 1, and the last one is in.
    assert [one["ranges"] for one in parts] == [[{"start": 1, "end": 40}], [{"start": 41, "end": 150}]]
    [number] = [one["value"] for one in annotation["result"] if one["type"] == "number"]
    assert number == {"number": -20}
    interface = ElementTree.parse(tmp_path / "tasks.xml").getroot()
    known = {one.attrib["name"] for one in interface if "name" in one.attrib}
    assert {one["from_name"] for one in annotation["result"]} | {"video"} <= known
    assert interface.find("Video").attrib["frameRate"] == "100"


def test_our_own_tasks_come_back_once(twin, answered, tmp_path):
    export_tasks(answered, tmp_path / "tasks.json")
    assert import_tasks(twin, tmp_path / "tasks.json", SETTINGS) == (2, 0)
    assert import_tasks(twin, tmp_path / "tasks.json", SETTINGS) == (0, 2)
    assert sorted(row[:4] for row in rows(twin)) == [(FIRST, "accept", "ada", ""), (SECOND, "reject", "ben", "meaning")]


def through_label_studio(path, change=lambda task: None):
    """What its importer and exporter make of a file: new numbers, its own members, our numbers as `import_id`."""
    tasks = json.loads(path.read_text())
    for task in tasks:
        for at, annotation in enumerate(task["annotations"]):
            assert "completed_by" not in annotation
            annotation |= {
                "import_id": annotation["id"], "id": 700 + at, "completed_by": {"id": 1, "email": "boss@example.org"},
                "unique_id": str(uuid.uuid4()), "was_cancelled": False, "updated_by": None,
                "created_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-01T10:00:00Z",
            }  # fmt: skip
            for one in annotation["result"]:
                one["origin"] = "manual"
        change(task)
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize("there", [False, True], ids=["a file", "through Label Studio"])
@pytest.mark.parametrize("ledger", ["answered", "contested"])
def test_answers_come_back_from_label_studio_as_they_went(twin, ledger, there, request, tmp_path):
    source, path = request.getfixturevalue(ledger), tmp_path / "tasks.json"
    long_ago(source)
    export_tasks(source, path)
    if there:
        through_label_studio(path)
    count, known = import_tasks(twin, path, SETTINGS)
    assert known == 0
    assert import_tasks(twin, path, SETTINGS) == import_tasks(source, path, SETTINGS) == (0, count)
    names = [one for one in WHOLE if one not in ("id", "undoes")]
    taken_back = {row[0] for row in rows(source, ("undoes",))}
    kept = [
        row
        for row, (number,) in zip(rows(source, names), rows(source, ("id",)), strict=True)
        if number not in taken_back
    ]
    assert sorted(rows(twin, names), key=str) == sorted((row for row in kept if row[1] != "undo"), key=str)
    assert [one[:2] for one in stands(twin)] == [one[:2] for one in stands(source)]


def test_what_was_changed_in_label_studio_is_an_answer_of_who_changed_it(twin, answered, tmp_path):
    def trim(task):
        for annotation in task["annotations"]:
            if task["data"]["clip_id"] == FIRST:
                annotation["result"] = [one for one in annotation["result"] if one["type"] != "timelinelabels"]
                for start, end in ((11, 30), (25, 900)):
                    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": ["keep"]}
                    annotation["result"].append(
                        {"from_name": "parts", "to_name": "video", "type": "timelinelabels", "value": value, "id": "r"}
                    )

    path = tmp_path / "tasks.json"
    export_tasks(answered, path)
    through_label_studio(path, trim)
    assert import_tasks(twin, path, SETTINGS) == (2, 0)
    assert import_tasks(twin, path, SETTINGS) == (0, 2)
    [row] = [row for row in rows(twin, (*SAID, "at", "page")) if row[0] == FIRST]
    assert row[2] == "boss@example.org" and row[-2:] == (datetime(2026, 3, 1, 10), "label studio")
    # Drawn by hand they lap over, and one reaches beyond the clip, which ends at 2.5 s.
    assert row[6] == [[600_000, 800_000], [800_000, 2_500_000]] and row[7] == -20_000


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
