"""Fitting a face space as a Beam pipeline: every shard is read once, and what comes of it merges in any order."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from face0.faces.corpus import Corpus, read_corpus
from face0.faces.space_fit import fit
from face0.io.permissions import Permissions, apply, current
from face0.runtime.progress import ProgressBar
from face0.shards.shard import Shard
from pipelines.options import is_local, spread, worker_processes

logger = logging.getLogger(__name__)


class Merge(beam.CombineFn):
    """Sums corpora."""

    def __init__(self, dim: int, sample: int) -> None:
        self._dim, self._sample = dim, sample

    def create_accumulator(self) -> Corpus:
        """Makes an empty corpus."""
        return Corpus.empty(self._dim, self._sample)

    def add_input(self, accumulator: Corpus, element: Corpus) -> Corpus:
        """Adds the corpus of a shard."""
        return accumulator + element

    def merge_accumulators(self, accumulators: Sequence[Corpus]) -> Corpus:
        """Sums the corpora of several workers."""
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, accumulator: Corpus) -> Corpus:
        """Returns the corpus of all shards."""
        return accumulator


_bar: ProgressBar | None = None  # of the pipeline that runs in this process


@contextmanager
def _progress(shards: int, here: bool) -> Iterator[None]:
    """Shows what was read, where the workers are in this process."""
    global _bar
    if not here:
        yield
        return
    with ProgressBar(total=shards, unit="shards") as bar:
        _bar, bar.rows = bar, 0
        try:
            yield
        finally:
            _bar = None


def _read_corpus(shard: Shard, sample: int) -> Corpus:
    corpus = read_corpus(shard, sample)
    if (bar := _bar) is not None and bar.rows is not None:
        with bar.get_lock():
            bar.rows += corpus.rows
            bar.update()
    return corpus


@dataclass
class ReadCorpus(beam.PTransform):
    """From shards to the one corpus that they hold.

    Attributes:
        dim: length of a vector.
        sample: size of the sample.
    """

    dim: int
    sample: int

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, shards: beam.PCollection[Shard]) -> beam.PCollection[Corpus]:
        """Reads and merges the shards. Only their names and their corpora are shuffled, never their rows."""
        return (
            shards
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.Map(_read_corpus, sample=self.sample)
            | "Merge" >> beam.CombineGlobally(Merge(self.dim, self.sample))
        )


@dataclass(frozen=True, kw_only=True)
class FitAndSave:
    """Fits a space to a corpus and saves it, on the worker that holds the corpus.

    Attributes:
        uris: of the shards, for the record.
        embedder: what made the vectors.
        output: URI of the space's folder.
        dims: principal components that the mixture is over.
        gaussians: of the mixture, at most.
        seed: of the mixture's start.
        permissions: of what is saved; those of the process that asks.
    """

    uris: Sequence[str]
    embedder: Mapping[str, str]
    output: str
    dims: int
    gaussians: int
    seed: int
    permissions: Permissions = field(default_factory=current)

    def __call__(self, corpus: Corpus) -> None:
        """Fits and saves."""
        apply(self.permissions)
        logger.info("fitting the face space of %s faces", f"{corpus.faces:,}")
        fit(corpus, self.uris, dict(self.embedder), self.dims, self.gaussians, self.seed).save(self.output)


def fit_face_space(
    shards: Sequence[Shard], sample: int, fit_and_save: Callable[[Corpus], None], options: PipelineOptions
) -> None:
    """Reads shards, and fits a space on a worker to what they hold. Raises what broke the pipeline."""
    spread(options, worker_processes(options))
    with _progress(len(shards), is_local(options)), beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | "Shards" >> beam.Create(list(shards), reshuffle=False)
            | "Corpus" >> ReadCorpus(shards[0].dim, sample)
            | "Fit" >> beam.Map(fit_and_save)
        )
