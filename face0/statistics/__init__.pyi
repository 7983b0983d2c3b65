from .clusters import cluster_centres, nearest
from .design import Design
from .discriminant import Leakage, leakage
from .distances import PromptDistances, distance_to_reference, prompt_distances
from .diversity import effective_numbers
from .moments import Moments
from .pairs import Pairs, comparable_pairs
from .probe import Probe
from .resampling import Estimate, false_discovery, jackknife, proportion_interval
from .sampling import LowestHashSample, name_hashes
from .variance import variance_shares
from .vectors import unit
from .verification import Verification, auc_and_equal_error, verify

__all__ = [
    "Design",
    "Estimate",
    "Leakage",
    "LowestHashSample",
    "Moments",
    "Pairs",
    "Probe",
    "PromptDistances",
    "Verification",
    "auc_and_equal_error",
    "cluster_centres",
    "comparable_pairs",
    "distance_to_reference",
    "effective_numbers",
    "false_discovery",
    "jackknife",
    "leakage",
    "name_hashes",
    "nearest",
    "prompt_distances",
    "proportion_interval",
    "unit",
    "variance_shares",
    "verify",
]
