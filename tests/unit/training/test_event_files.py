"""Figures read back from TensorBoard's files, as TensorBoard would show them."""

import time
from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from face0.io.folder import Folder
from face0.training.event_files import read_figures


def log(folder: Path, steps: range, loss: float, purge: int | None = None) -> None:
    with SummaryWriter(str(folder), purge_step=purge) as writer:
        for step in steps:
            writer.add_scalar("loss", loss, step)
            writer.add_image("samples", np.full((64, 64, 3), step, np.uint8), step, dataformats="HWC")


def test_figures_are_read_and_pictures_passed_over(tmp_path: Path):
    log(tmp_path, range(1, 4), 0.5)
    figures = read_figures(Folder(str(tmp_path)))
    assert figures.keys() == {"loss"}
    assert figures["loss"].steps == [1, 2, 3]
    assert figures["loss"].values == [0.5, 0.5, 0.5]
    assert all(abs(at - time.time()) < 600 for at in figures["loss"].times)


def test_what_a_killed_run_logged_beyond_its_checkpoint_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log(tmp_path, range(1, 10), 1.0)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 5)  # the names of the files begin with the second
    log(tmp_path, range(5, 7), 2.0, purge=5)
    figures = read_figures(Folder(str(tmp_path)))["loss"]
    assert figures.steps == [1, 2, 3, 4, 5, 6]
    assert figures.values == [1, 1, 1, 1, 2, 2]


def test_an_end_that_was_cut_off_is_passed_over(tmp_path: Path):
    log(tmp_path, range(1, 4), 0.5)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for size in (len(whole) - 5, len(whole) // 2, 9, 0):
        file.write_bytes(whole[:size])
        figures = read_figures(Folder(str(tmp_path)))
        assert figures.get("loss") is None or figures["loss"].steps == list(range(1, len(figures["loss"].steps) + 1))


def test_no_log_has_no_figures(tmp_path: Path):
    assert read_figures(Folder(str(tmp_path / "logs"))) == {}
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("mine")
    assert read_figures(Folder(str(tmp_path / "logs"))) == {}
