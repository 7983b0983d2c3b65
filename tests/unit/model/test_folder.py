"""What a model folder says of itself without its weights in memory."""

import shutil
from pathlib import Path

import pytest

from face0.errors import UsageError
from face0.model.folder import fingerprint, inspect_model
from tests.fixtures.models import DIM, EMBEDDER, tiny_pipeline, write_model


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def model(written: Path, tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copytree(written, tmp_path / "model"))


def test_requests_learn_what_the_model_demands(written):
    found = inspect_model(str(written))
    assert (found.facts.dim, found.facts.side) == (DIM, 64)
    assert (found.step, found.base, dict(found.embedder)) == (1, "tiny", EMBEDDER)
    pipe = tiny_pipeline()
    assert found.facts.multiple == pipe.shrink * 2 ** (len(pipe.unet.config.block_out_channels) - 1)


def test_the_fingerprint_is_of_what_determines_images(model):
    before = fingerprint(model)
    (model / "README.md").write_text("a model")
    (model / "unet" / "weights.bin").write_bytes(b"another form of them")
    (model / "checkpoints" / "unet").mkdir(parents=True)
    (model / "checkpoints" / "unet" / "config.json").write_text("{}")
    assert fingerprint(model) == before
    path = model / "face_projection" / "config.json"
    path.write_text(path.read_text() + " ")
    assert fingerprint(model) != before


@pytest.mark.parametrize("name", ["lineage.json", "unet/config.json", "face_projection/config.json"])
def test_a_folder_that_lacks_a_part_is_no_model(model, name):
    (model / name).unlink()
    with pytest.raises(UsageError, match="give an output folder of face0 train"):
        inspect_model(str(model))
