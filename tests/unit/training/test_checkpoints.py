"""Checkpoints are whole or not there, on every kind of file system."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from face0.errors import TrainingError
from face0.io.cards import CARD
from face0.io.folder import Folder
from face0.model.card import base_card
from face0.training.checkpoints import Checkpoints
from tests.fixtures.pictures import contents


def model(step: int) -> Callable[[Path], None]:
    """Writes a model that tells its step, with the state of its training."""

    def write(folder: Path) -> None:
        (folder / "unet").mkdir()
        (folder / "unet" / "weights").write_text(f"weights {step}")
        (folder / "training_state").mkdir()
        (folder / "training_state" / "optimizer").write_text(f"optimizer {step}")
        (folder / "lineage.json").write_text(json.dumps({"step": step}))

    return write


def saved(root: str, losses: dict[int, float | None]) -> Checkpoints:
    checkpoints = Checkpoints(root)
    for step, loss in losses.items():
        checkpoints.save(step, model(step), {"loss": loss})
    return checkpoints


def test_the_newest_is_the_model_and_all_are_there_with_their_state(root):
    checkpoints = saved(root, {5: 0.3, 10: 0.2})
    assert checkpoints.records() == {5: {"step": 5, "loss": 0.3}, 10: {"step": 10, "loss": 0.2}}
    newest = {name: data for name, data in contents(root).items() if not name.startswith("checkpoints/")}
    assert newest == {"unet/weights": b"weights 10", "lineage.json": b'{"step": 10}'}
    for step in (5, 10):
        with checkpoints.fetched(step) as folder:
            assert (folder / "unet" / "weights").read_text() == f"weights {step}"
            assert (folder / "training_state" / "optimizer").read_text() == f"optimizer {step}"


def test_one_that_cannot_be_written_leaves_the_others(root):
    checkpoints = saved(root, {5: 0.3})
    before = contents(root)

    def full(folder: Path) -> None:
        model(10)(folder)
        raise OSError("no space left on device")

    with pytest.raises(TrainingError, match=r"step 10 could not be saved in .*: no space left"):
        checkpoints.save(10, full, {})
    assert contents(root) == before


def test_half_of_one_is_never_picked_up_and_is_written_anew(tmp_path):
    checkpoints = saved(str(tmp_path), {5: 0.3})
    half = tmp_path / "checkpoints" / "step-00000010"
    (half / "unet").mkdir(parents=True)
    (half / "unet" / "stale").write_text("half")
    assert list(checkpoints.records()) == [5]
    checkpoints.save(10, model(10), {})
    assert list(checkpoints.records()) == [5, 10]
    assert not (half / "unet" / "stale").exists()


def test_the_newest_and_the_best_are_kept(root):
    checkpoints = saved(root, {5: 0.4, 10: 0.1, 15: None, 20: 0.3, 25: 0.2})
    checkpoints.prune(2, "loss")
    assert list(checkpoints.records()) == [10, 20, 25]
    folders = {name.split("/")[1] for name in contents(root) if name.startswith("checkpoints/")}
    assert folders == {"step-00000010", "step-00000020", "step-00000025"}


def test_a_card_is_renewed_until_somebody_edits_it(root):
    def with_card(step: int) -> Callable[[Path], None]:
        def write(folder: Path) -> None:
            model(step)(folder)
            (folder / CARD).write_text(base_card(f"Step {step}.", {}))

        return write

    checkpoints = Checkpoints(root)
    for step in (5, 10):
        checkpoints.save(step, with_card(step), {})
        assert Folder(root).read(CARD).decode() == base_card(f"Step {step}.", {})
    Folder(root).write_text(CARD, "# Mine")
    checkpoints.save(15, with_card(15), {})
    assert Folder(root).read(CARD) == b"# Mine"
    assert json.loads(Folder(root).read("lineage.json")) == {"step": 15}
