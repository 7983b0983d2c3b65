"""People who are looked for: their faces, and what counts as one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face0.embedders.identity import Identity
from face0.faces.bank import FaceBank
from face0.faces.deny_list import Matcher, refuse_missing_vectors
from face0.io.secrets import public
from face0.io.storage import absolute


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Whom to forget.

    Attributes:
        uri: of the bank of their faces, or of their photographs; in its public form.
        faces: their ids.
        embedder: of their vectors.
        dim: length of a conditioning vector.
        like: tells whether a face is like one of theirs.
        identity: from conditioning vectors to those that ``like`` compares.
        photographs: SHA-256 of those that their faces were made of.
    """

    uri: str
    faces: Sequence[str]
    embedder: Mapping[str, str]
    dim: int
    like: Matcher
    identity: Identity
    photographs: frozenset[str]

    def similarity(self, vectors: np.ndarray) -> np.ndarray:
        """The largest cosine of each of n faces, conditioning vectors [n, dim], to one of the people: float32 [n]."""
        if not len(vectors):
            return np.empty(0, np.float32)
        return self.like.similarity(self.identity(vectors.astype(np.float32)))


def subjects_of(uri: str, bank: FaceBank, threshold: float, identity: Identity) -> Subjects:
    """The people of a bank.

    Args:
        uri: of the bank, or of the photographs that it was made of.
        bank: their faces, all with a vector.
        threshold: cosine of identity vectors from which a face counts as one of theirs.
        identity: of the bank's embedder.

    Raises:
        UsageError: a face has no vector, or there are none.
    """
    refuse_missing_vectors(uri, bank)
    names, vectors = bank.vectors()
    sources = [source for face in bank.faces.values() for source in face.provenance.get("sources", ())]
    return Subjects(
        uri=public(absolute(uri)),
        faces=names,
        embedder=bank.embedder,
        dim=bank.dim,
        like=Matcher(identity(vectors), threshold),
        identity=identity,
        photographs=frozenset(source["sha256"] for source in sources if source.get("sha256")),
    )
