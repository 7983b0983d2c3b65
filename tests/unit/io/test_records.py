"""Records of CSV, TSV and JSONL, whatever stands in them."""

import io
from itertools import pairwise

import pytest

from face0.io.records import MAX_RECORD_LINES, Malformed, Record, csv_records, json_records


def records(text: str, delimiter: str = ",", width: int | None = 2) -> list[Record]:
    data = text.encode()
    found = list(csv_records(io.BytesIO(data), 0, delimiter, width=width, is_row=lambda fields: "." in fields[0]))
    # Together they are the file, but for blank lines, and each can be read from its own beginning.
    assert all(one.stop <= other.start for one, other in pairwise(found))
    for record in found:
        again = next(csv_records(io.BytesIO(data), record.start, delimiter, width=width, is_row=lambda f: "." in f[0]))
        assert (again.start, again.stop, str(again.content)) == (record.start, record.stop, str(record.content))
    return found


def contents(text: str, delimiter: str = ",", width: int | None = 2) -> list[list[str] | None]:
    return [record.content if isinstance(record.content, list) else None for record in records(text, delimiter, width)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a.jpg,"b, c"\n', [["a.jpg", "b, c"]]),
        ('a.jpg,"two\nlines, ""three"""\r\nb.jpg,b', [["a.jpg", 'two\nlines, "three"'], ["b.jpg", "b"]]),
        ('a.jpg,12" wide\n', [["a.jpg", '12" wide']]),
        ('a.jpg,"b" c\n', [["a.jpg", '"b" c']]),
        ('a.jpg,"b \\"c\\", d"\nb.jpg,"\\"b\\""\n', [["a.jpg", 'b "c", d'], ["b.jpg", '"b"']]),
        ('a.jpg,"b\\c"\n', [["a.jpg", "b\\c"]]),
        ('a.jpg,"b\nb.jpg,c\n', [None, ["b.jpg", "c"]]),
        ('a.jpg,"b\nb.jpg,c 12"\nd.jpg,d\n', [None, ["b.jpg", 'c 12"'], ["d.jpg", "d"]]),
        ('a.jpg,"b\nb.jpg,"c\nd.jpg,d\n', [None, None, ["d.jpg", "d"]]),
        ("\n\na.jpg,b\n\n", [["a.jpg", "b"]]),
    ],
)
def test_csv(text, expected):
    assert contents(text) == expected


def test_quotation_mark_that_is_open_for_long_is_a_stray_one():
    rows = "".join(f"{i}.jpg,x\n" for i in range(3 * MAX_RECORD_LINES))
    first, *others = records('a.jpg,"b\n' + rows + 'z.jpg,12"\n')
    assert isinstance(first.content, Malformed)
    assert "stray" in str(first.content)
    assert len(others) == 3 * MAX_RECORD_LINES + 1


def test_many_stray_quotation_marks_are_looked_behind_less_and_less():
    class Counted(io.BytesIO):
        lines = 0

        def readline(self, size=-1):
            self.lines += 1
            return super().readline(size)

    file = Counted(b'"' + b'a\nb","' * 1000 + b"\n" + b"a.jpg,x\n" * MAX_RECORD_LINES + b'b.jpg,"two\nlines"\n')
    found = list(csv_records(file, 0, ",", width=2))
    assert file.lines < 5 * len(found)
    assert found[-1].content == ["b.jpg", "two\nlines"]
    assert [record.content for record in found[-1 - MAX_RECORD_LINES : -1]] == [["a.jpg", "x"]] * MAX_RECORD_LINES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a.jpg\t"b\nb.jpg\tc"\n', [["a.jpg", '"b'], ["b.jpg", 'c"']]),
        ('a.jpg\t"b ""c"""\n', [["a.jpg", 'b "c"']]),
        ('a.jpg\t"b" and "c"\n', [["a.jpg", '"b" and "c"']]),
        ('a.jpg\t"b \\"c\\""\n', [["a.jpg", 'b "c"']]),
        ('a.jpg\t"b\tc"\n', [["a.jpg", "b\tc"]]),
        ('a.jpg\t"two\nlines"\nb.jpg\tb\n', [None, ["b.jpg", "b"]]),
        ('"two\nlines"\ta.jpg\nb\tb.jpg\n', [None, ["b", "b.jpg"]]),
        ("a.jpg\tb\tc\n", [["a.jpg", "b", "c"]]),
    ],
)
def test_tsv(text, expected):
    assert contents(text, "\t") == expected


def test_one_column_of_tsv_has_a_row_a_line():
    assert contents('"a\nb"\n"c"\n', "\t", 1) == [['"a'], ['b"'], ["c"]]


def test_jsonl_has_a_record_a_line():
    found = list(json_records(io.BytesIO(b'\xef\xbb\xbf{"a": 1}\n\n{"a": "\\n"}'), 0))
    assert [record.content for record in found] == [b'\xef\xbb\xbf{"a": 1}\n', b'{"a": "\\n"}']
