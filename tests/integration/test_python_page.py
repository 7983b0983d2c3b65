"""The page of the names people need: its lines run, in their order, and the names come from where it says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import face0
from face0.faces.space import FaceSpace
from face0.model.guidance import Guidance
from tests.fixtures.audit_simulation import rendered
from tests.fixtures.models import tiny_pipeline, write_model
from tests.fixtures.pictures import people
from tests.fixtures.renders import row

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-python.md"
LARGE = ("torch", "diffusers", "transformers", "pyarrow", "apache_beam", "numpy", "scipy")


@pytest.fixture
def folder(tmp_path: Path, shards: Path, space: Path) -> Path:
    """What the page has at hand: photographs, and outputs of the jobs."""
    ((_, photograph),) = people(1)
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "anna.jpg").write_bytes(photograph)
    shutil.copytree(shards, tmp_path / "shards")
    shutil.copytree(space, tmp_path / "space")
    record = FaceSpace.load(str(space)).record
    write_model(tmp_path / "model", tiny_pipeline(dim=record.dim), record.embedder)
    rendered(str(tmp_path / "renders"), [row(i, label=("base", "random")[i % 2], similarity=0.5) for i in range(8)])
    return tmp_path


def test_the_lines_of_the_page_run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(folder)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 10
    names: dict[str, object] = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"block {number} of {PAGE.name}", "exec"), names)
    assert "rendered without --judge" not in capsys.readouterr().err
    assert sorted(path.name for path in (folder / "report").iterdir()) == [
        "README.md",
        "measures.parquet",
        "report.html",
        "summary.json",
    ]
    assert (folder / "anna.png").is_file()


def test_the_names_of_the_page_are_those_of_the_package() -> None:
    headings = re.findall(r"^## \d+\. .*`(\w+)`$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(headings) == 10
    assert set(face0.__all__) == {*headings, "UsageError", "show_progress"}
    for name in face0.__all__:
        assert getattr(face0, name).__name__ == name
        assert name in dir(face0)
    assert face0.Guidance is Guidance


def test_to_import_the_package_loads_no_large_library_and_its_help_teaches() -> None:
    code = f"import sys, face0; print([name for name in {LARGE} if name in sys.modules]); help(face0)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, text = run.stdout.split("\n", 1)
    assert first == "[]"
    for told in ("use-from-python", "Face0Pipeline.from_pretrained", "read_bank(", "show_progress"):
        assert told in text
