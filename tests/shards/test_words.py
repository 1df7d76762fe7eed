"""Words of strangers lose what steers a terminal, and nothing that a language needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.words import printable


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]0;title\x07drum\x1b[2J", "]0;titledrum[2J"),
        ("a\tb\r\nc\x85d\u2028e", "a b  c d e"),
        ("\x00\x7f\x9b31m", "31m"),
        ("exe.\u202egpj", "exe.gpj"),
        ("half \ud83d a pair", "half  a pair"),
        ("naïve 日本語 क\u094dष \u200f\u05d0 👩\u200d🔬", "naïve 日本語 क\u094dष \u200f\u05d0 👩\u200d🔬"),
    ],
)
def test_what_is_shown(said, shown):
    assert printable(said) == shown


def test_lines_stay_where_they_may():
    assert printable("one\r\ntwo\n\tthree\rfour", lines=True) == "one\ntwo\n three four"


@given(st.text())
def test_it_is_text_that_every_file_takes_and_nothing_is_left_to_strip(said):
    once = printable(said)
    assert printable(once) == once and once.encode() is not None
    assert all(ord(one) >= 32 and not 127 <= ord(one) < 160 for one in once)
