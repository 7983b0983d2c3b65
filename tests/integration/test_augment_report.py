"""The report that the augment job leaves beside its shards, whole: a command line in, a page out."""

import json
import os
import stat
from pathlib import Path

import pytest

from jobs.main import main
from tests.fixtures.pictures import augment, captioned, original, people, rows, write_tar

PICTURE = "data:image/jpeg;base64,"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs of people, one without a caption, one that is no image."""
    return write_tar(
        tmp_path_factory.mktemp("in") / "photos.tar",
        [*captioned(people(4)), ("silent.png", original("coffee")), *captioned([("page.jpg", b"<html>404</html>")])],
    )


@pytest.fixture(scope="module")
def output(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the job makes of them. Not to be written to."""
    folder = tmp_path_factory.mktemp("out") / "shards"
    assert augment(photos, folder, "--max-failures", "2") == 0
    return folder


def page(output: Path) -> str:
    return (output / "report.html").read_text()


def test_it_tells_of_rows_faces_and_failures(output):
    text = page(output)
    assert "read 6 = written 4 + no_face 0 + failed 2" in text
    assert "no_caption: 1 of 1" in text
    assert "not_an_image: 1 of 1" in text
    assert text.count(PICTURE) == 5  # the rows, and the one without a caption
    assert stat.S_IMODE(os.stat(output / "report.html").st_mode) == 0o600


def test_the_last_line_names_it_and_it_is_written_anew(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert augment(photos, out, "--max-failures", "1") == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"look at {out}/report.html"
    (out / "report.html").unlink()
    (next((out / "stats").iterdir())).unlink()
    assert augment(photos, out, "--max-failures", "1") == 1
    assert "read 6 = written 4" in page(out)
    (out / "report.html").write_text("old")
    assert augment(photos, out, "--max-failures", "1") == 1  # with nothing left to do
    assert "read 6 = written 4" in page(out)


def test_stats_say_when_a_task_was_committed(output):
    (path,) = (output / "stats").iterdir()
    record = json.loads(path.read_text())
    assert record["ended"] == pytest.approx(path.stat().st_mtime, abs=60)


def test_where_people_are_left_out_no_failed_row_is_pictured(photos, output, tmp_path):
    bank = tmp_path / "bank.parquet"
    assert main(["faces", "from-shards", str(output), "--key", "p0000", "--output", str(bank)]) == 0
    deny = ["--deny", str(bank), "--deny-threshold", "0.9", "--mostly-theirs"]
    augment(photos, tmp_path / "out", "--max-failures", "100%", *deny)
    assert {row["reason"] for row in rows(tmp_path / "out", "failures")} >= {"denied", "no_caption"}
    assert page(tmp_path / "out").count(PICTURE) == len(rows(tmp_path / "out"))
