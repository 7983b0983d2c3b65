"""Verdicts on characters of known consistency."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from face0.detection.head_pose import HEAD, degrees
from face0.errors import UsageError
from face0.evaluation.characters.figures import Figure
from face0.evaluation.characters.verdicts import (
    REQUEST_COLUMNS,
    RESULT_COLUMNS,
    Characters,
    RealPairs,
    characters,
)
from face0.evaluation.encoders import NO_VECTORS
from face0.generation.results import open_results
from face0.reports.characters import write_characters
from schemas.measures import Unmeasured
from schemas.requests import RESULTS
from tests.fixtures.audit_simulation import rendered
from tests.fixtures.renders import row, written

PEOPLE, SCENES, SEEDS = 6, 4, 2


def sweep(spread: float = 0.1, dim: int = 32, **columns: Any) -> list[dict[str, Any]]:
    """Every character in every scene with every seed; faces stray from their character by so much in all directions."""
    rng = np.random.default_rng(0)
    own = unit(rng.normal(size=(PEOPLE, dim)))
    rows = []
    for who in range(PEOPLE):
        for where in range(SCENES):
            for seed in range(SEEDS):
                face = unit(own[who] + spread * rng.normal(size=dim))
                values = {
                    "identity_vector": face.tolist(),
                    "judge_vector": face.tolist(),
                    "text_alignment": 0.25,
                    **columns,
                }
                rows.append(row(len(rows), face_id=f"p{who}", prompt=f"scene {where}", seed=seed, **values))
    return rows


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def verdicts(rows: list[dict[str, Any]], more: list[dict[str, Any]] | None = None, **options: Any) -> Characters:
    """Of results, and of more requests that have no result."""
    schema = pa.schema([RESULTS.field(name) for name in REQUEST_COLUMNS])
    asked = [{name: each[name] for name in REQUEST_COLUMNS} for each in [*rows, *(more or [])]]
    results = pa.Table.from_pylist(rows, schema=RESULTS).select(RESULT_COLUMNS)
    return characters(results, pa.Table.from_pylist(asked, schema=schema), **options)


def test_characters_that_stay_themselves_are_told_apart_and_drifting_ones_less():
    steady, drifting = verdicts(sweep(0.05)), verdicts(sweep(1.0))
    assert steady.encoders[0] == "judge"
    assert steady.verifications["judge"].auc == pytest.approx(1)
    assert steady.verifications["judge"].equal_error == pytest.approx(0)
    assert 0.5 < drifting.verifications["judge"].auc < 0.8
    low, high = drifting.verifications["judge"].auc_low, drifting.verifications["judge"].auc_high
    assert low < drifting.verifications["judge"].auc < high


def test_faces_that_follow_the_seed_and_not_the_character_get_no_credit():
    """All characters share the faces of their scenes and seeds: pairs of one scene or seed must not be compared."""
    rng = np.random.default_rng(1)
    faces = unit(rng.normal(size=(SCENES, SEEDS, 32)))
    rows = [{**each, "judge_vector": faces[int(each["prompt"].split()[1]), each["seed"]].tolist()} for each in sweep()]
    found = verdicts(rows).verifications["judge"]
    assert found.auc == pytest.approx(0.5, abs=0.02)


def test_the_character_that_drifts_and_the_scene_that_breaks_faces_come_first():
    rng = np.random.default_rng(2)
    rows = sweep(0.1)
    for each in rows:
        if each["face_id"] == "p3" or each["prompt"] == "scene 2":
            each["judge_vector"] = unit(rng.normal(size=32)).tolist()
    found = verdicts(rows)
    assert found.characters[0].name == "p3"
    assert found.scenes[0].name == "scene 2"
    auc = Figure("judge", "auc")
    assert found.characters[0].measures[auc] < 0.7 < found.characters[-1].measures[auc]
    assert found.to_dict()["characters"][0]["measures"]["judge_auc"] == found.characters[0].measures[auc]


def test_images_without_a_face_count_as_such_and_not_as_unlike():
    rows = sweep(0.05)
    for each in rows:
        if each["face_id"] == "p1" and each["seed"] == 1:
            each.update(faces_found=0, identity_vector=None, judge_vector=None)
    failed = [row(999, face_id="p1", prompt="scene 0", seed=7)]
    found = verdicts(rows, failed)
    one = next(each for each in found.characters if each.name == "p1")
    assert (one.requested, one.generated, one.found) == (9, 8, 4)
    assert one.found_low < 0.5 < one.found_high
    assert found.verifications["judge"].auc == pytest.approx(1)
    assert any("4 of 48 images have no face" in note for note in found.notes)


def test_a_pasted_face_shows_in_the_pictures():
    rng = np.random.default_rng(3)
    own = rng.integers(0, 255, (PEOPLE, 16, 16), np.uint8)

    def thumbnail(picture: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture).resize((64, 64)).save(file, "PNG")
        return file.getvalue()

    pasted, varied = sweep(), sweep()
    for a, b in zip(pasted, varied, strict=True):
        a.update(box=[0, 0, 64, 64], thumbnail=thumbnail(own[int(a["face_id"][1:])]))
        b.update(box=[0, 0, 64, 64], thumbnail=thumbnail(rng.integers(0, 255, (16, 16), np.uint8)))
    assert verdicts(pasted).verifications["picture"].within.mean > 0.95
    assert abs(verdicts(varied).verifications["picture"].within.mean) < 0.1


def test_a_pose_that_each_character_keeps_shows():
    rng = np.random.default_rng(3)
    kept, free = sweep(), sweep()
    own = rng.uniform(-40, 40, PEOPLE)
    for a, b in zip(kept, free, strict=True):
        a["landmarks"] = turned_head(own[int(a["face_id"][1:])] + rng.normal())
        b["landmarks"] = turned_head(rng.uniform(-40, 40))
    assert verdicts(kept).verifications["pose"].auc > 0.9
    assert degrees(verdicts(kept).verifications["pose"].within.mean) < 3
    assert abs(verdicts(free).verifications["pose"].auc - 0.5) < 0.15


def turned_head(yaw: float) -> list[float]:
    angle = np.radians(yaw)
    across = HEAD[:, 0] * np.cos(angle) + HEAD[:, 2] * np.sin(angle)
    return np.stack([across, HEAD[:, 1]], axis=1).ravel().tolist()


def test_real_photographs_give_ceiling_and_floor():
    rng = np.random.default_rng(4)
    real = RealPairs(name="album", encoder="judge", same=rng.normal(0.7, 0.1, 500), different=rng.normal(0.0, 0.1, 500))
    (found,) = verdicts(sweep(), real=[real]).real
    assert found.auc > 0.99
    assert found.same.mean == pytest.approx(0.7, abs=0.02)


def test_one_scene_or_one_seed_is_said():
    rows = [each for each in sweep() if each["seed"] == 0]
    assert any("images of one seed had to be compared" in note for note in verdicts(rows).notes)


def test_json_has_no_nan_and_the_table_every_character_and_scene():
    rows = sweep(judge_vector=None)
    found = verdicts(rows)
    assert found.encoders == ["conditioning"]
    assert any("flatters" in note for note in found.notes)
    json.dumps(found.to_dict(), allow_nan=False)
    table = found.table()
    assert set(table["group"].to_pylist()) == {None, *(f"p{i}" for i in range(PEOPLE))}
    assert {f"scene {i}" for i in range(SCENES)} <= set(table["prompt"].to_pylist())
    (mean,) = [
        r for r in found.measures if r.measure == "auc" and r.encoder == "conditioning" and not r.group and not r.prompt
    ]
    assert mean.low <= mean.value <= mean.high


def test_what_cannot_be_judged_is_refused_with_the_remedy():
    rows = sweep()
    with pytest.raises(UsageError, match="no request has a face"):
        verdicts([{**each, "face_id": ""} for each in rows])


def test_that_no_face_was_found_at_all_is_a_result(tmp_path: Path):
    rows = sweep(identity_vector=None, judge_vector=None, faces_found=0)
    found = write_characters(str(tmp_path), open_results(rendered(str(tmp_path / "renders"), rows)))
    assert [each.found for each in found.characters] == [0] * PEOPLE
    assert NO_VECTORS in found.notes
    assert {each["reason"] for each in found.to_dict()["verifications"].values()} == {Unmeasured.NO_FACE}
    assert NO_VECTORS in (tmp_path / "report.html").read_text()


def test_the_page_the_summary_and_the_table_are_written(tmp_path: Path):
    evil = "<script>alert(1)</script>"
    rows = [{**each, "face_id": each["face_id"] + evil, "prompt": each["prompt"] + evil} for each in sweep()]
    output = tmp_path / "out"
    renders = open_results(rendered(str(output / "renders"), rows))
    rng = np.random.default_rng(5)
    real = RealPairs(name="album", encoder="judge", same=rng.normal(0.7, 0.1, 50), different=rng.normal(0, 0.1, 50))
    found = write_characters(str(output), renders, real=[real])
    page = written(output, found, evil)
    for told in (
        "requested 48 = generated 47 + failed 1",
        "too large",
        'href="renders/report.html"',
        "album: one person",
    ):
        assert told in page
    assert page.count("data:image/jpeg;base64,") == PEOPLE * SCENES * SEEDS - 1


def test_a_note_that_holds_for_several_encoders_is_said_once():
    rows = [each for each in sweep() if each["seed"] == 0]
    found = verdicts(rows)
    assert sum("images of one seed had to be compared" in note for note in found.notes) == 1
    assert "picture and pose: no two images of one character, or of two, to compare." in found.notes
