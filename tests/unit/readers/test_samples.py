"""Names of tasks: readable, and unique by what a split holds."""

from dataclasses import replace

import pytest

from face0.readers.samples import Split

SPLIT = Split(reader="uri_list", uri="s3://bucket/list.csv", size=100, start=7, stop=90, first_row=3, rows=5)


@pytest.mark.parametrize(
    "change", [{"uri": "s3://other/list.csv"}, {"start": 8}, {"stop": None}, {"names": ("a.jpg",)}]
)
def test_another_part_is_another_task(change):
    assert replace(SPLIT, **change).task_id != SPLIT.task_id


def test_a_file_that_has_grown_is_the_same_task():
    """So that a resumed job finds its commit, and sees that the input has changed."""
    assert replace(SPLIT, size=200, rows=None).task_id == SPLIT.task_id


@pytest.mark.parametrize(
    ("uri", "start"),
    [("/data/a b.c.tar", "a_b-00000003-"), ("/data/猫.tar", "_-00000003-"), ("/data/folder/", "folder-00000003-")],
)
def test_a_task_is_named_after_its_file_and_first_row(uri, start):
    assert replace(SPLIT, uri=uri).task_id.startswith(start)
