"""Audits of sweeps with known truth: how often is there a false alarm, how often does an interval hold the truth?"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from face0.evaluation.audit.arms import Arm
from face0.evaluation.audit.by_prompt import prompt_rows
from face0.evaluation.audit.detection import image_measures
from face0.evaluation.audit.dispersion import distance_measures, variance_measures
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.leakage import leakage_measures
from face0.evaluation.measures import Measure
from face0.statistics.design import Design
from face0.statistics.discriminant import nearest_mean, whiten
from tests.fixtures.audit_simulation import World, arm_of, crossed, paired, without_vector

PROMPTS = [f"prompt {i}" for i in range(10)]
# A quick look that only a gross error fails, and the 500 simulations of record.
SIMULATIONS = [40, 500]
DESIGNS = {"paired": paired(10, 20), "crossed": crossed(10, 6, 6), "no face": without_vector(10, 20)}


@dataclass
class Simulated:
    """One figure over many simulations."""

    measures: list[Measure]

    @property
    def values(self) -> np.ndarray:
        return np.array([each.value for each in self.measures], float)

    def covered(self, truth: float) -> float:
        return float(np.mean([each.low <= truth <= each.high for each in self.measures]))

    def alarms(self) -> float:
        return float(np.mean([each.p <= 0.05 for each in self.measures]))


def simulate(
    simulations: int,
    world: World,
    design: Design,
    measure: Callable[[Arm, Resampling], Iterable[Measure]],
    effort: Resampling = Resampling(resamples=199, permutations=99),  # noqa: B008 - frozen
) -> list[list[Measure]]:
    found = []
    for number in range(simulations):
        faces = world.faces(design, np.random.default_rng([number, 1]))
        found.append(list(measure(arm_of(design, faces), replace(effort, seed=number))))
    return found


def overall(found: list[list[Measure]], name: str, group: str | None = None) -> Simulated:
    return Simulated(
        [row for each in found for row in each if row.measure == name and row.prompt is None and row.group == group]
    )


def most(share: float, simulations: int) -> float:
    """What a rate of the given size stays below in so many simulations, but for one time in a thousand."""
    return share + 3.1 * np.sqrt(share * (1 - share) / simulations)


def least(share: float, simulations: int) -> float:
    return share - 3.1 * np.sqrt(share * (1 - share) / simulations)


@pytest.mark.parametrize("simulations", SIMULATIONS)
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_without_an_effect_of_words_alarms_are_rare_and_intervals_hold_chance(design: Design, simulations: int):
    world = World(words=0, seed=0.5)
    found = simulate(
        simulations,
        world,
        design,
        lambda arm, effort: [
            *leakage_measures(arm, "judge", PROMPTS, effort),
            *distance_measures(arm, "judge", PROMPTS, effort)[1],
        ],
    )
    leaks, energy = overall(found, "leakage"), overall(found, "energy_distance")
    assert leaks.alarms() <= most(0.05, simulations)
    assert energy.alarms() <= most(0.05, simulations)
    assert leaks.covered(0.1) >= least(0.95, simulations)
    assert energy.covered(0.0) >= least(0.95, simulations)


@pytest.mark.parametrize("simulations", SIMULATIONS)
def test_without_an_effect_hardly_a_sweep_has_a_prompt_that_is_called_different(simulations: int):
    found = simulate(
        simulations,
        World(),
        DESIGNS["paired"],
        lambda arm, effort: distance_measures(arm, "judge", PROMPTS, effort)[1],
        Resampling(resamples=9, permutations=399),
    )
    called = np.mean([any(row.q is not None and row.q <= 0.05 for row in each) for each in found])
    assert called <= most(0.05, simulations)
    assert called > 0 or simulations < 500  # so many permutations can call one


@pytest.mark.parametrize("simulations", SIMULATIONS)
def test_a_planted_leakage_is_found_and_its_interval_holds_its_size(simulations: int):
    world, design = World(words=0.5), DESIGNS["paired"]
    found = simulate(simulations, world, design, lambda arm, effort: leakage_measures(arm, "judge", PROMPTS, effort))
    leaks, truth = overall(found, "leakage"), expected_accuracy(world)
    assert leaks.alarms() == 1
    assert leaks.values.mean() == pytest.approx(truth, abs=0.02)
    assert leaks.covered(truth) >= least(0.93, simulations)


@pytest.mark.parametrize("simulations", SIMULATIONS)
def test_the_smallest_effect_is_one_that_four_of_five_sweeps_find(simulations: int):
    design = DESIGNS["paired"]

    def one(arm: Arm, effort: Resampling) -> Iterator[Measure]:
        return leakage_measures(arm, "judge", PROMPTS, effort)

    promised = np.mean(
        [each.smallest_effect for each in overall(simulate(10, World(), design, one), "leakage").measures]
    )
    # The effect that is about as large
    sizes = {words: expected_accuracy(World(words=words), 30) - 0.1 for words in (0.08, 0.12, 0.16, 0.2)}
    words = min(sizes, key=lambda each: abs(sizes[each] - promised))
    power = overall(simulate(simulations, World(words=words), design, one), "leakage").alarms()
    assert 0.55 <= power <= 0.97


@pytest.mark.parametrize("simulations", SIMULATIONS)
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_shares_of_the_variance_are_unbiased_and_intervals_hold_them(design: Design, simulations: int):
    world = World(words=0.5, seed=0.5)
    found = simulate(simulations, world, design, lambda arm, effort: variance_measures(arm, "judge", effort))
    for group, truth in true_shares(world, design).items():
        shares = overall(found, "variance_share", group)
        assert shares.values.mean() == pytest.approx(truth, abs=0.025), group
        # From six or twenty clusters, intervals of a variance are a little too narrow.
        assert shares.covered(shares.values.mean()) >= least(0.9, simulations), group


@pytest.mark.parametrize("simulations", SIMULATIONS)
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_intervals_hold_the_mean_over_prompts_and_vectors(design: Design, simulations: int):
    """Of a measure of single images whose prompts, seeds and vectors are all drawn anew."""
    found = []
    for number in range(simulations):
        rng = np.random.default_rng([number, 2])
        text = rng.normal(size=design.prompts)[design.prompt] + rng.normal(size=len(design.prompt))
        for levels in (design.seed, design.face):
            _, codes = np.unique(levels, return_inverse=True)
            text += rng.normal(size=codes.max() + 1)[codes] if codes.max() else 0
        arm = arm_of(design, np.ones((len(text), 2), np.float32), text)
        effort = Resampling(resamples=199, seed=number)
        found.append([row for each in image_measures(arm, effort) for row in prompt_rows(each, arm, PROMPTS)])
    covered = overall(found, "text_alignment").covered(0.0)
    assert covered >= least(0.92, simulations)
    # Two crossed factors err on the wide side; one must not, where there are enough simulations to tell.
    assert covered < 0.99 or simulations < 500 or design is DESIGNS["crossed"]


def expected_accuracy(world: World, simulations: int = 60) -> float:
    """On fresh faces, of the classifier trained on 16 vectors a prompt as four of five folds have."""
    train, test = paired(10, 16), paired(10, 40)
    right = []
    for number in range(simulations):
        rng = np.random.default_rng([number, 3])
        white = whiten(world.faces(train, rng), world.faces(test, rng))
        right.append(np.mean(nearest_mean(*white, train.prompt[None], 10)[0] == test.prompt))
    return float(np.mean(right))


def true_shares(world: World, design: Design) -> dict[str, float]:
    words = world.word_effects(design.prompts).var(axis=0, ddof=1).mean()
    vector = world.vector**2 * design.faces_vary
    whole = words + vector + world.seed**2 + world.noise**2
    shares = {"words": words / whole}
    if design is DESIGNS["crossed"]:
        shares["face"] = vector / whole
    if design is DESIGNS["paired"] or design is DESIGNS["crossed"]:
        shares["face_and_seed"] = (vector + world.seed**2) / whole
    if design is not DESIGNS["paired"]:
        shares["seed"] = world.seed**2 / whole
    return shares
