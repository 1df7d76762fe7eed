"""Tables of links and paths: what becomes a row, and what a fault of one line costs."""

import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.outcomes import Outcome
from curation.sources.base import SourceRow
from tests.curation.reading import read_sources


@pytest.fixture
def read(tmp_path):
    def read_text(content, name="table.csv"):
        table = tmp_path / name
        table.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_sources([table])

    return read_text


def faults(reading):
    return [(fault.row, fault.outcome) for fault in reading.faults]


def test_reads_every_column_of_a_csv_table(read, tmp_path):
    reading = read(
        "url,start,end,caption,label,licence,views\nhttps://a.example/1,1.5,0:01:02.25,A dog barks,dog,CC-BY,9\n"
    )
    assert reading.faults == []
    assert reading.rows == [
        SourceRow(
            link="https://a.example/1",
            path=None,
            start_us=1_500_000,
            end_us=62_250_000,
            caption="A dog barks",
            label="dog",
            licence="CC-BY",
            table=str(tmp_path / "table.csv"),
            row=2,
        )
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_reads_tables_as_spreadsheets_write_them(read, delimiter, newline, mark):
    lines = (["Link", " Text ", "CLASS"], ["https://a.example/1", "größe", "dog"])
    reading = read(mark + newline.join(delimiter.join(cells) for cells in lines).encode())
    assert [(row.link, row.caption, row.label) for row in reading.rows] == [("https://a.example/1", "größe", "dog")]
    assert reading.faults == []


def test_a_quoted_cell_may_hold_delimiters_quotes_and_lines(read):
    reading = read('url,caption\nhttps://a.example/1,"one, ""two""\nthree"\nhttps://a.example/2,four\n')
    assert [row.caption for row in reading.rows] == ['one, "two"\nthree', "four"]
    assert [row.row for row in reading.rows] == [2, 4]


def test_a_quote_inside_a_bare_cell_is_only_a_character(read):
    reading = read('url,caption\nhttps://a.example/1,a 5" nail\nhttps://a.example/2,b\n')
    assert [row.caption for row in reading.rows] == ['a 5" nail', "b"]


def test_a_quote_that_is_never_closed_costs_its_line_and_no_other(read):
    reading = read('url,caption\nhttps://a.example/1,a\nhttps://a.example/2,"b\nhttps://a.example/3,c\n')
    assert [row.caption for row in reading.rows] == ["a", "c"]
    assert faults(reading) == [(3, Outcome.BAD_LINE)]
    assert "a quote is open" in reading.faults[0].detail


OPEN_QUOTES = {
    "never closed": ("12 inch", "plain"),
    "closed by an opening one": ('"12 inch drum', '"hello, world"'),
    "closed by an inch": ('"12 inch drum', '12" drum'),
    "closed at the end of a line": ('"12 inch drum', 'drum 12"'),
    "open twice": ('"12 inch drum', '"13 inch drum'),
    "astray in a quoted cell": ('"12" drum"', "plain"),
}


@pytest.mark.parametrize(("third", "sixth"), OPEN_QUOTES.values(), ids=OPEN_QUOTES)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("kind", ["path", "url"])
def test_a_quote_astray_swallows_no_row(read, kind, delimiter, third, sixth):
    where = "https://a.example/film.mp4" if kind == "url" else "film.mp4"
    lines = [[kind, "start", "end", "caption"]] + [[where, f"{n}", f"{n + 1}", f"row {n}"] for n in range(2, 9)]
    lines[2][3], lines[5][3] = third, sixth
    reading = read("\n".join(delimiter.join(cells) for cells in lines))
    read_lines = sorted([row.row for row in reading.rows] + [fault.row for fault in reading.faults])
    assert read_lines == list(range(2, 9))
    assert all(fault.outcome is Outcome.BAD_LINE for fault in reading.faults)
    assert {row.row for row in reading.rows} >= {2, 4, 5, 7, 8}
    assert all(row.start_us == row.row * 1_000_000 for row in reading.rows)


ODD = ('"', '"open', 'close"', '"12" inch', 'a "b" c', '""', '"a, b"', '"one\ntwo"', '"one\n\ntwo, three"', '"', "'")


@settings(max_examples=300, deadline=None)
@given(captions=st.lists(st.one_of(st.none(), st.sampled_from(ODD)), max_size=12))
def test_whatever_quotes_stand_around_it_a_plain_line_is_a_row(captions):
    """None stands for a plain line."""
    lines, plain = ["url,start,caption"], {}
    for number, caption in enumerate(captions):
        if caption is None:
            plain[f"https://a.example/{number}"] = 1 + sum(line.count("\n") + 1 for line in lines)
        lines.append(f"https://a.example/{number},{number},{caption or 'plain'}")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "t.csv")
        table.write_text("\n".join(lines) + "\n", newline="")
        reading = read_sources([table])
    found = {row.link: row.row for row in reading.rows}
    assert {link: found.get(link) for link in plain} == plain
    assert len(found) + len({fault.row for fault in reading.faults}) >= len(captions)


