"""Whether strangers pass the threshold of a bank of people to leave out, judged by a few rows of the inputs."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from face0.augmentation.augmenter import Augmenter
from face0.faces.deny_list import DenyList
from face0.faces.strangers import PhotographSample, refuse_strangers
from face0.shards.rows import FaceRow
from face0.tasks.task import TaskRun

_ROWS = 64  # tried
_INPUTS = 4  # of which they are taken


def refuse_strangers_denied(runs: Sequence[TaskRun], worker: Augmenter, deny: DenyList) -> None:
    """Raises UsageError if strangers pass the threshold of a bank of people to leave out, judged by a few rows.

    Args:
        runs: the tasks that are left.
        worker: one that leaves nobody out.
        deny: the people.
    """
    chosen = runs[:: max(1, len(runs) // _INPUTS)][:_INPUTS]
    rows = [row for run in chosen for row in islice(worker.read(run.task, Counter()), _ROWS // len(chosen))]
    sample = PhotographSample(
        {
            outcome.sha256: outcome.embeddings[:2]
            for outcome in worker.outcomes(rows)
            if isinstance(outcome, FaceRow) and len(outcome.embeddings)
        }
    )
    config = worker.config.embedder
    like = deny.load(config.weights)
    refuse_strangers(f"--deny-threshold {deny.threshold:g}", like, sample, config.load_identity("cpu"))
