"""People who are not to be there: jobs that are given a bank of their faces leave them out from the start."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from face0.embedders.metadata import refuse_other_embedder
from face0.errors import UsageError
from face0.faces.bank import FaceBank, read_bank
from face0.io import storage


@dataclass(frozen=True, eq=False)
class Matcher:
    """Tells whether a face is like one of some people's.

    Args:
        vectors: identity vectors of the people, float32 [n, d] at unit length.
        threshold: cosine from which two faces count as one person's.
    """

    vectors: np.ndarray
    threshold: float

    def similarity(self, identity: np.ndarray) -> np.ndarray:
        """The largest cosine of each of m faces to one of the people, float32 [m].

        Args:
            identity: identity vectors [m, d] of the same embedder, at unit length.
        """
        return np.asarray(identity @ self.vectors.T, np.float32).max(axis=1, initial=-1.0)

    def matches(self, identity: np.ndarray) -> np.ndarray:
        """Which of m faces, [m, d] as in ``similarity``, count as one of the people: bool [m]."""
        return self.similarity(identity) >= self.threshold


@dataclass(frozen=True, kw_only=True)
class DenyList:
    """A bank of people to leave out, in values that travel to workers and into ``job.json``. Made by ``read_deny``.

    Attributes:
        bank: URI.
        sha256: of the file, so that a job that goes on has the same people.
        threshold: cosine of identity vectors from which two faces count as one person's.
    """

    bank: str
    sha256: str
    threshold: float

    def load(self, weights: str | None = None) -> Matcher:
        """Reads the identity vectors of the bank.

        Args:
            weights: URI of the weights of its embedder, for a bank that was made where they were not.

        Raises:
            UsageError: the bank is not as it was when the job was planned; or its identity vectors cannot be had.
        """
        if _digest(self.bank) != self.sha256:
            raise UsageError(f"the bank {self.bank} has changed since the job was started: start it again")
        return Matcher(read_bank(self.bank).identified(weights).identity_vectors()[1], self.threshold)


def read_deny(uri: str, threshold: float, embedder: Mapping[str, Any]) -> DenyList:
    """Checks a bank of people to leave out.

    Args:
        uri: of the bank.
        threshold: cosine of identity vectors from which two faces count as one person's.
        embedder: what makes the vectors that the bank's will be compared with: the metadata of a shard or an embedder.

    Raises:
        UsageError: there is no bank, it is of another embedder, or it has faces without a vector, or no faces.
    """
    bank = read_bank(uri)
    refuse_other_embedder(f"the bank {uri}", bank.embedder, "the job", embedder)
    refuse_missing_vectors(uri, bank)
    return DenyList(bank=storage.absolute(uri), sha256=_digest(uri), threshold=threshold)


def refuse_missing_vectors(uri: str, bank: FaceBank) -> None:
    """Raises UsageError unless every face of a bank can be looked for: whoever names a person wants that one found."""
    if not bank.faces:
        raise UsageError(f"the bank {uri} has no faces: name one of the people who are meant")
    for face in bank.faces.values():
        if face.vector is None or not (np.isfinite(face.vector).all() and face.vector.any()):
            raise UsageError(
                f"the face {face.face_id!r} of {uri} has no vector ({face.note or 'not numbers, or all zeros'}), so "
                "nobody can be told by it: make the bank with another photograph, or without this face"
            )


def _digest(uri: str) -> str:
    with storage.open_uri(uri) as file:
        return hashlib.sha256(file.read()).hexdigest()
