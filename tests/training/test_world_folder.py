import csv
import json
from pathlib import Path

from training.world import Split
from training.world.folder import EVENTS, SOURCES, draw_folder


def test_a_folder_of_films_has_a_table_and_its_truth(tmp_path: Path) -> None:
    told: list[int] = []
    draw_folder(
        tmp_path,
        2,
        split=Split.EVALUATION,
        duration_s=2.0,
        size_px=64,
        progress=lambda done, of, note: told.append(done),
    )
    rows = list(csv.DictReader((tmp_path / SOURCES).open(encoding="utf-8")))
    events = json.loads((tmp_path / EVENTS).read_text(encoding="utf-8"))
    assert told == [1, 2] and set(events) == {row["path"] for row in rows} == {
        one.name for one in tmp_path.glob("*.mp4")
    }
    assert all(row["caption"] and row["label"] in row["path"] for row in rows)
    assert all(0 <= time_s <= 2.0 for times_s in events.values() for time_s in times_s) and any(events.values())


def test_films_that_are_there_are_kept(tmp_path: Path) -> None:
    def draw() -> dict[str, int]:
        draw_folder(tmp_path, 1, split=Split.TRAIN, duration_s=2.0, size_px=64)
        return {one.name: one.stat().st_mtime_ns for one in tmp_path.glob("*.mp4")}

    assert draw() == draw()
