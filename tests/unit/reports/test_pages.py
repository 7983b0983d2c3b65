"""Pages: what goes into templates cannot become markup, scripts hold any text, and a page is written in pieces."""

import json
import tracemalloc
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from face0.generation.results import open_results
from face0.io.folder import Folder
from face0.reports.pages import PAGE, dumps_for_script, render, write_page
from face0.reports.sections import failures
from schemas.failures import Failure, Reason, Stage
from tests.fixtures.renders import commit

EVIL = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> &amp; \u2028 \"'"


class Scripts(HTMLParser):
    """The scripts of a page, as a browser takes it apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and data.strip():
            self.texts.append(data)


def test_json_in_a_script_holds_any_text():
    page = Scripts(f"<script>{dumps_for_script({'a': [EVIL, None, 0.5]})}</script>")
    assert page.tags == ["script"]
    assert json.loads(page.texts[0]) == {"a": [EVIL, None, 0.5]}
    assert json.loads(dumps_for_script("日本語 \N{GRINNING FACE}")) == "日本語 \N{GRINNING FACE}"


def test_json_in_a_script_holds_no_number_that_json_does_not_have():
    with pytest.raises(ValueError, match="JSON"):
        dumps_for_script(float("nan"))


def test_titles_and_cells_are_escaped(tmp_path: Path):
    lost = Failure(key=EVIL, source=EVIL, stage=Stage.FACES, reason=Reason.OUT_OF_MEMORY, message=EVIL)
    results = open_results(commit(str(tmp_path / "renders"), [], [lost]))
    write_page(Folder(str(tmp_path)), EVIL, [failures(results)])
    page = (tmp_path / PAGE).read_text()
    assert set(Scripts(page).tags) & {"script", "img"} == set()
    assert page.count("&lt;img") == 5  # title, heading, key, source and message


@pytest.mark.parametrize("control", ["\0", "\x1b", "\x85", "\ud800", "\uffff"])
def test_no_character_stands_in_a_page_that_html_may_not_hold(tmp_path: Path, control: str):
    write_page(Folder(str(tmp_path)), f"a{control}b", [])
    page = (tmp_path / PAGE).read_text("utf-8")
    assert "a\ufffdb" in page
    assert control not in page


def test_markup_of_templates_is_not_escaped_again(tmp_path: Path):
    write_page(Folder(str(tmp_path)), "x", [Markup("<section id=one></section>")])
    assert "<section id=one></section>" in (tmp_path / PAGE).read_text()


def test_a_value_that_a_template_names_and_does_not_get_is_an_error():
    with pytest.raises(UndefinedError, match="settings"):
        render("configuration.html", job="x", config=[], versions=[])


def test_a_page_is_written_in_pieces(tmp_path: Path):
    """Forty megabytes of thumbnails are never in memory together."""

    def thumbnails() -> Iterator[list[str]]:
        for _ in range(40):
            yield ["x" * 1_000_000]

    tracemalloc.start()
    write_page(
        Folder(str(tmp_path)),
        "x",
        [],
        "generation/page.html",
        sheet={"prompts": ["x"]},
        rows=[],
        thumbnails=thumbnails(),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / PAGE).stat().st_size > 40e6
    assert peak < 16e6


def test_a_page_that_breaks_off_leaves_the_old_one(tmp_path: Path):
    def sections() -> Iterator[Markup]:
        yield Markup("new")
        raise OSError("gone")

    write_page(Folder(str(tmp_path)), "old", [])
    with pytest.raises(OSError, match="gone"):
        write_page(Folder(str(tmp_path)), "new", sections())
    assert "<h1>old</h1>" in (tmp_path / PAGE).read_text()
