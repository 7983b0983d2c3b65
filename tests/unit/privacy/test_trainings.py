"""What trainings keep of photographs."""

import json
from pathlib import Path

import pytest
from PIL import Image

from face0.privacy.locations import classify
from face0.privacy.trainings import TrainingLocation, What, open_training
from face0.reports.training.page import write_training
from tests.fixtures.trainings import latents, lineage, logged

SHARDS, OTHER = "/data/shards", "/data/other"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    lineage(folder, [SHARDS], str(latents(tmp_path / "cache", "a", [SHARDS])))
    logged(folder / "logs")
    (folder / "samples").mkdir()
    (folder / "samples" / "step-00000001.png").write_bytes(b"picture")
    (folder / "unet").mkdir()
    (folder / "unet" / "weights").write_bytes(b"weights")
    return folder


def opened(folder: Path) -> TrainingLocation:
    training = open_training(str(folder))
    assert training is not None
    return training


def kinds(training: TrainingLocation, places: set[str], holding: set[str]) -> list[What]:
    names = training.look(places, holding).names
    return [copy.what for copy in training.copies if copy.uri in names]


def test_all_that_shows_photographs_of_the_shards_is_found(model):
    training = opened(model)
    assert kinds(training, {SHARDS}, {SHARDS}) == [What.GRID, What.LOG, What.LATENTS]
    assert "train anew without them" in training.look({SHARDS}, {SHARDS}).note


def test_nothing_goes_of_a_training_on_shards_without_the_person(model):
    training = opened(model)
    assert kinds(training, {SHARDS, OTHER}, {OTHER}) == []
    assert training.look({SHARDS, OTHER}, {OTHER}).note == ""


def test_where_nobody_can_tell_everything_goes(model, tmp_path):
    found = opened(model).look({OTHER}, set()).found
    assert len(found) == 3
    assert found[0].why.endswith(f"of {SHARDS}, which is not in the places given")
    (model / "lineage.json").unlink()  # between two models, or before the first checkpoint
    assert kinds(opened(model), {SHARDS}, set()) == [What.GRID, What.LOG]
    latents(tmp_path / "cache", "b")
    assert [copy.shards for copy in opened(tmp_path / "cache").copies] == [[SHARDS], ()]
    assert kinds(opened(tmp_path / "cache"), {SHARDS}, set()) == [What.LATENTS]  # that of an earlier version


def test_the_shards_of_each_checkpoint_count(model):
    lineage(model / "checkpoints" / "step-00000001", [OTHER])
    assert kinds(opened(model), {SHARDS, OTHER}, {OTHER}) == [What.GRID, What.LOG]
    (model / "checkpoints" / "step-00000001" / "lineage.json").write_text("{")  # torn
    assert kinds(opened(model), {SHARDS, OTHER}, {OTHER}) == []


def test_what_is_removed_is_gone_and_the_rest_stays(model, tmp_path):
    training = opened(model)
    (log,) = (model / "logs").iterdir()
    training.remove(training.look({SHARDS}, {SHARDS}).names)
    assert [path.name for path in model.rglob("*") if path.is_file()] == ["lineage.json", log.name, "weights"]
    assert b"PNG" not in log.read_bytes()
    assert not [*(tmp_path / "cache").glob("a.latents"), *(tmp_path / "cache").glob("a.json")]
    again = opened(model)
    assert again.copies == []
    assert json.loads((model / "lineage.json").read_text())["step"] == 1


def test_the_report_is_written_anew_without_the_pictures(model, tmp_path):
    Image.new("RGB", (8, 8)).save(model / "samples" / "step-00000001.png")
    write_training(str(model))
    training = opened(model)
    assert kinds(training, {SHARDS}, {SHARDS}) == [What.GRID, What.LOG, What.REPORT, What.LATENTS]
    assert kinds(training, {SHARDS, OTHER}, {OTHER}) == []
    training.remove(training.look({SHARDS}, {SHARDS}).names)
    page = (model / "report.html").read_text()
    assert "data:image/" not in page
    assert "Loss of the predicted noise" in page
    assert opened(model).copies == []


def test_a_removal_that_was_cut_off_before_the_report_goes_on(model):
    Image.new("RGB", (8, 8)).save(model / "samples" / "step-00000001.png")
    write_training(str(model))
    (model / "samples" / "step-00000001.png").unlink()
    training = opened(model)
    assert What.REPORT in kinds(training, {SHARDS}, {SHARDS})
    (model / "lineage.json").unlink()
    training.remove(training.look({SHARDS}, {SHARDS}).names)
    assert not (model / "report.html").exists()


def test_places_are_told_by_what_is_in_them(model, tmp_path):
    (tmp_path / "nothing").mkdir()
    assert open_training(str(tmp_path / "nothing")) is None
    locations = classify([str(model), str(tmp_path / "cache")])
    assert [training.kind for training in locations.trainings] == ["model", "latents"]
    assert locations.uris == [str(model), str(tmp_path / "cache")]
