"""Tars and folders as people have them: a command line in, an output folder and lines on the terminal out."""

import json
import os
from pathlib import Path

import pytest

from tests.fixtures.pictures import assert_complete, augment, captioned, people, rows, success, write_tar


def folder_of(path: Path, members) -> Path:
    path.mkdir(parents=True)
    for name, data in members:
        (path / name).write_bytes(data)
    return path


def test_what_many_rows_share_is_said_once(tmp_path, capsys):
    parts = [(f"p{i:04d}.seg.png", b"a mask") for i in range(4)]
    blips = [(f"q{i:04d}.{ending}", data) for i, (_, data) in enumerate(people(3)) for ending in ("jpg", "blip")]
    tars = [
        write_tar(tmp_path / "a.tar", sorted(captioned(people(4)) + parts)),
        write_tar(tmp_path / "b.tar", sorted(blips)),
    ]
    output = tmp_path / "out"
    assert augment(tars, output, "--max-failures", "3") == 0
    assert_complete(output)
    assert success(output)["ledger"]["read"] == 7
    lines = capsys.readouterr().err.splitlines()
    (line,) = (line for line in lines if "--image-member" in line)
    assert line.startswith("4 further images")
    (line,) = (line for line in lines if "--caption-ending" in line)
    assert line.startswith("3 without a caption: beside it lies .blip")
    assert all("--caption-ending blip" in row["message"] for row in rows(output, "failures"))
    assert sorted(success(output)["notes"].values()) == [3, 4]


def test_the_spelling_of_inputs_is_no_configuration(tmp_path, monkeypatch):
    photos = folder_of(tmp_path / "photos", captioned(people(2)))
    more = write_tar(tmp_path / "more.tar", captioned(people(1, 2)))
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "out"
    assert augment([str(photos), str(more)], output) == 0
    job = output / "job.json"
    # As earlier versions kept them.
    record = json.loads(job.read_text())
    record["config"]["inputs"] = ["photos/", f"{more}"]
    del record["config"]["columns"]["image_member"]
    job.write_text(json.dumps(record))
    stats = {path.name: path.stat().st_mtime_ns for path in (output / "stats").iterdir()}
    for spelling in ("photos/", "./photos", f"file://{photos}", f"{photos}//", "more.tar/../photos"):
        assert augment([str(more), spelling, str(photos)], output) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (output / "stats").iterdir()} == stats
    assert augment([str(more)], output) == 2
    assert augment([str(more), str(photos)], output, "--image-member", "png") == 2


def test_a_link_that_is_allowed_later_is_followed_then(tmp_path, capsys):
    photos = folder_of(tmp_path / "photos", captioned(people(2)))
    elsewhere = folder_of(tmp_path / "elsewhere", captioned(people(2, 2)))
    os.symlink(elsewhere, photos / "more")
    output = tmp_path / "out"
    assert augment(photos, output) == 1
    assert [(row["source"], row["reason"]) for row in rows(output, "failures")] == [(f"{photos}/more", "not_allowed")]
    allow = ("--allow", f"file://{elsewhere}/")
    assert augment(photos, output, *allow) == 2
    assert "--retry-failed not_allowed" in capsys.readouterr().err
    assert augment(photos, output, *allow, "--retry-failed", "not_allowed") == 0
    assert_complete(output)
    assert success(output)["ledger"]["written"] == 4


@pytest.mark.parametrize("place", ["photos/out", "link/out", "photos"])
def test_an_output_among_the_inputs_is_refused(tmp_path, place, capsys):
    photos = folder_of(tmp_path / "photos", captioned(people(1)))
    os.symlink(photos, tmp_path / "link")
    assert augment(photos, tmp_path / place) == 2
    assert "give an --output elsewhere" in capsys.readouterr().err
    assert len(list(photos.iterdir())) == 2
