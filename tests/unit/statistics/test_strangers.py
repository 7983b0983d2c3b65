"""What strangers score is told from the lower pairs, whoever else is there."""

import numpy as np
import pytest

from face0.statistics.strangers import LEAST, StrangerScores
from face0.statistics.vectors import unit
from tests.fixtures.identities import people


def test_too_few_say_nothing():
    assert StrangerScores.of(people(LEAST - 1)) is None


def test_of_strangers_a_tenth_is_above():
    vectors = people(200)
    scores = StrangerScores.of(vectors)
    cosines = (vectors @ vectors.T)[np.triu_indices(200, 1)]
    assert scores.faces == 200
    assert scores.median == pytest.approx(float(np.median(cosines)))
    assert scores.high == pytest.approx(float(np.quantile(cosines, 0.9)), abs=0.02)


def test_people_with_several_photographs_change_little():
    alone = StrangerScores.of(people(60))
    several = StrangerScores.of(people(20, photographs=3))
    half = StrangerScores.of(np.concatenate([people(30), people(1, photographs=30, seed=9)]))
    assert abs(several.high - alone.high) < 0.05
    assert alone.high < half.high < 0.4


def test_all_alike_are_seen_as_such():
    scores = StrangerScores.of(unit(people(40) + 4 * people(1, seed=5)))
    assert min(scores.low, scores.median, scores.high) > 0.8
