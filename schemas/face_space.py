"""The JSON record of a face space: what it was fitted to, and what its parameters are."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class SpaceRecord:
    """``space.json``, the commit of a face space: written last, it names the parameters by their digest.

    Attributes:
        corpus: URIs of the folders of face shards.
        rows: that they hold: ``faces + faceless + not_finite``.
        faces: that the space was fitted to, the largest of each row.
        faceless: rows without a face.
        not_finite: rows whose vector holds what is no number.
        embedder: what made the vectors, as in the metadata of the shards.
        dim: length of a vector.
        sha256: of ``space.safetensors``.
        sample: faces of the uniform sample, by which the mixture was fitted and draws are checked.
        dims: principal components that the mixture is over; along the others draws are normal.
        held_out: mean log-likelihood of held-out faces in these components, by the number of Gaussians that were tried.
        gaussians: their number, the best by ``held_out``.
        too_near: cosine to a face of the sample, both less the corpus's mean, over which a draw is drawn again.
        seed: of the fit.
        warnings: what the space inherits from its corpus; sentences for a person.
        versions: of the libraries that fitted it.
    """

    corpus: list[str]
    rows: int
    faces: int
    faceless: int
    not_finite: int
    embedder: Mapping[str, str]
    dim: int
    sha256: str
    sample: int
    dims: int
    held_out: Mapping[str, float]
    gaussians: int
    too_near: float
    seed: int
    warnings: list[str]
    versions: Mapping[str, str]

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> "SpaceRecord":
        """Parses ``to_json``'s output. Raises ValueError for what is none, or of another version."""
        record = json.loads(text)
        if not isinstance(record, dict) or record.pop("version", None) != VERSION:
            raise ValueError(f"not a face space of version {VERSION}")
        try:
            return cls(**record)
        except TypeError as error:
            raise ValueError(f"not a face space: {error}") from error
