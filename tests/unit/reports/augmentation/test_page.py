"""The page about an output of augment: its sums are the stats', and nothing of an input becomes markup."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from face0.errors import UsageError
from face0.reports.augmentation.page import write_augmentation
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import face_shard
from schemas.failures import Failure, Reason, Stage
from schemas.job import TaskStats
from tests.fixtures.shards import Part, row, write

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    folder = OutputFolder(str(tmp_path / "out"))
    folder.prepare("augment", {"inputs": ["https://me:secret@example.org/a.tar"], "deny": None, "resolution": 512})
    write(folder.uri, [[[row(0, caption=EVIL), row(1, faces=3)]]], finish=False)
    with folder.commit(Part(number=9)) as output:
        output.table("shards", face_shard(4, {"name": "e"}))
        output.ledger.read = 5
        output.ledger.no_face, output.ledger.filtered = 2, 1
        output.notes["images have two captions"] = 7
        for key in (EVIL, "k2"):
            output.fail(Failure(key=key, source=EVIL, stage=Stage.DECODE, reason=Reason.EMPTY, message=EVIL))
    return folder


def page(folder: OutputFolder, tasks: dict[str, TaskStats] | None = None) -> str:
    uri = write_augmentation(folder, folder.committed() if tasks is None else tasks)
    assert uri == folder.join("report.html")
    return Path(uri).read_text()


def test_the_ledger_is_shown_in_words_figures_and_over_time(folder):
    text = page(folder)
    assert "read 7 = written 2 + no_face 2 + filtered 1 + failed 2" in text
    assert "written: 28.6; no_face: 28.6; filtered: 14.3; failed: 28.6" in text
    assert "<title>Rows a second</title>" in text
    assert "Not finished" in text
    assert "7 images have two captions" in text


def test_distributions_and_pictures_are_of_the_rows(folder):
    text = page(folder)
    assert "Of all 2 rows, with 4 faces" in text
    assert text.count("data:image/jpeg;base64,") == 2
    titles = re.findall(r"<figcaption>([^<]*)</figcaption>", text)
    assert titles[1:] == [
        "Faces of an image",
        "Face: shorter side, pixels of the stored image",
        "Face: share of the image, per cent",
        "Face: the detector&#39;s score",
        "Caption: characters",
        "Caption: words and signs",
    ]


def test_nothing_of_an_input_becomes_markup_and_no_secret_shows(folder):
    text = page(folder)
    assert EVIL not in text
    assert "<script" not in text
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x onerror=alert(2)&gt;") >= 3
    assert "secret" not in text


def test_each_table_has_a_name_of_its_own(folder):
    names = re.findall(r'role="region" aria-label="([^"]*)"', page(folder))
    assert len(names) == len(set(names)) == page(folder).count("<table>")


def test_stats_of_an_earlier_version_do_not_say_when(folder):
    tasks = {name: replace(stats, ended=0.0) for name, stats in folder.committed().items()}
    assert "which did not say when" in page(folder, tasks)
    (first, *_) = tasks
    mixed = {**folder.committed(), first: tasks[first]}
    assert "1 tasks, which an earlier version has committed, do not say when" in page(folder, mixed)


def test_a_picture_that_does_not_decode_is_left_out(tmp_path: Path):
    folder = OutputFolder(str(tmp_path))
    folder.prepare("augment", {})
    write(folder.uri, [[[row(0, image=b"torn"), row(1)]]])
    assert page(folder).count("data:image/jpeg;base64,") == 1


def test_an_output_without_rows_has_a_page(tmp_path: Path):
    folder = OutputFolder(str(tmp_path))
    folder.prepare("augment", {})
    assert "read 0 = written 0" in page(folder, {})


def test_a_folder_without_a_job_has_none(tmp_path: Path):
    with pytest.raises(UsageError, match=r"holds no job\.json"):
        write_augmentation(OutputFolder(str(tmp_path)), {})
