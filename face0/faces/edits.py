"""New faces from old: noise, mixtures and directions (paper, section 4). Arithmetic on conditioning vectors."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from face0.embedders.metadata import refuse_other_embedder
from face0.errors import UsageError
from face0.faces.bank import BankFace, read_bank
from face0.io.storage import absolute
from face0.io.text import composed
from face0.runtime.random import normals
from schemas.face_bank import Kind

_NOISE = int.from_bytes(b"noise")  # names the stream of random numbers, so that no other use of a seed shares it
_ROUNDED_AWAY = 1e-6  # the weight of a photograph whose weight in a mean was rounded to 0 as it was written
_SMALL = 1e-6  # radians between two directions, or between one and the opposite of the other, that have no arc


def noisy(vector: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """A face with noise on it; a little gives variety, since a vector alone gives very consistent faces (paper).

    Args:
        vector: float [dim].
        sigma: standard deviation of the noise, in units of the vector's root mean square; 0: as it is.
        seed: decides the noise, the same on any machine.

    Returns:
        float32 [dim].
    """
    values = np.asarray(vector, np.float64)
    scale = sigma * float(np.sqrt(np.mean(values**2)))
    return (values + scale * normals(len(values), _NOISE, seed)).astype(np.float32)


def linear(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Interpolates between two vectors on a straight way: float32 [dim].

    Args:
        start: float [dim].
        end: float [dim].
        share: of the way that is gone, 0..1.
    """
    return (np.asarray(start, np.float64) * (1 - share) + np.asarray(end, np.float64) * share).astype(np.float32)


def spherical(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Interpolates direction and length apart: the direction turns evenly (Shoemake 1985), the length is linear.

    A straight way leads through vectors that are shorter than both ends, and so less of a face.

    Args:
        start: float [dim].
        end: float [dim].
        share: of the way that is gone, 0..1.

    Returns:
        float32 [dim].

    Raises:
        UsageError: a vector is zero, or they point in opposite directions: then there is no one way between.
    """
    first, last = np.asarray(start, np.float64), np.asarray(end, np.float64)
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    if not all(lengths):
        raise UsageError("a vector of zeros has no direction: mix without --spherical")
    first, last = first / lengths[0], last / lengths[1]
    angle = float(np.arccos(np.clip(first @ last, -1, 1)))
    if angle > np.pi - _SMALL:
        raise UsageError("the faces are opposites, with no one way between them: mix without --spherical")
    if angle < _SMALL:
        direction = first * (1 - share) + last * share
    else:
        direction = (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)
    return (direction * (lengths[0] * (1 - share) + lengths[1] * share)).astype(np.float32)


class Gallery:
    """The faces of one or several banks, to make others of.

    Args:
        uris: of the banks, all of one embedder.

    Attributes:
        dim: length of a vector.
        embedder: what made the vectors.

    Raises:
        UsageError: a bank cannot be read, two are of different embedders, or a face id stands in two.
    """

    def __init__(self, uris: Sequence[str]) -> None:
        banks = {absolute(uri): read_bank(uri) for uri in uris}
        first, *others = banks
        self.dim, self.embedder = banks[first].dim, banks[first].embedder
        for uri in others:
            refuse_other_embedder(uri, banks[uri].embedder, first, self.embedder)
        self._uris = uris
        self._faces: dict[str, tuple[str, BankFace]] = {}
        for uri, bank in banks.items():
            for face_id, face in bank.faces.items():
                name = composed(face_id)
                if name in self._faces:
                    raise UsageError(f"{self._faces[name][0]} and {uri} both have a face {face_id!r}: rename one")
                self._faces[name] = uri, face

    def vector(self, face_id: str) -> np.ndarray:
        """The vector of a face: float32 [dim]. Raises UsageError where there is none."""
        if composed(face_id) not in self._faces:
            raise UsageError(
                f"{', '.join(self._uris)} holds no face {face_id!r}: "
                f"it has {', '.join(map(repr, list(self._faces)[:5]))}{', ...' if len(self._faces) > 5 else ''}"
            )
        _, face = self._faces[composed(face_id)]
        if face.vector is None:
            raise UsageError(f"the face {face_id!r} has no vector ({face.note}): choose another")
        return face.vector

    def source(self, face_id: str) -> dict[str, str]:
        """The face as a source in the provenance of another."""
        bank, face = self._faces[composed(face_id)]
        return {"face_id": face.face_id, "bank": bank}


def interpolate(gallery: Gallery, start: str, end: str, steps: int, is_spherical: bool) -> Iterator[BankFace]:
    """Makes ``steps`` faces on the way from one face to another, both ends among them."""
    between = spherical if is_spherical else linear
    for share in np.linspace(0, 1, steps).tolist():
        yield BankFace(
            face_id=f"{start}-{end}-{share:.4g}",
            vector=between(gallery.vector(start), gallery.vector(end), share),
            kind=Kind.MIX,
            provenance={
                "sources": [gallery.source(start), gallery.source(end)],
                "share": share,
                "way": between.__name__,
            },
        )


def translate(gallery: Gallery, start: str, end: str, face_id: str, strengths: Sequence[float]) -> Iterator[BankFace]:
    """Moves a face along the difference of two others, as of one person with a moustache and without (paper).

    A strength of 1 adds the whole difference, -1 takes it off.
    """
    direction = gallery.vector(end).astype(np.float64) - gallery.vector(start)
    for strength in strengths:
        yield BankFace(
            face_id=f"{face_id}-{start}-{end}-{strength:.4g}",
            vector=(gallery.vector(face_id) + strength * direction).astype(np.float32),
            kind=Kind.DIRECTION,
            provenance={
                "sources": [gallery.source(name) for name in (face_id, start, end)],
                "from": start,
                "to": end,
                "strength": strength,
            },
        )


def perturb(gallery: Gallery, face_id: str, sigma: float, count: int, seed: int) -> Iterator[BankFace]:
    """Makes ``count`` faces like a face, by ``noisy``, with the seeds from ``seed`` on.

    A larger count begins with the same faces.
    """
    for noise_seed in range(seed, seed + count):
        yield BankFace(
            face_id=f"{face_id}-noise-{sigma:.4g}-{noise_seed}",
            vector=noisy(gallery.vector(face_id), sigma, noise_seed),
            kind=Kind.NOISE,
            provenance={"sources": [gallery.source(face_id)], "sigma": sigma, "seed": noise_seed},
        )


def source_weights(kind: str, provenance: Mapping[str, Any]) -> list[float]:
    """How much of each source is in the vector of a face: the factors of the sum that it is.

    At the end of a mix the other face has no part in the vector (0). A direction has all of the face that is moved, the
    strength of the face that it leads to, and as much less of the one that it comes from, so that two faces of one
    person leave nothing of this person but the difference. Where provenance does not say, each source counts whole (1).

    Args:
        kind: of the face, see ``schemas.face_bank.Kind``.
        provenance: of the face.
    """
    sources = provenance.get("sources", ())
    if kind == Kind.MIX and len(sources) == 2 and (share := _number(provenance.get("share"))) is not None:
        return [1 - share, share]
    if kind == Kind.DIRECTION and len(sources) == 3 and (strength := _number(provenance.get("strength"))) is not None:
        return [1, -strength, strength]
    weights = [_number(source.get("weight")) for source in sources]
    return [1.0 if weight is None else max(weight, _ROUNDED_AWAY) for weight in weights]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
