"""Brace patterns, and the files that they name."""

import fsspec
import pytest

from face0.errors import UsageError
from face0.io import braces
from face0.io.braces import expand_braces
from face0.io.storage import expand


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a{0..2}b", ["a0b", "a1b", "a2b"]),
        ("{008..011}", ["008", "009", "010", "011"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{0..9..4}", ["0", "4", "8"]),
        ("{a,b,}c", ["ac", "bc", "c"]),
        ("{a..c}", ["a", "b", "c"]),
        ("{x,y{1..2}}-{p,q}", ["x-p", "x-q", "y1-p", "y1-q", "y2-p", "y2-q"]),
        ("{a}", ["{a}"]),
        ("{a}{b,c}", ["{a}b", "{a}c"]),
        ("a{b,c", ["a{b,c"]),
        ("a}b", ["a}b"]),
    ],
)
def test_patterns_stand_for_what_a_shell_makes_of_them(pattern, names):
    assert expand_braces(pattern) == names


def test_patterns_of_too_many_names_are_refused(monkeypatch):
    monkeypatch.setattr(braces, "MAX_NAMES", 100)
    assert len(expand_braces("{00..99}")) == 100
    for pattern in ("{000..100}", "{0..9}{0..9}{0..9}", "{a," * 1500 + "b" + "}" * 1500):
        with pytest.raises(UsageError):
            expand_braces(pattern)


def test_files_of_a_pattern(tmp_path):
    for name in ("a0.tar", "a1.tar", "b{0..1}.tar", "b0.tar", "b1.tar"):
        (tmp_path / name).touch()
    listed = [file.uri.rpartition("/")[2] for file in expand(f"{tmp_path}/{{a,b}}{{0..1}}.tar")]
    assert listed == ["a0.tar", "a1.tar", "b0.tar", "b1.tar"]
    assert [file.uri for file in expand(f"{tmp_path}/{{a1,b}}*.tar")] == [
        f"{tmp_path}/{name}" for name in ("a1.tar", "b0.tar", "b1.tar", "b{0..1}.tar")
    ]
    # A file whose own name has braces in it is named by that.
    assert [file.uri for file in expand(f"{tmp_path}/b{{0..1}}.tar")] == [f"{tmp_path}/b{{0..1}}.tar"]
    with pytest.raises(UsageError, match=r"a2\.tar"):
        expand(f"{tmp_path}/a{{0..2}}.tar")


def test_files_of_a_pattern_elsewhere():
    for number in range(3):
        with fsspec.open(f"memory://braces/{number:03d}.tar", "wb") as file:
            file.write(b"x")
    assert [file.uri for file in expand("memory://braces/{000..002}.tar")] == [
        f"memory:///braces/{number:03d}.tar" for number in range(3)
    ]
