"""JSON that any reader takes."""

import json

import pytest

from flows.cli.show import print_json, visible


def refuse(word):
    raise ValueError(word)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_null_at_every_depth(capsys, number):
    print_json({"a": number, "b": [1.5, (number, {"c": number})], "d": "text"})
    said = capsys.readouterr().out
    assert json.loads(said, parse_constant=refuse) == {"a": None, "b": [1.5, [None, {"c": None}]], "d": "text"}
    assert said.count("\n") == 1


def test_what_would_move_a_terminals_cursor_is_shown_as_escapes():
    assert visible("größe\x1b[2J\r\n\u202e日") == "größe\\x1b[2J\\r\\n\\u202e日"