def test_a_line_break_in_a_cell_is_kept_and_told(read):
    reading = read('url,caption\nhttps://a.example/1,"one\ntwo"\nhttps://a.example/2,"three"\n')
    assert [(row.row, row.caption, row.note) for row in reading.rows] == [
        (2, "one\ntwo", "caption holds a line break"),
        (4, "three", ""),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.jsonl"])
def test_a_byte_order_mark_says_the_encoding(read, name, encoding):
    if name == "t.jsonl":
        text = json.dumps({"url": "https://a.example/1", "caption": "größe"}, ensure_ascii=False)
    else:
        text = "url\tcaption\r\nhttps://a.example/1\tgröße\r\n"
    reading = read(text.encode(encoding), name)
    assert [(row.link, row.caption) for row in reading.rows] == [("https://a.example/1", "größe")]
    assert reading.faults == []


def test_a_mark_in_the_middle_of_a_file_is_no_part_of_a_link(read):
    mark = "\ufeff"
    reading = read(f"{mark}url\n{mark}https://a.example/1\n{mark}{mark}https://a.example/2\n")
    assert [row.link for row in reading.rows] == ["https://a.example/1", "https://a.example/2"]


def test_half_a_character_of_utf16_costs_its_row_only(read):
    text = "url,caption\nhttps://a.example/1,a\nhttps://a.example/2,".encode("utf-16") + b"\x00\xd8"
    reading = read(text + "\nhttps://a.example/3,c\n".encode("utf-16-le"))
    assert [row.link[-1] for row in reading.rows] == ["1", "3"]
    assert faults(reading) == [(3, Outcome.BAD_ENCODING)]


def test_reads_tables_as_spreadsheets_of_countries_with_decimal_commas_write_them(read):
    reading = read("sep=;\r\nurl;start;end;caption\r\nhttps://a.example/1,2;1,5;0:12,25;a, b\r\n")
    (row,) = reading.rows
    assert (row.row, row.link, row.caption) == (3, "https://a.example/1,2", "a, b")
    assert (row.start_us, row.end_us) == (1_500_000, 12_250_000)


def test_a_comma_in_a_header_of_semicolons_is_no_delimiter(read):
    reading = read("url;caption, in English, please;label\nhttps://a.example/1;x;dog\n")
    assert [(row.link, row.label) for row in reading.rows] == [("https://a.example/1", "dog")]


@pytest.mark.parametrize("place", ["films/a.mp4", "C:\\films\\a.mp4", "/films/a.mp4", "file:///films/a.mp4"])
def test_a_path_in_a_column_of_links_is_told_where_it_belongs(read, place):
    reading = read(f"url\n{place}\n")
    assert faults(reading) == [(2, Outcome.BAD_LINK)]
    assert "`path`" in reading.faults[0].detail


def test_a_link_in_a_column_of_paths_is_told_where_it_belongs(read):
    reading = read("path\nhttps://a.example/1.mp4\n")
    assert faults(reading) == [(2, Outcome.BAD_LINK)] and "`url`" in reading.faults[0].detail


def test_a_place_in_a_video_is_no_part_of_its_link_and_a_route_is(read):
    reading = read("url\nhttps://a.example/1.mp4#t=1.2\nhttps://a.example/#!/v/1\nhttps://a.example/#/v/2\n")
    assert [row.link for row in reading.rows] == [
        "https://a.example/1.mp4",
        "https://a.example/#!/v/1",
        "https://a.example/#/v/2",
    ]
    assert len({row.source_id for row in reading.rows}) == 3 and reading.faults == []


def test_a_list_of_links_and_paths_is_a_row_a_line(read, tmp_path):
    (tmp_path / "abcdefghijk").touch()
    text = "# mine\nhttps://a.example/1#t=3\r\n\nfilms/a.mp4\njNQXAC9IVRw\nabcdefghijk\ns3://bucket/x.mp4\nhttp://a b\n"
    reading = read(text, "links.txt")
    assert [(row.row, row.name) for row in reading.rows] == [
        (2, "https://a.example/1"),
        (4, str(tmp_path.resolve() / "films" / "a.mp4")),
        (5, "https://www.youtube.com/watch?v=jNQXAC9IVRw"),
        (6, str(tmp_path.resolve() / "abcdefghijk")),
    ]
    assert faults(reading) == [(7, Outcome.BAD_LINK), (8, Outcome.BAD_LINK)]


def test_a_list_of_links_is_known_by_its_content_under_any_other_name(read):
    assert [row.link for row in read("https://a.example/1\n", "todo").rows] == ["https://a.example/1"]


def test_lists_and_cells_of_other_types_are_read_or_told(read):
    lines = [
        {"url": "https://a.example/1", "caption": ["one", "two"], "label": ["dog"]},
        {"url": "https://a.example/2", "caption": [], "start": float("nan"), "label": 3},
        {"url": ["https://a.example/3", "https://a.example/4"]},
        {"url": "https://a.example/5", "caption": {"en": "a dog"}},
        {"url": "https://a.example/6", "start": [1], "end": [[2]]},
    ]
    reading = read("\n".join(map(json.dumps, lines)), "t.jsonl")
    assert [(row.row, row.caption, row.label, row.note) for row in reading.rows] == [
        (1, "one", "dog", "caption is a list of 2; its first entry is taken"),
        (2, "", "3", "caption is an empty list"),
        (5, "", "", ""),
    ]
    assert (reading.rows[2].start_us, reading.rows[2].end_us) == (1_000_000, 2_000_000)
    assert faults(reading) == [(3, Outcome.BAD_LINE), (4, Outcome.BAD_LINE)]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.txt"])
def test_a_line_of_gigabytes_is_a_fault_and_takes_no_memory(tmp_path, name):
    table = tmp_path / name
    table.write_text("url\nhttps://a.example/1\n" if name != "t.jsonl" else '{"url": "https://a.example/1"}\n')
    with table.open("ab") as file:
        file.truncate(20 << 30)
    tracemalloc.start()
    reading = read_sources([table])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(reading.rows) == 1
    assert [fault.outcome for fault in reading.faults][-1] is Outcome.BAD_LINE
    assert most < 100 << 20


def test_a_line_that_is_not_utf8_costs_itself_only(read):
    reading = read(b"url,caption\nhttps://a.example/1,a\nhttps://a.example/2,gr\xf6\xdfe\nhttps://a.example/3,c\n")
    assert [row.link[-1] for row in reading.rows] == ["1", "3"]
    assert faults(reading) == [(3, Outcome.BAD_ENCODING)]
    reading.faults[0].detail.encode()


def test_a_header_in_another_encoding_does_not_hide_the_columns_that_are_known(read):
    reading = read(b"url,l\xe9gende\nhttps://a.example/1,a\n")
    assert len(reading.rows) == 1 and reading.faults == []


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"name,caption\na,b\n", Outcome.MISSING_COLUMN),
        (b"", Outcome.MISSING_COLUMN),
        ("url,caption\nhttps://a.example/1,a\n".encode("utf-16-le"), Outcome.BAD_ENCODING),
    ],
    ids=["no column", "empty", "UTF-16 without a mark"],
)
def test_a_table_without_links_is_one_fault(read, content, outcome):
    reading = read(content)
    assert reading.rows == [] and faults(reading) == [(0, outcome)]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.txt", "balanced_train_segments.csv"])
