"""Face banks: read and written, by URI."""

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.io import storage
from face0.shards.files import EMBEDDER
from schemas.face_bank import VERSION, Kind, face_bank

FACES_PER_ROW_GROUP = 1024  # of a row group


@dataclass(frozen=True, kw_only=True)
class BankFace:
    """One face of a bank: see ``schemas.face_bank``."""

    face_id: str
    vector: np.ndarray | None  # float32 [dim]
    kind: Kind
    provenance: Mapping[str, Any] = field(default_factory=dict)
    portrait: bytes | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class FaceBank:
    """A bank in memory.

    Attributes:
        faces: by id, in the order of the file.
        dim: length of a vector.
        embedder: what made the vectors; whoever mixes two is refused.
    """

    faces: Mapping[str, BankFace]
    dim: int
    embedder: Mapping[str, str]

    def vectors(self) -> tuple[list[str], np.ndarray]:
        """Ids and vectors [n, dim] of the faces that have one."""
        usable = [face for face in self.faces.values() if face.vector is not None]
        vectors = np.array([face.vector for face in usable], np.float32).reshape(len(usable), self.dim)
        return [face.face_id for face in usable], vectors


def read_bank(uri: str) -> FaceBank:
    """Reads a bank.

    Raises:
        UsageError: there is none, or a face_id stands in it twice.
    """
    try:
        with storage.open_uri(uri) as file:
            table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"cannot read the bank {uri}: {error}; make one with `face0 faces from-photos`") from error
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    kind = metadata.get("face0.schema"), metadata.get("face0.version")
    if kind != ("face_bank", VERSION):
        raise UsageError(
            f"{uri} holds rows of {kind}, not of ('face_bank', {VERSION!r}): make a bank with `face0 faces`"
        )
    faces: dict[str, BankFace] = {}
    for batch in table.to_batches(max_chunksize=FACES_PER_ROW_GROUP):
        for row in batch.to_pylist():
            if row["face_id"] in faces:
                raise UsageError(f"{uri} has the face_id {row['face_id']!r} twice: rename one")
            vector = None if row["vector"] is None else np.array(row["vector"], np.float32)
            faces[row["face_id"]] = BankFace(
                face_id=row["face_id"],
                vector=vector,
                kind=Kind(row["kind"]),
                provenance=json.loads(row["provenance"]),
                portrait=row["portrait"],
                note=row["note"],
            )
    embedder = {key.removeprefix(EMBEDDER): value for key, value in metadata.items() if key.startswith(EMBEDDER)}
    return FaceBank(faces=faces, dim=int(metadata["face0.embedding_dim"]), embedder=embedder)


def write_bank(uri: str, faces: Iterable[BankFace], dim: int, embedder: Mapping[str, Any]) -> int:
    """Writes a bank whole, or not at all; streams, in row groups. Returns the number of rows.

    Args:
        uri: of the Parquet file.
        faces: its rows.
        dim: length of a vector.
        embedder: of the vectors, as in the metadata of face shards.

    Raises:
        UsageError: a face_id comes twice.
    """
    schema = face_bank(dim, embedder)
    folder, _, name = storage.absolute(uri).rpartition("/")
    seen: set[str] = set()
    with (
        storage.write_whole(folder, name) as file,
        pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer,
    ):
        left = iter(faces)
        while rows := list(itertools.islice(left, FACES_PER_ROW_GROUP)):
            for face in rows:
                if face.face_id in seen:
                    raise UsageError(f"the face_id {face.face_id!r} comes twice: give each face a name of its own")
                seen.add(face.face_id)
            writer.write_table(pa.Table.from_pylist([_row(face) for face in rows], schema=schema))
    storage.drop_partial(folder)
    return len(seen)


def _row(face: BankFace) -> dict[str, Any]:
    return {
        "face_id": face.face_id,
        "vector": None if face.vector is None else np.asarray(face.vector, np.float32),
        "kind": str(face.kind),
        "provenance": json.dumps(face.provenance, sort_keys=True),
        "portrait": face.portrait,
        "note": face.note,
    }
