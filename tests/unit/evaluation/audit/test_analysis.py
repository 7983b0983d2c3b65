"""An audit from results to its page: what was planted is found, what is missing is told, and nothing is filled in."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from face0.errors import UsageError
from face0.evaluation.audit.analysis import Audit, Reference, audit
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.labels import Labels
from face0.evaluation.audit.leakage import one_per_seed
from face0.evaluation.encoders import NO_VECTORS
from face0.evaluation.measures import Measure
from face0.generation.results import open_results
from face0.reports.audit.page import write_audit
from face0.statistics.design import Design
from face0.statistics.vectors import unit
from schemas.measures import MEASURES, Unmeasured
from tests.fixtures.audit_simulation import World, bank_of, crossed, paired, rendered, rows, sweep, without_vector
from tests.fixtures.renders import written

PROMPTS, VECTORS = 6, 20
EFFORT = Resampling(resamples=99, permutations=99)
RANDOM, PLAIN = paired(PROMPTS, VECTORS), without_vector(PROMPTS, VECTORS)
FIXED = Design(RANDOM.prompt, RANDOM.seed, np.full(len(RANDOM.seed), "face-0"), PROMPTS)


def arm(label: str, world: World, design: Design, seed: int = 0, **values: Any) -> list[dict[str, Any]]:
    first = {"base": 0, "zero": 10_000, "random": 20_000, "fixed": 30_000}[label]
    faces = world.faces(design, np.random.default_rng([seed, first]))
    return rows(design, faces, label, first=first, bare=label == "base", **values)


def without_face(images: Sequence[dict[str, Any]], missing: Sequence[bool]) -> list[dict[str, Any]]:
    gone = {"faces_found": 0, "identity_vector": None, "judge_vector": None}
    return [{**each, **gone} if lost else each for each, lost in zip(images, missing, strict=True)]


def only(found: Audit, measure: str, **fields: Any) -> Measure:
    usual = {"encoder": "judge", "prompt": None, "against": None, "group": None, "settings": ""}
    (row,) = found.find(measure, **{**usual, **fields})
    return row


@pytest.fixture(scope="module")
def usual() -> Audit:
    """A base whose words decide the face, and random faces that undo it."""
    base = arm("base", World(words=1.0), PLAIN, text_alignment=0.25)
    random = arm("random", World(words=0.0), RANDOM, text_alignment=0.2)
    return audit(*sweep(base, random, arm("fixed", World(words=0.5), FIXED)), effort=EFFORT)


def test_the_leak_of_the_base_is_found_and_that_random_faces_undo_it(usual: Audit):
    base, random = (only(usual, "leakage", arm=name) for name in ("base", "random"))
    assert base.value > 0.8
    assert base.p == 0.01
    assert random.p > 0.05
    assert random.null_value == pytest.approx(1 / PROMPTS)
    assert random.low < random.null_value < random.high
    assert 0 < random.smallest_effect < 0.3
    less = only(usual, "leakage", arm="random", against="base")
    assert less.high < -0.4
    assert less.p < 0.05
    # Every prompt of the base has faces of its own, none of the random arm.
    for name, different in (("base", PROMPTS), ("random", 0)):
        tested = usual.find("energy_distance", encoder="judge", arm=name, against=None)
        assert sum(row.q <= 0.05 for row in tested if row.prompt) == different


def test_causes_are_shared_out_and_the_random_face_is_followed(usual: Audit):
    share = {(row.arm, row.group): row.value for row in usual.find("variance_share", encoder="judge")}
    assert share["base", "words"] > 0.6
    assert share["random", "words"] < 0.05
    assert share["random", "face_and_seed"] == pytest.approx(0.8, abs=0.1)
    assert only(usual, "follows_vector", arm="random").low > 0.9
    reasons = {row.reason for row in usual.find("follows_vector", arm="base")}
    assert reasons == {Unmeasured.ONE_VECTOR}


def test_the_cost_in_text_alignment_is_told(usual: Audit):
    cost = only(usual, "text_alignment", encoder="", arm="random", against="base")
    assert cost.value == pytest.approx(-0.05, abs=1e-6)
    assert cost.p < 0.05
    assert any("fixed: no text alignment" in note for note in usual.notes)


def test_the_judge_goes_before_the_encoder_that_conditions(usual: Audit):
    assert usual.encoders == ["judge", "conditioning"]
    images = arm("random", World(), RANDOM)
    alone = audit(*sweep([{**each, "judge_vector": None} for each in images]), effort=EFFORT)
    assert alone.encoders == ["conditioning"]
    assert any("flatters" in note for note in alone.notes)
    assert any("No arm base" in note for note in alone.notes)


def test_requests_are_counted_where_they_went():
    images = without_face(arm("base", World(), PLAIN), [i in (0, 1) for i in range(120)])
    images[2].update(faces_found=3)
    images[3].update(flagged=True, image=None)
    images[4].update(flagged=False)
    results, requests = sweep(images)
    cells = audit(results.slice(0, 115), requests, effort=EFFORT).cells
    first, last = cells[0], cells[-1]
    assert (first.requested, first.generated, first.no_face, first.one_face, first.several_faces) == (20, 20, 2, 17, 1)
    assert (first.flagged, first.dropped) == (1, 1)
    assert (last.requested, last.generated, last.failed, last.flagged) == (20, 15, 5, None)
    for cell in cells:
        assert cell.requested == cell.generated + cell.failed
        assert cell.generated == cell.no_face + cell.one_face + cell.several_faces


def test_faces_missing_at_random_are_reported_and_bias_nothing():
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        images = without_face(arm("random", World(words=0.5), RANDOM, seed), rng.random(120) < 0.25)
        found.append(audit(*sweep(images), effort=Resampling(resamples=19, permutations=99)))
    told = [only(each, "face_found", encoder="", arm="random") for each in found]
    assert all(row.value < 0.9 for row in told)
    assert sum(row.p <= 0.05 for row in told) <= 3
    whole = audit(*sweep(arm("random", World(words=0.5), RANDOM)), effort=EFFORT)
    for measure in ("energy_distance", "similarity"):
        values = [only(each, measure, arm="random").value for each in found]
        expected = only(whole, measure, arm="random")
        assert np.mean(values) == pytest.approx(expected.value, abs=3 * expected.error)


def test_faces_missing_by_prompt_are_reported_and_not_absorbed():
    rng = np.random.default_rng(0)
    images = arm("random", World(), RANDOM)
    lost = rng.random(120) < np.where(RANDOM.prompt == 3, 0.8, 0.05)
    effort = Resampling(resamples=99, permutations=999)
    found = audit(*sweep(arm("base", World(), PLAIN), without_face(images, lost)), effort=effort)
    overall = only(found, "face_found", encoder="", arm="random")
    assert overall.p == 0.001
    (called,) = [row for row in found.find("face_found", arm="random") if row.q is not None and row.q <= 0.05]
    assert called.prompt == "prompt 3"
    assert called.high < 0.6
    # A face that is missing is no face that is wrong: leakage stays at chance.
    assert only(found, "leakage", arm="random").p > 0.05
    less = only(found, "face_found", encoder="", arm="random", against="base")
    assert less.value < -0.1
    assert less.p < 0.05
    assert any("in which one was found" in note for note in found.notes)


def test_settings_that_vary_make_arms_of_their_own():
    images = arm("random", World(), RANDOM)
    weak = [
        {**each, "request_id": f"x{each['request_id']}", "c": 0.5} for each in arm("random", World(words=1), RANDOM)
    ]
    found = audit(*sweep(arm("base", World(), PLAIN), images, weak), effort=EFFORT)
    assert only(found, "leakage", arm="random", settings="c 0.5").p == 0.01
    assert only(found, "leakage", arm="random", settings="c 1").p > 0.05
    assert only(found, "similarity", arm="random", settings="c 0.5", against="base (c 1)")


def test_faces_are_compared_with_the_vectors_asked_for_and_with_the_reference():
    rng = np.random.default_rng(0)
    faces = World(noise=0.2).faces(RANDOM, rng)
    images = rows(RANDOM, faces, "random")
    bank = bank_of(RANDOM, faces, 0.3, rng)
    found = audit(*sweep(images), bank=bank, effort=EFFORT)
    assert only(found, "follows_input", encoder="conditioning", arm="random").low > 0.9
    near = only(found, "distance_to_reference", encoder="conditioning", arm="random")
    assert near.reference == f"the {VECTORS} vectors given to the arm random"
    elsewhere = Reference(name="somewhere else", vectors=unit(World().faces(RANDOM, rng) * np.linspace(1, -1, 17)))
    far = only(
        audit(*sweep(images), bank=bank, reference=elsewhere, effort=EFFORT),
        "distance_to_reference",
        encoder="conditioning",
        arm="random",
    )
    assert far.reference == "somewhere else"
    assert far.value > 10 * abs(near.value)


def test_groups_are_corrected_for_the_errors_of_the_probe():
    """80 % of the faces are of one group; the probe errs, and its plain counts would say less."""
    rng = np.random.default_rng(0)
    direction = np.eye(17)[1]

    def people(groups: np.ndarray) -> np.ndarray:
        faces = np.eye(17)[0] + 0.02 * rng.normal(size=(len(groups), 17)) + 0.035 * groups[:, None] * direction
        return faces / np.linalg.norm(faces, axis=1, keepdims=True)

    labelled = np.arange(600) % 2
    labels = Labels(
        name="side",
        face_ids=[f"face-{i}" for i in range(600)],
        groups=["right" if each else "left" for each in labelled],
        vectors=people(labelled),
        target={"left": 0.3, "right": 0.7},
        target_name="our readers",
    )
    design = paired(PROMPTS, 60)
    images = rows(design, people(rng.random(len(design.prompt)) < 0.8), "random")
    found = audit(*sweep(without_face(images, rng.random(len(images)) < 0.1)), labels=labels, effort=EFFORT)
    accuracy = only(found, "probe_accuracy", encoder="conditioning", arm="", group="side")
    assert 0.7 < accuracy.value < 0.9
    share = only(found, "group_share", encoder="conditioning", arm="random", group="side: right")
    assert share.low < 0.8 < share.high
    assert share.value > 0.74
    assert (share.reference, share.null_value) == ("our readers", 0.7)
    bounds = only(found, "group_share_whatever_is_missing", encoder="conditioning", arm="random", group="side: right")
    assert bounds.value is None
    assert bounds.high - bounds.low == pytest.approx(0.1, abs=0.05)
    asked = only(found, "face_found", encoder="", arm="random", group="side asked for: left")
    assert asked.low < 0.88 < asked.high


def test_shares_that_no_mixture_of_labelled_faces_could_give_are_not_told():
    """All faces lie far on one side, where the probe never errs, though it does on labelled faces."""
    rng = np.random.default_rng(0)
    side = np.arange(200) % 2
    vectors = np.eye(17)[0] + 0.03 * rng.normal(size=(200, 17)) + 0.03 * np.outer(side, np.eye(17)[1])
    labels = Labels(name="side", face_ids=[f"x{i}" for i in range(200)], groups=side.astype(str), vectors=unit(vectors))
    faces = np.tile((np.eye(17)[0] + np.eye(17)[1]) / np.sqrt(2), (120, 1)) + 0.01 * rng.normal(size=(120, 17))
    found = audit(*sweep(rows(RANDOM, faces, "random")), labels=labels, effort=EFFORT)
    assert only(found, "group_share", encoder="conditioning", arm="random", group="side: 1").value is None
    assert any("random: some shares of side cannot be told" in note for note in found.notes)


def test_one_face_of_each_prompt_and_seed_keeps_vectors_with_their_seeds():
    design = crossed(4, 3, 7)
    chosen = design.take(one_per_seed(design))
    assert len(chosen.seed) == 4 * 7
    pairs = set(zip(chosen.seed.tolist(), chosen.face.tolist(), strict=True))
    assert len(pairs) == 7
    assert len(set(chosen.face)) == 3


def test_figures_do_not_depend_on_the_order_of_the_rows():
    results, requests = sweep(arm("base", World(), PLAIN), arm("random", World(), RANDOM))
    mixed = results.take(np.random.default_rng(0).permutation(results.num_rows))
    effort = Resampling(resamples=19, permutations=19)
    assert audit(mixed, requests, effort=effort).to_dict() == audit(results, requests, effort=effort).to_dict()


def test_too_few_permutations_to_call_a_prompt_different_are_said():
    """Of 6 prompts, one that differs has q = 6 p at best."""
    images = sweep(arm("random", World(), RANDOM))
    notes = [audit(*images, effort=Resampling(resamples=9, permutations=n)).notes for n in (99, 119)]
    assert [any("give 119" in note for note in each) for each in notes] == [True, False]


def test_the_table_is_tidy_and_the_json_has_no_nan(usual: Audit):
    table = usual.table()
    assert table.schema == MEASURES
    assert table.num_rows == len(usual.measures)
    told = json.loads(json.dumps(usual.to_dict(), allow_nan=False))
    assert {each["arm"] for each in told["arms"]} == {"base", "random", "fixed"}
    keys = table.select(["measure", "encoder", "arm", "settings", "against", "prompt", "group"]).to_pylist()
    assert len({tuple(each.values()) for each in keys}) == table.num_rows


def test_what_cannot_be_audited_is_refused_with_the_remedy():
    images = arm("random", World(), RANDOM)
    with pytest.raises(UsageError, match="names the arm of each in its label"):
        audit(*sweep([{**each, "label": ""} for each in images]))
    results, requests = sweep(images)
    with pytest.raises(UsageError, match="20 results are of no request"):
        audit(results, requests.slice(20))
    few = Labels(name="x", face_ids=["a", "b"], groups=["l", "r"], vectors=np.ones((2, 17)))
    with pytest.raises(UsageError, match="l 1, r 1"):
        audit(results, requests, labels=few, effort=Resampling(resamples=9, permutations=9))


def test_few_vectors_and_few_prompts_still_make_an_audit():
    """A first look: two vectors, two prompts, one seed. Most cannot be told, and that is what it says."""
    small = arm("random", World(), crossed(2, 2, 1))
    found = audit(*sweep(arm("base", World(), without_vector(2, 1)), small), effort=EFFORT)
    assert any("fewer than 10 are rough" in note for note in found.notes)
    assert not any("permutations" in note for note in found.notes)
    assert only(found, "similarity", arm="base").value is None
    assert only(found, "leakage", arm="base").reason == Unmeasured.FEW_GROUPS
    json.dumps(found.to_dict(), allow_nan=False)


def test_that_no_face_was_found_at_all_is_a_result(tmp_path: Path):
    images = without_face([*arm("base", World(), PLAIN), *arm("random", World(), RANDOM)], [True] * 240)
    found = write_audit(str(tmp_path), open_results(rendered(str(tmp_path / "renders"), images)), effort=EFFORT)
    assert only(found, "face_found", encoder="", arm="random").value == 0
    assert NO_VECTORS in found.notes
    assert {cell.no_face for cell in found.totals} == {119, 120}
    assert NO_VECTORS in (tmp_path / "report.html").read_text()


def thumbnail(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (32, 32), grey).save(file, "JPEG")
    return file.getvalue()


def test_the_page_the_summary_and_the_table_are_written(tmp_path: Path):
    evil = "<script>alert(1)</script>"
    images = [*arm("base", World(words=1), PLAIN), *arm("random", World(), RANDOM, text_alignment=0.2)]
    images = [{**each, "prompt": each["prompt"] + evil, "thumbnail": thumbnail(99)} for each in images]
    output = tmp_path / "out"
    renders = open_results(rendered(str(output / "renders"), images))
    found = write_audit(str(output), renders, effort=EFFORT)
    page = written(output, found, evil)
    for told in ("requested 240 = generated 239 + failed 1", "too large", 'href="renders/report.html"', "cannot show"):
        assert told in page
    assert page.count("data:image/jpeg;base64,") == PROMPTS * 2 * 6
