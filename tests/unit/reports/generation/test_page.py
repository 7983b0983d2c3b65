"""The report of generate: one page that needs nothing, whatever is in the prompts and however many images there are."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from face0.errors import UsageError
from face0.generation.results import open_results
from face0.io import storage
from face0.reports.generation.images import CHUNK
from face0.reports.generation.page import EMBEDDED, write_report
from schemas.failures import Failure, Reason, Stage
from tests.fixtures.renders import THUMBNAIL, Chunk, commit, row

EVIL = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> &amp; \u2028 \"'"


class Page(HTMLParser):
    """A page as a browser takes it apart: its elements, its visible text, its JSON."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._json: dict[str, list[Any]] = {}
        self._kind: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._kind = dict(attrs).get("data-kind")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._kind = None

    def handle_data(self, data: str) -> None:
        if self._kind:
            self._json.setdefault(self._kind, []).append(json.loads(data))
        else:
            self.text += data

    def json(self, kind: str) -> list[Any]:
        return self._json.get(kind, [])


def opened(uri: str) -> Page:
    with storage.open_uri(write_report(uri)) as file:
        return Page(file.read().decode())


def test_the_page_holds_the_images_the_ledger_and_the_failures(root: str):
    rows = [
        row(0, similarity=0.71239, face_id="face-10"),
        row(1, faces_found=0, face_id="face-9", thumbnail=None, image=None, flagged=True),
    ]
    lost = Failure(key="k1", source="m", stage=Stage.FACES, reason=Reason.OUT_OF_MEMORY, message="does not fit <alone>")
    page = opened(commit(root, rows, [lost]))
    assert "requested 3 = generated 2 + failed 1" in page.text
    assert "does not fit <alone>" in page.text
    assert "out_of_memory" in page.text
    assert "Not finished" not in page.text
    (sheet,), (data,), (pictures,) = page.json("sheet"), page.json("rows"), page.json("thumbnails")
    assert sheet["faces"] == ["face-9", "face-10"]
    assert [sheet["faces"][face] for face in data["face"]] == ["face-10", "face-9"]
    assert data["similarity"] == [0.712, None]  # never a zero in place of a face that was not found
    assert data["found"] == [1, 0]
    assert data["image"] == [rows[0]["image"], None]
    assert pictures == [base64.b64encode(THUMBNAIL).decode(), ""]


def test_prompts_cannot_become_markup(tmp_path: Path):
    fail = Failure(key=EVIL, source=EVIL, stage=Stage.FACES, reason=Reason.OUT_OF_MEMORY, message=EVIL)
    rows = [row(i, prompt=EVIL, face_id=f"{EVIL}{i}", label=EVIL, negative_prompt=EVIL, sampler=EVIL) for i in range(2)]
    page = opened(commit(str(tmp_path / "out"), [dict(each, similarity=0.5, faces_found=0) for each in rows], [fail]))
    assert page.json("sheet")[0]["prompts"] == [EVIL]
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert [attributes.get("data-kind") for attributes in scripts] == ["sheet", "rows", "thumbnails", None]
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_the_page_needs_no_network(tmp_path: Path):
    page = opened(commit(str(tmp_path / "out"), [row(0)]))
    assert not [attributes for _, attributes in page.elements if "src" in attributes or attributes.get("rel")]
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp", (tmp_path / "out" / "report.html").read_text())


def test_settings_that_vary_are_told_apart(tmp_path: Path):
    rows = [row(0, c=0.4), row(1, c=1.0), row(2, face_id=""), row(3, bare=True)]
    page = opened(commit(str(tmp_path / "out"), rows))
    sheet, data = page.json("sheet")[0], page.json("rows")[0]
    assert [sheet["variants"][i] for i in data["variant"]] == [
        "c 0.4",
        "c 1",
        "c 1",
        "c 1",
    ]
    assert [sheet["faces"][i] for i in data["face"]] == ["anna", "anna", "(no face)", "(base model)"]


def test_seeds_beyond_what_javascript_counts_keep_all_their_digits(tmp_path: Path):
    page = opened(commit(str(tmp_path / "out"), [row(0, seed=2**63 - 1), row(1, seed=-7)]))
    assert page.json("rows")[0]["seed"] == [str(2**63 - 1), -7]


def test_ten_thousand_images_stay_out_of_the_page(tmp_path: Path):
    out = tmp_path / "out"
    rows = [
        row(i, prompt=f"prompt {i // 100}", face_id=f"face {i % 10}", seed=i % 100, similarity=0.5, thumbnail=b"%d" % i)
        for i in range(10_000)
    ]
    page = opened(commit(str(out), rows))
    assert (out / "report.html").stat().st_size < 3e6
    assert len(page.elements) < 500
    assert sum(len(part["id"]) for part in page.json("rows")) == 10_000
    assert not page.json("thumbnails")
    assert page.json("sheet")[0]["folder"] == "report"
    files = sorted((out / "report").iterdir())
    assert len(files) == -(-10_000 // CHUNK)
    match = re.fullmatch(r"face0Thumbnails\(7,(\[.*\])\);\n", files[7].read_text())
    assert match
    first = base64.b64decode(json.loads(match[1])[0])
    assert page.json("rows")[0]["id"][7 * CHUNK] == f"{int(first):032x}"


def test_a_report_written_anew_leaves_nothing_of_the_old_one(tmp_path: Path):
    out = tmp_path / "out"
    commit(str(out), [row(i) for i in range(EMBEDDED + 1)])
    write_report(str(out))
    assert (out / "report").is_dir()
    commit(str(out), [row(0)])
    page = opened(str(out))
    assert not (out / "report").exists()
    assert page.json("rows")[0]["id"] == [f"{0:032x}"]
    names = {path.name for path in out.iterdir()}
    assert names == {"_SUCCESS", "failures", "job.json", "report.html", "results", "stats"}


def test_an_unfinished_job_has_a_report_that_says_so(tmp_path: Path):
    page = opened(commit(str(tmp_path / "out"), [row(0)], done=False))
    assert "Not finished" in page.text


def test_a_job_of_failures_only_has_a_report(tmp_path: Path):
    fail = Failure(key="k", source="m", stage=Stage.FACES, reason=Reason.OUT_OF_MEMORY, message="too large")
    out = commit(str(tmp_path / "out"), [], [fail])
    page = opened(out)
    assert "requested 1 = generated 0 + failed 1" in page.text
    assert "too large" in page.text
    with pytest.raises(UsageError, match="all 1 requests failed"):
        open_results(out).table()


def test_rows_come_in_the_order_of_tasks(root: str):
    for name, numbers in (("b", (2, 3)), ("a", (0, 1))):
        commit(root, [row(i) for i in numbers], task=Chunk(task_id=name), done=False)
    assert open_results(root).table(["seed", "prompt"]).to_pydict() == {
        "seed": [0, 1, 2, 3],
        "prompt": ["a portrait"] * 4,
    }


def test_what_is_no_output_of_generate_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="give the --output of face0 generate"):
        write_report(str(tmp_path))
