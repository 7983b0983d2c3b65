"""Examples of what failed: a few of each reason, and none of people who were taken out."""

from pathlib import Path

import pytest

from face0.reports.augmentation import lost as module
from face0.reports.augmentation.lost import EXAMPLES, read_lost
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import face_shard
from schemas.failures import Failure, Reason, Stage
from tests.fixtures.shards import Part


def commit(folder: OutputFolder, number: int, reasons: list[Reason]) -> None:
    with folder.commit(Part(number=number)) as output:
        output.table("shards", face_shard(4))
        for place, reason in enumerate(reasons):
            output.ledger.read += 1
            key = f"{number}-{place}"
            output.fail(Failure(key=key, source="in.tar", stage=Stage.DECODE, reason=reason, message=f"of {key}"))


def test_the_most_frequent_reason_comes_first_with_a_few_examples(tmp_path: Path):
    folder = OutputFolder(str(tmp_path))
    commit(folder, 0, [Reason.EMPTY] * 8 + [Reason.CORRUPT])
    commit(folder, 1, [Reason.CORRUPT])
    empty, corrupt = read_lost(folder, folder.committed())
    assert (empty.reason, empty.count, len(empty.examples)) == ("empty", 8, EXAMPLES)
    assert [(example.task_id, example.name) for example in corrupt.examples] == [
        ("part-000", ("0-8", "in.tar")),
        ("part-001", ("1-0", "in.tar")),
    ]


def test_of_people_who_were_taken_out_there_are_no_examples(tmp_path: Path):
    folder = OutputFolder(str(tmp_path))
    commit(folder, 0, [Reason.FORGOTTEN, Reason.FORGOTTEN, Reason.EMPTY])
    forgotten, empty = read_lost(folder, folder.committed())
    assert (forgotten.reason, forgotten.count, forgotten.examples) == ("forgotten", 2, [])
    assert len(empty.examples) == 1


def test_few_tasks_are_looked_at_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = OutputFolder(str(tmp_path))
    for number in range(9):
        commit(folder, number, [Reason.EMPTY])
    opened = []
    read = OutputFolder.read_table
    monkeypatch.setattr(OutputFolder, "read_table", lambda *args: opened.append(args) or read(*args))
    (empty,) = read_lost(folder, folder.committed())
    assert (empty.count, len(empty.examples), len(opened)) == (9, module.TASKS, module.TASKS)
