"""Pictures of rows that failed: of local files, of harmless reasons, in bounded time; and else none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from face0.readers import planning
from face0.readers.fetching import Fetcher
from face0.readers.samples import Columns, Split
from face0.reports.augmentation import failed_pictures as module
from face0.reports.augmentation.failed_pictures import FailedPictures
from face0.reports.augmentation.lost import Example, Lost
from schemas.failures import Failure, Reason, Stage
from schemas.job import Ledger, TaskStats
from tests.fixtures.pictures import picture, write_tar


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    image = picture("coffee", 64)
    return write_tar(
        tmp_path / "in.tar",
        [("a.jpg", image), ("b.jpg", image), ("b.txt", b"coffee"), ("c.jpg", b"torn"), ("d.jpg", image)],
    )


def read(tar: Path, names: str, reason: Reason = Reason.NO_CAPTION, other: Reason | None = None, **change: object):
    """Keys of the rows of which a picture was read, among some that failed."""
    splits = [replace(split, **change) for split in planning.plan([str(tar)], Columns(), 100)]
    task_id = splits[0].task_id
    failures = [
        Failure(key=name, source=f"{splits[0].uri}#{name}.jpg", stage=Stage.READ, reason=reason, message="")
        for name in names
    ]
    lost = [Lost(reason=reason, count=9, examples=[Example(task_id=task_id, failure=failure) for failure in failures])]
    return read_of(splits, {task_id: stats(task_id, other or reason)}, lost)


def read_of(splits: Sequence[Split], tasks: dict[str, TaskStats], lost: Sequence[Lost]) -> list[str]:
    pictures = FailedPictures(planned=splits, columns=Columns(), fetcher=Fetcher(), max_pixels=2**20)
    found = pictures.read(tasks, lost)
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in found.values())
    return sorted(key for key, _ in found)


def stats(task_id: str, reason: Reason) -> TaskStats:
    return TaskStats(task_id=task_id, task={"uri": "in"}, ledger=Ledger(read=9, failed=9), reasons={str(reason): 9})


def test_rows_that_failed_before_anybody_looked_at_their_image_have_pictures(tar):
    assert read(tar, "ad") == ["a", "d"]
    assert read(tar, "a", Reason.DUPLICATE_KEY) == ["a"]


def test_an_image_that_does_not_decode_has_none(tar):
    assert read(tar, "ac") == ["a"]


@pytest.mark.parametrize("reason", sorted(set(Reason) - module.SHOWN))
def test_of_all_other_reasons_nothing_is_read(tar, reason, monkeypatch):
    monkeypatch.setattr(module, "ChildProcess", None)
    assert read(tar, "a", reason) == []


@pytest.mark.parametrize("reason", module.DEADLY)
def test_a_task_with_a_row_that_ended_its_process_is_not_read_again(tar, reason, monkeypatch):
    monkeypatch.setattr(module, "ChildProcess", None)
    assert read(tar, "a", other=reason) == []


@pytest.mark.parametrize("uri", ["https://example.org/in.tar", "s3://bucket/in.tar"])
def test_nothing_is_fetched_from_the_web_or_from_storage_that_costs(tar, uri, monkeypatch):
    monkeypatch.setattr(module, "ChildProcess", None)
    assert read(tar, "a", uri=uri) == []


def test_an_input_that_has_changed_or_gone_has_none(tar):
    assert read(tar, "a", size=7) == []
    splits = list(planning.plan([str(tar)], Columns(), 100))
    tar.unlink()
    failure = Failure(key="a", source=f"{tar}#a.jpg", stage=Stage.READ, reason=Reason.NO_CAPTION, message="")
    lost = [Lost(reason="no_caption", count=1, examples=[Example(task_id=splits[0].task_id, failure=failure)])]
    tasks = {splits[0].task_id: stats(splits[0].task_id, Reason.NO_CAPTION)}
    assert read_of(splits, tasks, lost) == []


class Stuck:
    """A reader that does not come to an end."""

    def __init__(self, *_: object) -> None:
        pass

    def __call__(self, *_: object) -> None:
        import time

        time.sleep(60)


def test_it_takes_no_longer_than_it_may(tar, monkeypatch):
    monkeypatch.setattr(module, "_Reader", Stuck)
    monkeypatch.setattr(module, "SECONDS", 1.0)
    assert read(tar, "a") == []
