"""The page about a training: of lineage, logs and grids, and of whatever of these there is."""

import re
from pathlib import Path

import fsspec

from face0.reports.training.page import GRIDS, write_training
from tests.fixtures.trainings import EVIL, lineage, trained


def page(folder: Path) -> str:
    assert write_training(str(folder)) == str(folder / "report.html")
    return (folder / "report.html").read_text()


def test_it_shows_losses_grids_data_and_configuration(tmp_path: Path):
    text = page(trained(tmp_path / "model"))
    titles = re.findall(r"<figcaption>([^<]*)</figcaption>", text)
    assert titles == ["Loss of the predicted noise", "Learning rate"]
    assert "training, a batch: 1 at first, 0.025 at last" in text
    assert "held out: 0.75 at first, 0.75 at last, least 0.5 at step 20" in text
    assert "<dt>samples</dt><dd>320</dd>" in text
    assert "Not finished" not in text
    assert [int(step) for step in re.findall(r"<h3>Step (\d+)</h3>", text)] == [40, 32, 24, 20, 12, 4]
    assert text.count("data:image/jpeg;base64,") == GRIDS
    assert "6 of 10 grids" in text
    for fact in ("vggface2", "fffffffffff", "min_face", "<dt>batch</dt><dd>8</dd>"):
        assert fact in text
    assert EVIL not in text
    assert "secret" not in text


def test_no_network_and_no_script_is_needed(tmp_path: Path):
    text = page(trained(tmp_path / "model"))
    assert "<script" not in text
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text)


def test_what_is_not_there_is_named(tmp_path: Path):
    lineage(tmp_path / "model", ["/data/shards"])
    text = page(tmp_path / "model")
    assert "Nothing was logged" in text
    assert "None: they are made beside local models" in text


def test_a_grid_that_does_not_decode_is_left_out(tmp_path: Path):
    folder = trained(tmp_path / "model")
    (folder / "samples" / "step-00000040.png").write_bytes(b"torn")
    assert page(folder).count("data:image/jpeg;base64,") == GRIDS - 1


def test_a_model_on_other_storage_has_a_report_without_figures(tmp_path: Path):
    lineage(tmp_path, ["/data/shards"])
    with fsspec.open("memory://reported/lineage.json", "wb") as file:
        file.write((tmp_path / "lineage.json").read_bytes())
    assert write_training("memory://reported") is not None
    with fsspec.open("memory://reported/report.html") as file:
        assert b"figures are kept beside local models only" in file.read()


def test_a_folder_without_a_model_has_no_report(tmp_path: Path):
    (tmp_path / "report.html").write_text("of the model that was here")
    assert write_training(str(tmp_path)) is None
    assert not (tmp_path / "report.html").exists()
