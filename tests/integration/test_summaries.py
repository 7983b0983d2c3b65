"""What scripts rely on: every measure of every arm is listed whatever came of it, null with its reason."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator, ValidationError

from face0.evaluation.audit.analysis import Audit, audit
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.audit.labels import Labels
from face0.evaluation.characters.figures import FIGURES
from face0.evaluation.characters.verdicts import REQUEST_COLUMNS, RESULT_COLUMNS, Characters, characters
from face0.evaluation.measures import Measure
from face0.evaluation.paper_tables import MissingFace, paper_tables
from face0.generation.results import open_results
from face0.reports.audit.page import write_audit
from face0.reports.characters import write_characters
from face0.statistics.design import Design
from face0.statistics.vectors import unit
from schemas.measures import MEASURES, Unmeasured
from schemas.requests import RESULTS
from tests.fixtures.audit_simulation import World, bank_of, paired, rendered, rows, sweep, without_vector
from tests.fixtures.json_schemas import FOLDER, schema, validate
from tests.fixtures.renders import row

Image = dict[str, Any]
EFFORT = Resampling(resamples=19, permutations=19)
NO_FACE = {"faces_found": 0, "identity_vector": None, "judge_vector": None, "similarity": None}
KEYS = ("measure", "encoder", "arm", "settings", "against", "prompt", "group")


def keys(measures: Any) -> list[tuple[str | None, ...]]:
    return [tuple(getattr(measure, name) for name in KEYS) for measure in measures]


# An audit: 3 prompts x 12 vectors, in the arms base and random


def images(arms: tuple[str, ...] = ("base", "random"), prompts: int = 3, vectors: int = 12) -> list[Image]:
    made: list[Image] = []
    for label in arms:
        design: Design = without_vector(prompts, vectors) if label == "base" else paired(prompts, vectors)
        faces = World(words=0.5).faces(design, np.random.default_rng(0))
        made += rows(design, faces, label, first=len(made), text_alignment=0.25)
    return made


def labels() -> Labels:
    vectors = World().faces(paired(1, 24), np.random.default_rng(1))
    names = [f"face-{i}" for i in range(24)]
    return Labels(name="hat", face_ids=names, groups=["no", "yes"] * 12, vectors=vectors)


AUDITS: dict[str, Callable[[list[Image]], list[Image]]] = {
    "usual": lambda made: made,
    "no judge": lambda made: [{**image, "judge_vector": None} for image in made],
    "no embedder": lambda made: [{**image, "identity_vector": None} for image in made],
    "no encoder": lambda made: [{**image, "judge_vector": None, "identity_vector": None} for image in made],
    "no CLIP": lambda made: [{**image, "text_alignment": None} for image in made],
    "no face": lambda made: [{**image, **NO_FACE} for image in made],
    "one face": lambda made: [made[0], *({**image, **NO_FACE} for image in made[1:])],
    "two faces of a prompt": lambda made: [*made[:2], *({**image, **NO_FACE} for image in made[2:])],
    "no face in an arm": lambda made: [{**image, **NO_FACE} if image["label"] == "random" else image for image in made],
    "no face for a prompt": lambda made: [
        {**image, **NO_FACE} if image["prompt"] == "prompt 1" else image for image in made
    ],
    "an arm failed": lambda made: [image for image in made if image["label"] != "random"],
    "the base failed": lambda made: [image for image in made if image["label"] != "base"],
    "a prompt failed": lambda made: [image for image in made if image["prompt"] != "prompt 2"],
    "one image": lambda made: made[-1:],
}


def of(made: list[Image], asked: list[Image], **options: Any) -> Audit:
    results, _ = sweep(made)
    _, requests = sweep(asked)
    return audit(results, requests, effort=EFFORT, **options)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("situation", AUDITS)
def test_the_rows_of_an_audit_depend_on_what_was_asked_for_alone(situation: str, labelled: bool):
    asked = images()
    known = {"labels": labels()} if labelled else {}
    found = of(AUDITS[situation](asked), asked, **known)
    assert keys(found.measures) == rows_of_the_whole_audit(labelled)
    assert len(set(keys(found.measures))) == len(found.measures)
    for measure in found.measures:
        assert (measure.value is None) == (measure.reason is not None), measure
    validate(found.to_dict(), "audit-summary")
    for record in found.table().to_pylist():
        validate(record, "measure")


@cache
def rows_of_the_whole_audit(labelled: bool) -> list[tuple[str | None, ...]]:
    """Where all is known that can be: every image, face and vector that was asked for."""
    design, asked = paired(1, 12), images()
    bank = bank_of(design, World().faces(design, np.random.default_rng(2)), 0.1, np.random.default_rng(3))
    return keys(of(asked, asked, bank=bank, **({"labels": labels()} if labelled else {})).measures)


def reason(found: Audit, measure: str, encoder: str = "judge", **fields: Any) -> Unmeasured | None:
    usual = {"arm": "random", "prompt": None, "against": None, "group": None}
    (measure_row,) = found.find(measure, encoder=encoder, **{**usual, **fields})
    return measure_row.reason


def test_an_audit_names_the_cause():
    asked = images()
    found = {situation: of(change(asked), asked) for situation, change in AUDITS.items()}
    assert reason(found["usual"], "leakage") is None
    for situation, cause in {
        "no judge": Unmeasured.NO_JUDGE,
        "no encoder": Unmeasured.NO_JUDGE,
        "no face": Unmeasured.NO_FACE,
        "no face in an arm": Unmeasured.NO_FACE,
        "an arm failed": Unmeasured.NO_IMAGE,
    }.items():
        for measure in ("leakage", "energy_distance", "vendi_score", "follows_vector", "similarity"):
            assert reason(found[situation], measure) == cause
            if measure in ("leakage", "energy_distance", "similarity"):
                assert reason(found[situation], measure, against="base") == cause
    assert reason(found["no embedder"], "follows_input", "conditioning") == Unmeasured.NO_EMBEDDER
    assert reason(found["usual"], "follows_input", "conditioning") == Unmeasured.NO_INPUT
    assert reason(found["usual"], "cluster_entropy", "conditioning") == Unmeasured.FEW_REFERENCES
    assert reason(found["usual"], "leakage", against="zero") == Unmeasured.NO_ARM
    assert reason(found["the base failed"], "leakage", against="base") == Unmeasured.NO_IMAGE
    assert reason(found["no CLIP"], "text_alignment", "") == Unmeasured.NO_CLIP
    assert reason(found["no face for a prompt"], "similarity", prompt="prompt 1") == Unmeasured.NO_FACE
    assert reason(found["a prompt failed"], "similarity", prompt="prompt 2") == Unmeasured.NO_IMAGE
    assert reason(found["two faces of a prompt"], "leakage", arm="base") == Unmeasured.ONE_PROMPT
    assert reason(found["two faces of a prompt"], "vendi_score", arm="base") == Unmeasured.FEW_FACES
    assert reason(found["usual"], "variance_share", group="face") == Unmeasured.NOT_APART


def test_one_arm_one_prompt_and_other_settings():
    alone = of(images(("random",)), images(("random",)))
    assert reason(alone, "similarity", against="base") == Unmeasured.NO_ARM
    narrow = of(images(prompts=1), images(prompts=1))
    assert reason(narrow, "leakage") == Unmeasured.ONE_PROMPT
    made = images()
    changed = [
        {**image, "request_id": f"{steps}{image['request_id']}", "steps": steps} for image in made for steps in (1, 2)
    ]
    other = [{**image, "steps": 3} if image["label"] == "random" else image for image in changed]
    other = list({image["request_id"]: image for image in other}.values())
    (measure, _) = of(other, other).find("similarity", arm="random", against="base", prompt=None)
    assert measure.reason == Unmeasured.OTHER_SETTINGS
    for found in (alone, narrow):
        validate(found.to_dict(), "audit-summary")


def test_the_page_of_an_audit_says_why(tmp_path: Path):
    for situation, change in AUDITS.items():
        made = change(images())
        if len(made) > 1:
            write_audit(str(tmp_path), open_results(rendered(str(tmp_path / situation), made)), effort=EFFORT)
            validate(json.loads((tmp_path / "summary.json").read_text()), "audit-summary")
    made = [image for image in images() if image["label"] == "random"]
    write_audit(str(tmp_path), open_results(rendered(str(tmp_path / "alone"), made)), effort=EFFORT)
    page = (tmp_path / "report.html").read_text()
    assert Unmeasured.NO_ARM in page
    table = pq.read_table(tmp_path / "measures.parquet")
    assert table.schema.metadata[b"face0.version"] == b"2"
    assert set(table["reason"].to_pylist()) <= {None, *Unmeasured}


# Characters: 3 x 2 scenes x 2 seeds


def renders(people: int = 3, scenes: int = 2, seeds: int = 2) -> list[Image]:
    rng = np.random.default_rng(0)
    own = unit(rng.normal(size=(people, 16)))
    made: list[Image] = []
    for who in range(people):
        for scene in range(scenes):
            for seed in range(seeds):
                face = unit(own[who] + 0.1 * rng.normal(size=16)).tolist()
                made.append(
                    row(
                        len(made),
                        face_id=f"p{who}",
                        prompt=f"scene {scene}",
                        seed=seed,
                        identity_vector=face,
                        judge_vector=face,
                        similarity=0.9,
                        judge_similarity=0.8,
                        text_alignment=0.25,
                    )
                )
    return made


SWEEPS: dict[str, Callable[[list[Image]], list[Image]]] = {
    "usual": lambda made: made,
    "no judge": lambda made: [{**image, "judge_vector": None, "judge_similarity": None} for image in made],
    "no embedder": lambda made: [{**image, "identity_vector": None, "similarity": None} for image in made],
    "no CLIP": lambda made: [{**image, "text_alignment": None} for image in made],
    "no portrait": lambda made: [{**image, "judge_similarity": None} for image in made],
    "no face": lambda made: [{**image, **NO_FACE, "judge_similarity": None} for image in made],
    "one face": lambda made: [made[0], *({**image, **NO_FACE, "judge_similarity": None} for image in made[1:])],
    "a character failed": lambda made: [image for image in made if image["face_id"] != "p1"],
    "a scene failed": lambda made: [image for image in made if image["prompt"] != "scene 1"],
    "one image": lambda made: made[:1],
}


def judged(made: list[Image], asked: list[Image]) -> Characters:
    wanted = pa.schema([RESULTS.field(name) for name in REQUEST_COLUMNS])
    requests = pa.Table.from_pylist([{name: image[name] for name in REQUEST_COLUMNS} for image in asked], schema=wanted)
    return characters(pa.Table.from_pylist(made, schema=RESULTS).select(RESULT_COLUMNS), requests)


@pytest.mark.parametrize("situation", SWEEPS)
def test_the_rows_of_characters_depend_on_what_was_asked_for_alone(situation: str):
    asked = renders()
    found = judged(SWEEPS[situation](asked), asked)
    assert sorted(keys(found.measures), key=str) == sorted(keys(judged(asked, asked).measures), key=str)
    for measure in found.measures:
        assert (measure.value is None) == (measure.reason is not None), measure
    for verdict in (*found.characters, *found.scenes):
        assert verdict.measures.keys() | verdict.unmeasured.keys() == set(FIGURES)
        assert not verdict.measures.keys() & verdict.unmeasured.keys()
    validate(found.to_dict(), "characters-summary")
    for record in found.table().to_pylist():
        validate(record, "measure")


def overall(found: Characters, measure: str, encoder: str = "") -> Measure:
    (one,) = [row for row in found.measures if keys([row])[0] == (measure, encoder, "", "", None, None, None)]
    return one


def test_characters_name_the_cause():
    asked = renders()
    found = {situation: judged(change(asked), asked) for situation, change in SWEEPS.items()}
    assert overall(found["usual"], "auc", "judge").value == 1
    assert overall(found["usual"], "auc", "picture").reason == Unmeasured.SMALL_FACES
    for situation, cause in {
        "no judge": Unmeasured.NO_JUDGE,
        "no face": Unmeasured.NO_FACE,
        "one image": Unmeasured.NO_PAIR,
        "one face": Unmeasured.NO_PAIR,
    }.items():
        assert overall(found[situation], "auc", "judge").reason == cause
        told = found[situation].to_dict()["verifications"]["judge"]
        assert (told["auc"], told["reason"], told["within"]["quantiles"]["0.5"]) == (None, cause, None)
    assert overall(found["no embedder"], "similarity").reason == Unmeasured.NO_EMBEDDER
    assert overall(found["no portrait"], "judge_similarity").reason == Unmeasured.NO_PORTRAIT
    assert overall(found["no CLIP"], "text_alignment").reason == Unmeasured.NO_CLIP
    lost = next(verdict for verdict in found["a character failed"].characters if verdict.name == "p1")
    assert set(lost.unmeasured.values()) == {Unmeasured.NO_IMAGE}


@pytest.mark.parametrize(("people", "scenes", "seeds"), [(1, 2, 2), (3, 1, 1), (1, 1, 1), (2, 1, 2)])
def test_small_sweeps_of_characters_have_all_rows(people: int, scenes: int, seeds: int, tmp_path: Path):
    made = renders(people, scenes, seeds)
    found = judged(made, made)
    assert len(found.measures) == (1 + people + scenes) * (len(FIGURES) + 1)
    validate(found.to_dict(), "characters-summary")
    if people == 1:
        assert overall(found, "auc", "judge").reason == Unmeasured.ONE_CHARACTER
    if len(made) > 1:
        write_characters(str(tmp_path), open_results(rendered(str(tmp_path / "renders"), made)))
        validate(json.loads((tmp_path / "summary.json").read_text()), "characters-summary")


# The schemas


def test_the_papers_tables_are_of_their_schema():
    made = [
        row(0, label="a", text_alignment=0.2, face_alignment=0.1),
        row(1, label="b", text_alignment=0.2, faces_found=0),
    ]
    validate(paper_tables(pa.Table.from_pylist(made, schema=RESULTS), MissingFace.EXCLUDE).to_dict(), "evaluate-paper")


def test_the_schemas_are_schemas_and_have_the_fields_and_reasons_of_the_table():
    for path in FOLDER.glob("*.schema.json"):
        Draft202012Validator.check_schema(json.loads(path.read_text()))
    measure = schema("measure")
    assert list(measure["properties"]) == measure["required"] == MEASURES.names
    nullable = [name for name, field in measure["properties"].items() if null_fits(field)]
    assert nullable == [field.name for field in MEASURES if field.nullable]
    assert measure["properties"]["reason"]["enum"] == [*Unmeasured, None]
    for name in ("audit-summary", "characters-summary"):
        shared = schema(name)["$defs"]["measure"]
        assert {key: measure[key] for key in shared} == shared


def null_fits(field: dict[str, Any]) -> bool:
    return Draft202012Validator(field).is_valid(None)


@pytest.mark.parametrize("change", [{"value": None}, {"reason": Unmeasured.NO_FACE}, {"more": 1}, {"images": None}])
def test_the_schema_of_a_measure_refuses(change: dict[str, Any]):
    whole = {**dict.fromkeys(MEASURES.names), "measure": "m", "encoder": "", "arm": "a", "settings": "", "value": 1.0}
    whole |= {"images": 1, "reference": "", "over": "vectors"}
    validate(whole, "measure")
    with pytest.raises(ValidationError):
        validate({**whole, **change}, "measure")
