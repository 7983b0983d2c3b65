"""Prompts of a file."""

from pathlib import Path

import pytest

from face0.errors import UsageError
from face0.generation.prompts import read_prompts


def test_prompts_are_lines_or_a_column_each_once(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a cat\n\n  a dog \na cat\n")
    (tmp_path / "p.tsv").write_text("Prompt\tCategory\na cat\tAnimals\na dog\tAnimals\n")
    assert read_prompts(str(tmp_path / "p.txt")) == read_prompts(str(tmp_path / "p.tsv")) == ["a cat", "a dog"]
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UsageError, match="holds no prompts"):
        read_prompts(str(tmp_path / "empty.txt"))
