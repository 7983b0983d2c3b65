"""The generated pages: `make docs` builds all, and ends at a dead link; here is what it cannot see."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from schemas.description import field_comments
from schemas.failures import Reason

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generate: ModuleType) -> dict[str, str]:
    return dict(generate.pages())


def test_every_generated_page_has_its_place_in_the_navigation(pages: dict[str, str]) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert [path for path in pages if f" {path}\n" not in navigation] == []


def test_every_reason_is_explained(pages: dict[str, str]) -> None:
    explained = re.findall(r"^\| `(\w+)` \| \S", pages["reference/reasons.md"], flags=re.MULTILINE)
    assert sorted(explained) == sorted(Reason)


def test_every_option_says_what_it_is(pages: dict[str, str]) -> None:
    silent = {
        path: re.findall(r"^\| (`[^`]+`) \| (?:\([^)]*\)\.|Needed\.)? *\|$", text, flags=re.MULTILINE)
        for path, text in pages.items()
        if path.startswith("reference/cli/")
    }
    assert {path: options for path, options in silent.items() if options} == {}


def test_a_field_has_the_comment_behind_it_and_those_above() -> None:
    source = """
ID = pa.field("id", pa.string())  # of both
ONE = pa.schema(
    [
        ID,
        pa.field("plain", pa.string()),
        # Numbers, all of them;
        # null: unknown
        pa.field(
            "box", pa.list_(pa.float32())
        ),  # in pixels
        pa.field("same", pa.string()),  # of one
    ]
)
TWO = pa.schema([ID, pa.field("same", pa.string())])  # of two
"""
    assert field_comments(source, "ONE") == {
        "id": "of both.",
        "plain": "",
        "box": "Numbers, all of them; null: unknown. in pixels.",
        "same": "of one.",
    }
    assert field_comments(source, "TWO")["same"] == "of two."


def test_text_from_help_is_no_markdown(generate: ModuleType) -> None:
    assert generate.table(("a",), [(generate.escaped("x_1 | <b> `p|q`"),)]).endswith(r"| x\_1 \| &lt;b&gt; `p|q` |")


def test_the_page_on_faults_names_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "explanation" / "reliability.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "what happens" not in line]
    named = [re.findall(r"`(\w+/[\w/]+\.py)`", row) for row in rows]
    assert all(named)
    assert [name for names in named for name in names if not (ROOT / "tests" / name).is_file()] == []
