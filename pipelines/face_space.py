"""Fitting a face space as a Beam pipeline: every shard is read once, and what comes of it merges in any order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from face0.faces.corpus import Corpus, read_corpus
from face0.shards.files import Shard


class Merge(beam.CombineFn):
    """Sums corpora."""

    def __init__(self, dim: int, sample: int) -> None:
        self._dim, self._sample = dim, sample

    def create_accumulator(self) -> Corpus:
        """Nothing yet."""
        return Corpus.empty(self._dim, self._sample)

    def add_input(self, accumulator: Corpus, element: Corpus) -> Corpus:
        """One more shard."""
        return accumulator + element

    def merge_accumulators(self, accumulators: Sequence[Corpus]) -> Corpus:
        """Those of several workers."""
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, accumulator: Corpus) -> Corpus:
        """All shards."""
        return accumulator


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
        """Only the names of shards and what they come to are shuffled, never their rows."""
        return (
            shards
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.Map(read_corpus, sample=self.sample)
            | "Merge" >> beam.CombineGlobally(Merge(self.dim, self.sample))
        )


def run(shards: Sequence[Shard], sample: int, use: Callable[[Corpus], None], options: PipelineOptions) -> None:
    """Reads shards, and calls ``use`` on a worker with what they hold. Raises what broke the pipeline."""
    with beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | "Shards" >> beam.Create(list(shards), reshuffle=False)
            | "Corpus" >> ReadCorpus(shards[0].dim, sample)
            | "Use" >> beam.Map(use)
        )
