"""A benchmark's figures say which were aimed at."""

import json
from dataclasses import asdict

import pytest

from bench.result import RESULTS, Goal, Result, document, measurement, save, verdict


def test_a_goal_is_met_or_missed_and_a_measurement_is_neither(tmp_path):
    goals = [Goal("a", "> 1", "2", True), Goal("b", "> 1", "0", False), measurement("c", "5 ms")]
    assert [goal.verdict for goal in goals] == ["met", "missed", "-"]
    path = save(document("some", [], Result(rows=[], goals=goals), machine={}), tmp_path)
    kept = json.loads(path.read_text())["goals"]
    assert kept == [asdict(goal) for goal in goals]
    assert [verdict(one["wanted"], one["met"]) for one in kept] == ["met", "missed", "-"]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_kept_without_a_goal_is_not_told_as_met(path):
    for one in json.loads(path.read_text())["goals"]:
        wanted = {True: "met", False: "missed", None: "-"}[None if one["wanted"] == "no goal" else one["met"]]
        assert verdict(one["wanted"], one["met"]) == wanted
