"""Names of the data files of a task: ``<table>/<task id>.parquet``, and the revisions that replace it."""

import re

_REVISED = re.compile(r"(?P<task>.+)\.(?P<number>\d+)\.parquet")


def data_file(table: str, task_id: str, revision: int = 0) -> str:
    """The name of a task's table: its first one, or the revision that took its place.

    >>> data_file("shards", "a-1"), data_file("shards", "a-1", 2)
    ('shards/a-1.parquet', 'shards/a-1.2.parquet')
    """
    return f"{table}/{task_id}{f'.{revision}' if revision else ''}.parquet"


def task_and_revision(name: str) -> tuple[str, int]:
    """The task that a data file belongs to, and which revision it is.

    >>> task_and_revision("shards/a-1.2.parquet"), task_and_revision("failures/a-1.parquet")
    (('a-1', 2), ('a-1', 0))
    """
    base = name.rpartition("/")[2]
    if match := _REVISED.fullmatch(base):
        return match["task"], int(match["number"])
    return base.removesuffix(".parquet"), 0
