"""Labels of faces, as people hand them in: a file with a group for each face of a bank."""

import pyarrow as pa

from face0.errors import UsageError
from face0.faces.bank import read_bank
from face0.generation.manifest import read_rows
from face0.statistics.probe import Labels


def read_labels(uri: str, bank_uri: str) -> Labels:
    """The labels of a Parquet, CSV, TSV or JSONL file with the columns ``face_id`` and ``group``.

    Args:
        uri: of the file; faces that it does not name have no label.
        bank_uri: where those faces are.

    Raises:
        UsageError: the file has other columns, or names a face that is not in the bank, or has no vector there.
    """
    table = read_rows(uri)
    if set(table.column_names) != {"face_id", "group"}:
        raise UsageError(f"{uri} has the columns {', '.join(table.column_names)}: give face_id and group")
    bank = read_bank(bank_uri)
    names, vectors = bank.vectors()
    position = {name: i for i, name in enumerate(names)}
    asked = table["face_id"].cast(pa.string()).to_pylist()
    if unknown := [name for name in asked if name not in position]:
        raise UsageError(
            f"{uri} labels {unknown[0]!r}, which {bank_uri} has no vector of; {len(unknown):,} are like it"
        )
    return Labels(
        name=uri.rsplit("/", 1)[-1].rsplit(".", 1)[0],
        face_ids=asked,
        groups=table["group"].cast(pa.string()).to_pylist(),
        vectors=vectors[[position[name] for name in asked]],
    )
