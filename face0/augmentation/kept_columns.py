"""The columns of an input that come along: are they there, and of what type are they?"""

from collections.abc import Mapping, Sequence
from itertools import islice

from face0.errors import UsageError
from face0.readers import planning
from face0.readers.access import Access
from face0.readers.further_columns import type_of
from face0.readers.samples import Columns, Sample, Split
from schemas.face_shard import face_shard

LOOKED_AT = 64  # rows of the first task that has any


def kept_types(
    keep: Mapping[str, str | None], planned: Sequence[Split], columns: Columns, access: Access
) -> dict[str, str]:
    """The type of each column to keep: the given one, or that which holds its values in the first rows of the input.

    Args:
        keep: names, with the types that were given.
        planned: the tasks.
        columns: to read, with all that come along.
        access: what the inputs may name.

    Raises:
        UsageError: none of these rows has a column that comes along, or shards have one of its name.
    """
    for name in keep:
        if name in (own := face_shard(1).names):
            raise UsageError(f"--keep-columns {name}: shards have a column of this name: {', '.join(own)}")
    rows: list[Sample] = []
    for split in planned:
        rows = [row for row in islice(planning.read(split, columns, access), LOOKED_AT) if isinstance(row, Sample)]
        if rows:
            break
    for name in columns.also or ():
        if rows and not any(name in row.values for row in rows):
            raise UsageError(
                f"none of the first {len(rows)} rows of {rows[0].source} has a value {name!r}, which --keep-columns or "
                "--where names: beside an image it is a field of its .json file, in a list or in Parquet a column"
            )
    return {name: kind or type_of(row.values.get(name) for row in rows) for name, kind in keep.items()}
