"""Face banks: read and written, by URI."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from face0.embedders.identity import Identity, identity_of
from face0.embedders.metadata import VectorMetadata
from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.folder import Folder
from face0.io.secrets import public_text, public_values
from face0.io.text import composed
from schemas.face_bank import READABLE, Kind, face_bank

FACES_PER_ROW_GROUP = 1024  # of a row group


@dataclass(frozen=True, kw_only=True)
class BankFace:
    """One face of a bank: see ``schemas.face_bank``.

    Attributes:
        face_id: names the face in its bank.
        vector: conditioning vector, float32 [dim]; None: there is none, and ``note`` says why.
        identity_vector: float32 [d] at unit length; None: it is not known.
        kind: how the face was made.
        provenance: what it was made of, as JSON values.
        portrait: JPEG; None: there is none.
        note: a sentence for a person; empty if all is well.
    """

    face_id: str
    vector: np.ndarray | None
    identity_vector: np.ndarray | None = None
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

    def find(self, name: str) -> BankFace | None:
        """The face of an id, in whichever Unicode form either is; None if there is none."""
        return self.faces.get(name) or self._by_composed.get(composed(name))

    @cached_property
    def _by_composed(self) -> Mapping[str, BankFace]:
        return {composed(face_id): face for face_id, face in self.faces.items()}

    def vectors(self) -> tuple[list[str], np.ndarray]:
        """Ids and vectors, float32 [n, dim], of the faces that have one."""
        usable = [face for face in self.faces.values() if face.vector is not None]
        vectors = np.array([face.vector for face in usable], np.float32).reshape(len(usable), self.dim)
        return [face.face_id for face in usable], vectors

    def identity_vectors(self) -> tuple[list[str], np.ndarray]:
        """Ids and identity vectors, float32 [n, d] at unit length, of the faces that have a vector.

        Raises:
            UsageError: a face has a vector and no identity vector: see ``identified``.
        """
        usable = [face for face in self.faces.values() if face.vector is not None]
        vectors = [face.identity_vector for face in usable if face.identity_vector is not None]
        if len(vectors) < len(usable):
            (first, *_) = [face.face_id for face in usable if face.identity_vector is None]
            raise UsageError(
                f"the face {first!r} has no identity vector, by which people are told apart: that takes the weights of "
                f"its embedder, {self.embedder.get('name')}; put them into their usual place, or name them by --weights"
            )
        return [face.face_id for face in usable], np.array(vectors, np.float32).reshape(len(usable), -1)

    def identified(self, weights: str | None = None) -> "FaceBank":
        """The bank with the identity vectors that it lacks, as far as they can be had: see ``identified``."""
        faces = {face.face_id: face for face in identified(self.faces.values(), self.embedder, weights)}
        return replace(self, faces=faces)


def identified(
    faces: Iterable[BankFace], embedder: Mapping[str, Any], weights: str | None = None
) -> Iterator[BankFace]:
    """Adds identity vectors to the faces that have a vector and lack it: those of banks of version 1, draws, edits.

    Where the weights of the embedder are not there, faces are left without.

    Args:
        faces: of a bank.
        embedder: what made their vectors, as in the metadata of a bank.
        weights: URI of the weights, where they are not in their usual place.
    """

    @cache  # loaded once, and only if a face lacks it
    def load() -> Identity | None:
        try:
            return identity_of(embedder, weights)
        except UsageError:
            return None

    for face in faces:
        if face.vector is None or face.identity_vector is not None or (identity := load()) is None:
            yield face
        else:
            yield replace(face, identity_vector=identity(face.vector[None])[0])


def read_bank(uri: str) -> FaceBank:
    """Reads a bank.

    Raises:
        UsageError: there is none, or a face_id stands in it twice.
    """
    try:
        with storage.open_uri(uri) as file:
            table = pq.read_table(file)
    except StorageError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"cannot read the bank {uri}: {error}; make one with `face0 faces from-photos`") from error
    metadata = VectorMetadata.of(table.schema.metadata)
    metadata.refuse_other_schema(uri, "face_bank", READABLE, "make a bank with `face0 faces`")
    faces: dict[str, BankFace] = {}
    for batch in table.to_batches(max_chunksize=FACES_PER_ROW_GROUP):
        for row in batch.to_pylist():
            if row["face_id"] in faces:
                raise UsageError(f"{uri} has the face_id {row['face_id']!r} twice: rename one")
            faces[row["face_id"]] = BankFace(
                face_id=row["face_id"],
                vector=_array(row["vector"]),
                identity_vector=_array(row.get("identity_vector")),
                kind=Kind(row["kind"]),
                provenance=json.loads(row["provenance"]),
                portrait=row["portrait"],
                note=row["note"],
            )
    return FaceBank(faces=faces, dim=metadata.dim, embedder=metadata.embedder)


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
    folder, name = Folder.of_file(uri)
    ids: set[str] = set()
    with (
        folder.write(name) as file,
        pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer,
    ):
        left = iter(faces)
        while rows := list(itertools.islice(left, FACES_PER_ROW_GROUP)):
            for face in rows:
                if face.face_id in ids:
                    raise UsageError(f"the face_id {face.face_id!r} comes twice: give each face a name of its own")
                ids.add(face.face_id)
            writer.write_table(pa.Table.from_pylist([_row(face) for face in rows], schema=schema))
    return len(ids)


def _row(face: BankFace) -> dict[str, Any]:
    return {
        "face_id": face.face_id,
        "vector": _array(face.vector),
        "identity_vector": _array(face.identity_vector),
        "kind": str(face.kind),
        "provenance": json.dumps(public_values(face.provenance), sort_keys=True),
        "portrait": face.portrait,
        "note": public_text(face.note),
    }


def _array(values: Any) -> np.ndarray | None:
    return None if values is None else np.asarray(values, np.float32)
