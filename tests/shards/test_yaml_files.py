"""Settings in YAML: a tree, or a sentence that names the file, the line and what mends it."""

import pytest

from shards.errors import BadInput
from shards.yaml_files import read_yaml


@pytest.fixture
def file(tmp_path):
    return tmp_path / "settings.yaml"


def test_reads_a_tree_whatever_the_line_ends_and_the_byte_order_mark(file):
    file.write_bytes("\ufeffa: 1\r\nb:\r\n  c: [x, ü]\r\n".encode())
    assert read_yaml(file) == {"a": 1, "b": {"c": ["x", "ü"]}}


def test_reads_what_anchors_share(file):
    file.write_text("one: &shared {a: 1}\ntwo: {<<: *shared, b: 2}\n")
    assert read_yaml(file)["two"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_an_empty_tree(file, text):
    file.write_text(text)
    assert read_yaml(file) == {}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a: 1\nb: caf\xe9\n", "is not UTF-8 text, line 2"),
        (b"\xff\xfea\x00", "is not UTF-8 text, line 1"),
        (b"a: 1\nb: [1, 2\nc: 3\n", "is not YAML, line 3"),
        (b"a: 1\n\tb: 2\n", "is not YAML, line 2"),
        (b"a: 1\nb: \x00\n", "is not YAML, line 2: special characters are not allowed"),
        (b"a: !!python/name:os.system\n", "is not YAML, line 1"),
        (b"a: 1\n---\nb: 2\n", "is not YAML, line 2"),
        (b"a: 1\nb: 2026-13-01\n", "is not YAML, line 2, column 4: a value that is no timestamp"),
        (b"a: !!bool maybe\n", "line 1, column 4: a value that is no bool"),
        (b"a: !!timestamp x\n", "line 1, column 4: a value that is no timestamp"),
        (b"- a\n- b\n", "is no table of settings"),
        (b"text\n", "is no table of settings"),
        (b"[" * 20_000, "is nested too deeply"),
        (b"a: 1\n7: 2\n", "line 2, column 1: the key 7 is no text"),
        (b"a:\n  b: 1\n  on: 2\n", "line 3, column 3: the key on is no text"),
        (b"a:\n- {null: 1}\n", "line 2, column 4: the key null is no text"),
        (b"? [a]\n: 1\n", "line 1, column 3: a key is no text"),
    ],
)
def test_says_what_is_wrong_where_and_what_mends_it(file, raw, words):
    file.write_bytes(raw)
    with pytest.raises(BadInput) as caught:
        read_yaml(file)
    assert str(file) in caught.value.message and words in caught.value.message
    assert caught.value.remedy and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder_cannot_be_read(file, tmp_path):
    for path in (file, tmp_path):
        with pytest.raises(BadInput, match="cannot read"):
            read_yaml(path)
