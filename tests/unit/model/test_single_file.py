"""A checkpoint in one file becomes a folder with the same weights, without the network."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from face0.errors import UsageError
from face0.model.base_models import base_model, load_base
from face0.model.folder import local_model
from face0.model.presets import BASE_PRESETS
from face0.model.single_file import read_single_file
from jobs.main import main
from tests.fixtures.original_layout import original_names


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A model, its checkpoint in one file, and a folder with its settings and no weights."""
    folder = tmp_path_factory.mktemp("single")
    pipe = base_model(BASE_PRESETS["tiny"], 5)
    pipe.save_pretrained(folder / "whole")
    shutil.copytree(folder / "whole", folder / "like", ignore=shutil.ignore_patterns("*.safetensors"))
    save_file(original_names(pipe), folder / "model.safetensors")
    return pipe, folder


def test_it_has_the_same_weights(world, tmp_path):
    pipe, folder = world
    arguments = ["--from-single-file", folder / "model.safetensors", "--like", folder / "like"]
    assert main(["init", *map(str, arguments), "--output", str(tmp_path / "base")]) == 0
    loaded = load_base(tmp_path / "base")
    for part in ("unet", "vae", "text_encoder"):
        before, after = getattr(pipe, part).state_dict(), getattr(loaded, part).state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
    assert loaded.scheduler.config.prediction_type == pipe.scheduler.config.prediction_type


def test_weights_of_the_other_folder_are_not_taken(world, tmp_path):
    pipe, folder = world
    base_model(BASE_PRESETS["tiny"], 6).save_pretrained(tmp_path / "other")
    read = read_single_file(str(folder / "model.safetensors"), str(tmp_path / "other"))
    assert torch.equal(read.unet.conv_in.weight, pipe.unet.conv_in.weight)
    assert torch.equal(
        read.text_encoder.state_dict()["final_layer_norm.weight"],
        pipe.text_encoder.state_dict()["final_layer_norm.weight"],
    )


def test_what_is_no_whole_checkpoint_is_refused(world, tmp_path):
    pipe, folder = world
    like = str(folder / "like")
    names = original_names(pipe)
    save_file({n: v for n, v in names.items() if not n.startswith("cond_stage")}, tmp_path / "pruned.safetensors")
    save_file({n: v for n, v in names.items() if "middle_block" not in n}, tmp_path / "less.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    for name, why in {
        "pruned": "holds no text encoder",
        "less": "(lacks .* weights of a unet|does not fit)",
        "text": "is not a file of safetensors",
        "none": "there is no file",
    }.items():
        with pytest.raises(UsageError, match=why):
            read_single_file(str(tmp_path / f"{name}.safetensors"), like)
    with pytest.raises(UsageError, match="convert it first"):
        read_single_file(str(tmp_path / "model.ckpt"), like)
    small = str(tmp_path / "small")
    base_model(BASE_PRESETS["small"], 0).save_pretrained(small)
    with pytest.raises(UsageError, match="does not fit to the settings"):
        read_single_file(str(folder / "model.safetensors"), small)


def test_a_file_given_as_a_base_is_refused_with_the_command(world):
    _, folder = world
    with (
        pytest.raises(UsageError, match=r"face0 init --from-single-file .*model.safetensors --like FOLDER"),
        local_model(str(folder / "model.safetensors")),
    ):
        pass


def test_its_options_go_together(world, tmp_path, capsys):
    _, folder = world
    file = str(folder / "model.safetensors")
    assert main(["init", "--from-single-file", file, "--output", str(tmp_path / "a")]) == 2
    assert "takes --like FOLDER" in capsys.readouterr().err


def test_a_file_without_a_folder_to_take_the_tokenizer_of_is_refused():
    with pytest.raises(UsageError, match="holds no tokenizer: name a folder"):
        read_single_file("model.safetensors")
