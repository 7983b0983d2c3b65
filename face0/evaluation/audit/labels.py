"""Labels of faces, as people hand them in: a file with a group for each face of a bank."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face0.errors import UsageError
from face0.faces.bank import FaceBank
from face0.io.secrets import public
from face0.io.tables import as_text, read_rows
from face0.io.text import composed


@dataclass(frozen=True, eq=False, kw_only=True)
class Labels:
    """Faces that somebody has put into groups. Of vectors, not of people in generated images.

    Attributes:
        name: of the label, as the report names it.
        face_ids: of the faces [m].
        groups: of each face [m].
        vectors: identity vectors of the faces, by the conditioning embedder [m, d].
        target: the share of each group, 0..1, that the report compares with; None: equal shares.
        target_name: what those are, as ``census 2021``.
    """

    name: str
    face_ids: Sequence[str]
    groups: Sequence[str]
    vectors: np.ndarray
    target: dict[str, float] | None = None
    target_name: str = "uniform"

    @property
    def names(self) -> list[str]:
        """The groups, sorted."""
        return sorted(set(self.groups))

    def group(self, name: str) -> str:
        """A group, as rows of measures name it."""
        return f"{self.name}: {name}"

    def asked_for(self, name: str) -> str:
        """The images whose face was asked for from a group, as rows of measures name them."""
        return f"{self.name} asked for: {name}"

    def shares(self, names: Sequence[str]) -> np.ndarray:
        """The target's shares of n groups, 0..1: float64 [n]; NaN for a group that it does not name."""
        if self.target is None:
            return np.full(len(names), 1 / len(names))
        return np.array([self.target.get(name, np.nan) for name in names])


def read_labels(uri: str, bank: FaceBank) -> Labels:
    """The labels of a Parquet, CSV, TSV or JSONL file with the columns ``face_id`` and ``group``.

    Args:
        uri: of the file; faces that it does not name have no label.
        bank: where those faces are, with their identity vectors.

    Raises:
        UsageError: the file has other columns, or names a face that is not in the bank, or has no vector there; or the
            bank lacks identity vectors.
    """
    table = read_rows(uri)
    if set(table.column_names) != {"face_id", "group"}:
        raise UsageError(f"{uri} has the columns {', '.join(table.column_names)}: give face_id and group")
    names, vectors = bank.identity_vectors()
    position = {composed(name): i for i, name in enumerate(names)}
    asked = [composed(name) for name in as_text(table["face_id"]).to_pylist()]
    if unknown := [name for name in asked if name not in position]:
        raise UsageError(f"{uri} labels {unknown[0]!r}, which the bank has no vector of; {len(unknown):,} are like it")
    return Labels(
        name=public(uri).rsplit("/", 1)[-1].rsplit(".", 1)[0],
        face_ids=[names[position[name]] for name in asked],
        groups=as_text(table["group"]).to_pylist(),
        vectors=vectors[[position[name] for name in asked]],
    )
