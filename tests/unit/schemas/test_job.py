"""The JSON records of an output folder are read back as they were, also those of version 0.1."""

import json

import pytest

from schemas.job import DataFile, JobRecord, Ledger, Success, TaskStats

LEDGER = Ledger(read=7, written=4, no_face=1, failed=2)
RECORDS = (
    JobRecord(job="augment", config={"resolution": 512}, versions={"face0": "0.2.0"}),
    TaskStats(
        task_id="t0",
        task={"uri": "in/t0.tar"},
        ledger=LEDGER,
        reasons={"empty": 2},
        totals={"faces": 9},
        files=[DataFile(name="shards/t0.parquet", rows=4, bytes=10, sha256="00")],
        seconds=1.5,
    ),
    Success(tasks=1, ledger=LEDGER, reasons={"empty": 2}, totals={"faces": 9}, task_seconds=1.5),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was_written(record):
    assert type(record).from_json(record.to_json()) == record
    assert json.loads(record.to_json())["version"] == 1


@pytest.mark.parametrize("record", RECORDS[1:], ids=lambda record: type(record).__name__)
def test_ledgers_of_version_0_1_with_a_count_of_rejected_rows_are_read(record):
    before = json.loads(record.to_json())
    before["ledger"]["rejected"] = 0
    assert type(record).from_json(json.dumps(before)) == record


def test_a_ledger_is_balanced_when_every_row_is_accounted_for():
    assert LEDGER.balanced
    assert not Ledger(read=7, written=4, no_face=1, failed=1).balanced
    assert str(LEDGER + LEDGER) == "read 14 = written 8 + no_face 2 + failed 4"
    assert str(Ledger(read=3, filtered=2, failed=1)) == "read 3 = written 0 + no_face 0 + filtered 2 + failed 1"