def test_a_list_that_names_nothing_is_one_fault(read, name):
    texts = {"t.csv": "url,caption\n", "t.jsonl": "\n", "t.txt": "# nothing yet\n"}
    reading = read(texts.get(name, "# YTID, start_seconds, end_seconds, positive_labels\n"), name)
    assert reading.rows == [] and faults(reading) == [(0, Outcome.FILE_MISSING)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("3", "2"),
        ("3", "3"),
        ("-1", "2"),
        ("", "0"),
        ("nan", ""),
        ("inf", ""),
        ("1e300", ""),
        ("soon", ""),
        ("1:75", ""),
        ("1:-5", ""),
        ("1:60:00", ""),
        ("1:2:3:4", ""),
    ],
)
def test_a_span_that_cannot_be_is_a_fault(read, start, end):
    reading = read(f"url,start,end\nhttps://a.example/1,{start},{end}\nhttps://a.example/2,1,2\n")
    assert faults(reading) == [(2, Outcome.BAD_SPAN)]
    assert [row.link[-1] for row in reading.rows] == ["2"]


@pytest.mark.parametrize(
    ("text", "us"), [("0", 0), ("12.3456789", 12_345_679), ("75:00", 4_500_000_000), ("1:02:03.5", 3_723_500_000)]
)
def test_times_are_whole_microseconds(read, text, us):
    assert read(f"url,start\nhttps://a.example/1,{text}\n").rows[0].start_us == us


