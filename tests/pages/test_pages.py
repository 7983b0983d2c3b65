"""Pages of every kind as those who read them have them: valid, for keys and screen readers, narrow, and on paper."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.report_pages import PAGES, PRINTED, write_pages

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
TOOLS = Path(__file__).parents[2] / "build" / "pages" / "node_modules"  # tests/pages.sh fetches them
STOPS = 120  # of the Tab key, at which browser.cjs ends
SURE = "color-contrast: "  # of texts in plots, and of those that are scrolled out of sight, axe is never sure


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if not TOOLS.is_dir():
        pytest.skip("their checkers are not here: make test-pages fetches them")
    return write_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def opened(pages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What Chromium found on each page, and the folder of their prints and of what their scripts made of them."""
    chromium = next(path for name in CHROMIUM if (path := shutil.which(name)))
    folder = tmp_path_factory.mktemp("opened")
    script = Path(__file__).with_name("browser.cjs")
    named = [f"{name}={page}" for name, page in pages.items()]
    run = subprocess.run(
        ["node", script, chromium, folder, *named],
        env={**os.environ, "NODE_PATH": str(TOOLS)},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    return json.loads(run.stdout), folder


def complaints(files: list[Path]) -> list[str]:
    """What the W3C's checker has against files of HTML, errors and warnings."""
    jar = TOOLS / "vnu-jar" / "build" / "dist" / "vnu.jar"
    command = ["java", "-jar", jar, "--format", "json", "--stdout", "--exit-zero-always", *files]
    messages = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["messages"]
    return [f"{message['url']}:{message.get('lastLine')}: {message['message']}" for message in messages]


def pictures(print_: Path) -> int:
    """Images in a PDF of Chromium's."""
    return len(re.findall(rb"/Subtype\s*/Image\b", print_.read_bytes()))


def test_pages_are_valid(pages: dict[str, Path]):
    assert complaints(list(pages.values())) == []


def test_what_scripts_make_of_pages_is_valid(opened: tuple[dict[str, Any], Path]):
    _, folder = opened
    assert complaints(sorted(folder.glob("*.html"))) == []


def test_the_checker_complains(tmp_path: Path, pages: dict[str, Path]):
    wrong = tmp_path / "wrong.html"
    wrong.write_text(pages["nothing"].read_text().replace("<dt>", "<p>").replace("</dt>", "</p>"))
    assert complaints([wrong])


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(name: str, scheme: str, opened: tuple[dict[str, Any], Path]):
    found = opened[0][name][scheme]
    assert found["violations"] == []
    assert [line for line in found["unsure"] if not line.startswith(SURE)] == []
    assert found["errors"] == []


@pytest.mark.parametrize("name", PAGES)
def test_keys_go_through_the_page_in_the_order_of_reading(name: str, opened: tuple[dict[str, Any], Path]):
    stops = opened[0][name]["stops"]
    assert all(stop["outlined"] and stop["inSight"] for stop in stops)
    tiles = [stop["tile"] for stop in stops if stop["tile"] is not None]
    assert tiles == sorted(tiles)
    if name == "measured":
        assert len(tiles) == 95  # of 96, one of which was dropped
    if name in ("printed", "large"):
        assert len(stops) == STOPS


@pytest.mark.parametrize("name", ["measured", "printed", "large"])
def test_the_focus_survives_scrolling_and_a_narrow_window(name: str, opened: tuple[dict[str, Any], Path]):
    focus = opened[0][name]["focus"]
    assert focus["before"].startswith("a portrait of")
    assert focus["after"] == [focus["before"]] * 3
    assert focus["shown"] < 200  # of thousands


@pytest.mark.parametrize("name", PAGES)
def test_narrow_pages_scroll_one_way(name: str, opened: tuple[dict[str, Any], Path]):
    assert opened[0][name]["beyondNarrow"] <= 0


@pytest.mark.parametrize(
    ("name", "images"),
    [("measured", 95), ("printed", PRINTED), ("audit", 120), ("characters", 47)],  # one of 96 has no thumbnail
)
def test_a_print_holds_all_images(name: str, images: int, opened: tuple[dict[str, Any], Path]):
    assert pictures(opened[1] / f"{name}.pdf") == images


def test_what_lies_beside_a_page_is_printed_by_its_button(opened: tuple[dict[str, Any], Path]):
    _, folder = opened
    assert pictures(folder / "large-button.pdf") == 2264
