"""Whether strangers pass for one person: a sample of photographs, and what two of them score."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.embedders.identity import Identity
from face0.embedders.interface import EmbedderConfig
from face0.errors import UsageError
from face0.faces.deny_list import Matcher
from face0.shards.columns import EMBEDDINGS, face_embeddings
from face0.shards.files import scan_shard
from face0.statistics.strangers import LEAST, StrangerScores
from face0.tasks.output_folder import OutputFolder

COLUMNS = ["sha256", EMBEDDINGS]  # of a face shard, that are read
SIZE = 256  # photographs of a sample
_TASKS = 8  # of an output, that are read for a sample
_ALIKE = 0.4  # cosine that of strangers no recogniser gives that is fed as it was trained: 0.01 to 0.2 are usual
_SHARE = 0.05  # of a sample that counts as the people's: below it a threshold keeps strangers out anyhow

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotographSample:
    """The faces of some photographs: those whose digests are the lowest, in whatever order they come.

    Attributes:
        faces: conditioning vectors of the two largest of each, float32 [1 or 2, dim], by the photograph's digest.
    """

    faces: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.Table) -> "PhotographSample":
        """Of rows of a face shard with at least COLUMNS."""
        rows = rows.take(pc.select_k_unstable(rows, SIZE, [("sha256", "ascending")]))
        vectors, present = face_embeddings(rows, 2)
        usable = present & np.isfinite(vectors).all(axis=2)
        return cls(
            {
                digest: held[used]
                for digest, held, used in zip(rows["sha256"].to_pylist(), vectors, usable, strict=True)
                if used[0]
            }
        )

    @classmethod
    def of_vectors(cls, vectors: Mapping[str, np.ndarray]) -> "PhotographSample":
        """Of single faces, [dim] each, by name."""
        return cls({hashlib.sha256(name.encode()).hexdigest(): vector[None] for name, vector in vectors.items()})._cut()

    def __add__(self, other: "PhotographSample") -> "PhotographSample":
        return PhotographSample({**self.faces, **other.faces})._cut()

    def _cut(self) -> "PhotographSample":
        return PhotographSample({digest: self.faces[digest] for digest in sorted(self.faces)[:SIZE]})

    def largest(self, identity: Identity) -> np.ndarray:
        """Identity vectors of the largest face of each photograph, [n, d]."""
        return identity(np.array([faces[0] for faces in self.faces.values()], np.float32))

    def side_by_side(self, identity: Identity) -> np.ndarray:
        """The cosines of the two largest faces of each photograph that has two, [m]: surely of different people."""
        pairs = [faces for faces in self.faces.values() if len(faces) == 2]
        if not pairs:
            return np.empty(0, np.float32)
        first, second = (identity(np.array([faces[i] for faces in pairs], np.float32)) for i in (0, 1))
        return np.asarray((first * second).sum(axis=1), np.float32)


def refuse_strangers(option: str, like: Matcher, sample: PhotographSample, identity: Identity) -> None:
    """Raises UsageError if strangers pass the threshold for the people who are looked for.

    So it is where a part of the sample counts as the people's, and two photographs of different people are likely to
    pass for one: all of them, and those that do not count as the people's too (for the others may be theirs), if these
    are enough to tell. Faces that stand beside each other in a photograph are of different people for certain: where
    these do not pass, nothing is refused.

    Args:
        option: with its value, for the message.
        like: tells whether a face is like one of the people's.
        sample: of where they are looked for.
        identity: from the sample's vectors to those that ``like`` compares.
    """
    if len(sample.faces) < LEAST:
        return
    vectors = sample.largest(identity)
    matching = like.matches(vectors)
    both = [scores for part in (vectors, vectors[~matching]) if (scores := StrangerScores.of(part))]
    strangers = min(both, key=lambda scores: scores.high)
    beside = sample.side_by_side(identity)
    if matching.mean() < _SHARE or strangers.high < like.threshold or _differ(beside, like.threshold):
        return
    raise UsageError(
        f"{option}: strangers pass it. The faces of two of {strangers.faces} photographs have a cosine of "
        f"{strangers.median:.3f} in the median, and {matching.mean():.0%} of a sample count as the people's: give a "
        "higher one, see docs/results/lfw-people.md; where strangers score near 1, the embedder is fed otherwise than "
        "it was trained (--onnx-mean, --onnx-std); if these photographs really show the people, say --mostly-theirs"
    )


def warn_of_alike(embedder: EmbedderConfig, sample: PhotographSample) -> None:
    """Says so if faces of different photographs are more alike than a recogniser makes strangers.

    Only of models in ONNX, which may be fed otherwise than they were trained.

    Args:
        embedder: of the vectors.
        sample: of what was made.
    """
    if "normalisation" not in embedder.metadata() or len(sample.faces) < LEAST:
        return
    identity = embedder.load_identity("cpu")
    scores = StrangerScores.of(sample.largest(identity))
    if scores is None or scores.low < _ALIKE or _differ(sample.side_by_side(identity), _ALIKE):
        return
    _log.warning(
        "the faces of two of %d photographs have a cosine of %.3f in the median, where strangers score about 0: unless "
        "all are of one person, the embedder is fed otherwise than it was trained, and people cannot be told apart by "
        "its vectors; say by --onnx-mean, --onnx-std and --onnx-channels, or a preset, how it was",
        scores.faces,
        scores.median,
    )


def sample_output(folder: OutputFolder) -> PhotographSample:
    """A sample of an output of augment, from a few of its tasks."""
    names = sorted(folder.stats_names())
    sample = PhotographSample()
    for name in names[:: max(1, len(names) // _TASKS)][:_TASKS]:
        for file in folder.stats(name).files:
            if file.name.startswith("shards/"):
                _, rows = next(scan_shard(folder, file, COLUMNS), (None, None))
                sample += PhotographSample.of(rows) if rows is not None else PhotographSample()
    return sample


def _differ(cosines: np.ndarray, threshold: float) -> bool:
    """Whether faces that stand beside each other are told apart, as far as enough of them can say."""
    return len(cosines) >= LEAST and bool(np.quantile(cosines, 0.9) < threshold)
