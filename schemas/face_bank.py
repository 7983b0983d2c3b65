"""The face bank: faces as vectors, each with how it was made and from what."""

from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa

from schemas.vectors import vectors

VERSION = "3"
READABLE = ("1", "2", "3")  # the first has no identity vectors


class Kind(StrEnum):
    """How a bank's vector was made."""

    PHOTOS = "photos"  # weighted mean of the faces of photographs
    SHARD = "shard"  # a row of a face shard
    RANDOM = "random"  # a draw from a face space
    MIX = "mix"  # between two faces
    DIRECTION = "direction"  # a face moved along the difference of two others
    NOISE = "noise"  # a face with noise on it
    RESULT = "result"  # the face of a generated image


def face_bank(dim: int, embedder: Mapping[str, str] | None = None) -> pa.Schema:
    """The Arrow schema of a face bank.

    Args:
        dim: length of a vector.
        embedder: what made the vectors: the metadata of the shards or of the embedder.
    """
    return pa.schema(
        [
            pa.field("face_id", pa.string(), nullable=False),  # names the face, once in the bank
            # The conditioning vector, ``face0.embedding_dim`` long; null if there is none, and then ``note`` says why
            pa.field("vector", vectors()),
            # What tells people apart, by the same embedder, at unit length; null: there is no vector, or the embedder's
            # weights were not there as the bank was written
            pa.field("identity_vector", vectors()),
            pa.field("kind", pa.string(), nullable=False),  # how the vector was made: photos, shard, random, ...
            # JSON: {"sources": [{...}], ...}. A source is {"uri", "sha256", "box", "weight"} for a photograph,
            # {"key", "source", "sha256"} for a row of a shard, {"face_id"} for a face of a bank, {"request_id"} for an
            # image that was made; beside them the parameters of the kind
            pa.field("provenance", pa.string(), nullable=False),
            pa.field("portrait", pa.binary()),  # JPEG of the face with some of its surroundings, if there is a picture
            pa.field("note", pa.string(), nullable=False),  # a sentence for a person; empty if all is well
        ],
        metadata={
            "face0.schema": "face_bank",
            "face0.version": VERSION,
            "face0.embedding_dim": str(dim),
            **{f"face0.embedder.{name}": str(value) for name, value in (embedder or {}).items()},
        },
    )
