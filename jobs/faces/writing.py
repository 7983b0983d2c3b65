"""Writes a bank, and says what there is to say of its faces."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from face0 import faces, runtime
from face0.runtime.progress import PATIENCE


def write(
    output: str, bank: "Iterable[faces.BankFace]", dim: int, embedder: Mapping[str, Any], total: int | None = None
) -> int:
    """Writes the bank; notes on its faces go to stderr. Returns the exit code: 1 if no face has a vector.

    Args:
        output: URI of the bank.
        bank: its faces, which may be made as they are asked for.
        dim: length of their vectors.
        embedder: what made them.
        total: how many faces there will be; None: it is not known.
    """
    without_vector = 0

    def noted() -> "Iterator[faces.BankFace]":
        nonlocal without_vector
        with runtime.ProgressBar(total=total, unit="faces", patience=PATIENCE) as bar:
            for face in bank:
                if face.note:
                    print(f"{face.face_id}: {face.note}", file=sys.stderr)
                without_vector += face.vector is None
                bar.failed = without_vector
                bar.update()
                yield face

    rows = faces.write_bank(output, faces.identified(noted(), embedder), dim, embedder)
    print(f"{output}: {rows:,} faces" + (f", {without_vector:,} of them without a vector" if without_vector else ""))
    return 1 if without_vector == rows else 0