@pytest.mark.parametrize("link", ["file:///etc/passwd", "ftp://a.example/1", "a.example/1"])
def test_a_link_that_is_not_http_is_a_fault(read, link):
    assert faults(read(f"url\n{link}\n")) == [(2, Outcome.BAD_LINK)]


def test_cells_that_do_not_fit_the_header_are_a_fault_rather_than_a_shifted_row(read):
    reading = read("url,caption,label\nhttps://a.example/1,a dog, barking,dog\nhttps://a.example/2,b,c,,\n")
    assert faults(reading) == [(2, Outcome.BAD_LINE)]
    assert [row.label for row in reading.rows] == ["c"]


def test_a_lone_column_keeps_the_commas_of_its_links(read):
    assert read("url\nhttps://a.example/1,2\n").rows[0].link == "https://a.example/1,2"


def test_short_rows_and_blank_lines_are_fine_and_an_empty_link_is_not(read):
    reading = read("url,caption\n\nhttps://a.example/1\n,only words\n   \n")
    assert len(reading.rows) == 1
    assert faults(reading) == [(4, Outcome.BAD_LINK)]


def test_the_same_span_twice_is_a_duplicate_and_another_span_is_not(read):
    link = "https://A.example:443/1"
    reading = read(f"url,start,end\n{link},0,1\n{link.lower()},0,1\n{link},1,2\nhttps://a.example/1#t,0,1\n")
    assert [row.row for row in reading.rows] == [2, 4]
    assert len({row.source_id for row in reading.rows}) == 1
    assert faults(reading) == [(3, Outcome.DUPLICATE_ROW), (5, Outcome.DUPLICATE_ROW)]
    assert reading.faults[0].detail.endswith("table.csv:2")


def test_relative_paths_begin_at_the_tables_folder(read, tmp_path):
    row = read("path\nsub/a.mp4\n").rows[0]
    assert (row.link, row.path) == (None, (tmp_path / "sub" / "a.mp4").resolve())


