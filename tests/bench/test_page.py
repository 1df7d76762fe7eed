"""The page of benchmarks tells goals from figures that nobody aimed at."""

from bench.page import benchmarks
from bench.result import Goal, Result, document, measurement, save

MACHINE = {"processor": "p", "cores": 2, "memory_gib": 4, "system": "Linux", "python": "3.11", "load_before": 0.0}


def test_a_plain_measurement_is_shown_as_such_even_where_it_was_kept_as_met(tmp_path):
    goals = [
        Goal("a", "> 1", "2", True),
        Goal("b", "> 1", "0", False),
        measurement("c", "5"),
        Goal("d", "no goal", "6", True),
    ]
    save(document("some", [], Result(rows=[], goals=goals), machine=MACHINE), tmp_path)
    shown = [line.split(" | ")[1:] for line in benchmarks(tmp_path).splitlines() if line.startswith("| [some]")]
    assert [one[-1].removesuffix(" |") for one in shown] == ["met", "**missed**", "-", "-"]
