"""A threshold that strangers pass is refused; one that only the people pass is not, whoever else is there."""

import logging

import numpy as np
import pytest

from face0.embedders.onnx import OnnxConfig
from face0.errors import UsageError
from face0.faces.deny_list import Matcher
from face0.faces.strangers import PhotographSample, refuse_strangers, warn_of_alike
from face0.statistics.vectors import unit
from tests.fixtures.identities import DIM, people

ANNA = people(1, photographs=12, seed=1)
OTHERS = people(24, seed=2)
ALIKE = unit(OTHERS + 4 * people(1, seed=3)).astype(np.float32)  # of an embedder that is fed wrongly


def sample(*parts: np.ndarray) -> PhotographSample:
    return PhotographSample.of_vectors({str(i): vector for i, vector in enumerate(np.concatenate(parts))})


def look(threshold: float, wanted: np.ndarray, held: PhotographSample) -> None:
    refuse_strangers(f"--threshold {threshold:g}", Matcher(wanted, threshold), held, lambda vectors: vectors)


TAKEN = {
    "one of many": (0.4, ANNA[:1], sample(OTHERS, ANNA[:2])),
    "not there": (0.4, ANNA[:1], sample(OTHERS)),
    "most are hers": (0.4, ANNA[:1], sample(ANNA, OTHERS[:6])),
    "half are hers, half another's": (0.4, ANNA[:1], sample(ANNA[:6], people(1, photographs=6, seed=8))),
    "all are another's": (0.4, ANNA[:1], sample(people(1, photographs=12, seed=8))),
    "too few to tell": (0.4, ANNA[:1], sample(ANNA[:4])),
    "all alike, and a threshold above": (0.99, ALIKE[:1], sample(ALIKE)),
}


@pytest.mark.parametrize(("threshold", "wanted", "held"), TAKEN.values(), ids=TAKEN.keys())
def test_a_threshold_that_keeps_strangers_out(threshold, wanted, held):
    look(threshold, wanted, held)


REFUSED = {
    "all are alike": (0.4, ALIKE[:1], sample(ALIKE)),
    "alike, and half of them below": (float(np.median(ALIKE[1:] @ ALIKE[0])), ALIKE[:1], sample(ALIKE)),
    "far too low": (0.02, ANNA[:1], sample(OTHERS, ANNA[:2])),
}


@pytest.mark.parametrize(("threshold", "wanted", "held"), REFUSED.values(), ids=REFUSED.keys())
def test_a_threshold_that_strangers_pass(threshold, wanted, held):
    with pytest.raises(UsageError, match=r"--threshold .*: strangers pass it.* in the median"):
        look(threshold, wanted, held)


def test_faces_beside_each_other_tell_that_an_album_is_one_persons():
    alone = {str(i): vector[None] for i, vector in enumerate(ANNA)}
    with pytest.raises(UsageError, match="--mostly-theirs"):
        look(0.4, ANNA[:1], PhotographSample(alone))
    beside = {str(i): np.stack([ANNA[i], OTHERS[i]]) for i in range(6)}
    look(0.4, ANNA[:1], PhotographSample({**alone, **beside}))


def test_a_sample_is_the_same_in_whatever_order_it_comes():
    parts = [PhotographSample.of_vectors({f"{n} {i}": np.zeros(1) for i in range(150)}) for n in range(4)]
    forwards, backwards = sum(parts, PhotographSample()), sum(reversed(parts), PhotographSample())
    assert list(forwards.faces) == list(backwards.faces)
    assert len(forwards.faces) == 256


@pytest.mark.parametrize(("vectors", "warned"), [(ALIKE, True), (OTHERS, False), (ANNA, True), (ALIKE[:4], False)])
def test_what_is_made_is_looked_at_too(vectors, warned, caplog):
    config = OnnxConfig(weights="a.onnx", sha256="00", size=112, mean=(0, 0, 0), std=(1, 1, 1))
    with caplog.at_level(logging.WARNING, "face0"):
        warn_of_alike(config, sample(vectors))
    assert bool(caplog.records) is warned
    assert not warned or "--onnx-mean" in caplog.text
    assert vectors.shape[1] == DIM