def test_reads_json_lines(read):
    lines = [
        {
            "url": "https://a.example/1",
            "start_s": 1,
            "end_s": 2.5,
            "text": "a",
            "class": "dog",
            "license": "CC0",
            "x": [],
        },
        {"URL": "https://a.example/2", "start": None, "caption": "größe"},
    ]
    reading = read("\n".join(map(json.dumps, lines)), "table.jsonl")
    assert reading.faults == []
    assert [(row.start_us, row.end_us, row.caption, row.label, row.licence) for row in reading.rows] == [
        (1_000_000, 2_500_000, "a", "dog", "CC0"),
        (None, None, "größe", "", ""),
    ]


def test_a_bad_json_line_costs_itself_only(read):
    good = b'{"url": "https://a.example/1"}'
    odd = [
        b"{",
        b"[1, 2]",
        b'"text"',
        b"[" * 100_000,
        b'{"url": "https://a.example/\xff"}',
        b'{"url": "https://a/\\ud800"}',
    ]
    reading = read(b"\n".join([*odd, good]), "table.jsonl")
    assert [row.row for row in reading.rows] == [7]
    bad = [Outcome.BAD_LINE] * 4 + [Outcome.BAD_ENCODING] * 2
    assert faults(reading) == list(enumerate(bad, start=1))


def test_every_line_is_a_row_or_a_fault(read):
    lines = ["url,start,end"] + [f"https://a.example/{i % 90},{i % 7},{i % 5}" for i in range(500)]
    reading = read("\n".join(lines))
    assert sorted([row.row for row in reading.rows] + [fault.row for fault in reading.faults]) == list(range(2, 502))


def test_of_columns_with_one_name_the_first_that_says_something_counts(read):
    one, other = "https://a.example/1", "https://a.example/2"
    table = read(f"url,caption,Caption,URL\n{one},a,b,{other}\n,,b,{other}\n")
    assert [(row.link, row.caption) for row in table.rows] == [(one, "a"), (other, "b")]
    lines = read(f'{{"url":"{one}","URL":null,"Caption":"","caption":"a"}}\n', name="a.jsonl")
    assert [(row.link, row.caption) for row in lines.rows] == [(one, "a")]


def test_nuls_are_left_out_of_words_and_no_part_of_links(read):
    reading = read("url,caption\nhttps://a.example/1,a\0b\nhttps://a.example/\0,c\n")
    assert [(row.caption, row.note) for row in reading.rows] == [("ab", "caption holds NULs; they are left out")]
    assert faults(reading) == [(3, Outcome.BAD_LINE)]


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_objects_is_a_table(read, indent):
    entries = [{"url": "https://a.example/1", "caption": "a"}, 7, {"url": "https://a.example/2"}]
    reading = read(json.dumps(entries, indent=indent), name="list.json")
    assert [(row.row, row.link) for row in reading.rows] == [(1, "https://a.example/1"), (3, "https://a.example/2")]
    assert faults(reading) == [(2, Outcome.BAD_LINE)]
    assert faults(read('[{"url": 1}', name="open.json")) == [(0, Outcome.BAD_LINE)]
    assert len(read('{"url": "https://a.example/1"}\n', name="lines.json").rows) == 1


def test_a_table_is_one_under_any_ending(read):
    reading = read("url\tcaption\nhttps://a.example/1\ta\n", name="list.tab")
    assert [(row.link, row.caption) for row in reading.rows] == [("https://a.example/1", "a")]


def test_a_comment_may_stand_behind_a_link(read):
    reading = read("https://a.example/1 # mine\nhttps://a.example/2#t=3\n", name="list.txt")
    assert [row.link for row in reading.rows] == ["https://a.example/1", "https://a.example/2"]


def test_vggsound_s_list_may_have_all_cells_quoted(read):
    reading = read('"abcdefghijk","30","dog, barking","train"\n')
    assert [(row.start_us, row.label, row.split) for row in reading.rows] == [(30_000_000, "dog, barking", "train")]
