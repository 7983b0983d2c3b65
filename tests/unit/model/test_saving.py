"""Saved text encoders have the names that transformers before 5 reads, and the vocabulary that it demands."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor

from face0.model.base_models import base_model, load_base
from face0.model.pipeline import Face0Pipeline
from face0.model.presets import BASE_PRESETS
from face0.model.projection import FaceProjection
from face0.model.saving import complete_for_older_readers
from face0.model.single_file import read_single_file
from tests.fixtures.original_layout import original_names


def with_safety_checker(dtype: torch.dtype = torch.float32) -> StableDiffusionPipeline:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    vision = {**sizes, "image_size": 32, "patch_size": 16, "projection_dim": 8}
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, text_config=sizes, projection_dim=8))
    pipe = base_model(BASE_PRESETS["tiny"], 2)
    crop = {"height": 32, "width": 32}
    pipe.register_modules(
        safety_checker=checker, feature_extractor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop)
    )
    return pipe.to(dtype)


def save_pipeline(pipe: StableDiffusionPipeline, folder: Path) -> None:
    """As face0 init does."""
    pipe.save_pretrained(folder, safe_serialization=True)
    complete_for_older_readers(folder)


def names(file) -> list[str]:
    with safe_open(file, "pt") as opened:
        return list(opened.keys())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    pipe, folder = with_safety_checker(), tmp_path_factory.mktemp("saving") / "base"
    save_pipeline(pipe, folder)
    return pipe, folder


def test_names_are_those_of_transformers_4(saved):
    _, folder = saved
    text = names(folder / "text_encoder" / "model.safetensors")
    assert text
    assert all(name.startswith("text_model.") and not name.startswith("text_model.text_model.") for name in text)
    vision = [name for name in names(folder / "safety_checker" / "model.safetensors") if "vision_model" in name]
    assert vision
    assert all(name.count("vision_model.") == 2 for name in vision)


def test_what_is_saved_loads_as_it_was(saved, tmp_path):
    pipe, folder = saved
    save_pipeline(load_base(folder), tmp_path / "again")
    for place in (folder, tmp_path / "again"):
        for loaded in (load_base(place), StableDiffusionPipeline.from_pretrained(place)):
            for part in ("text_encoder", "safety_checker", "unet", "vae"):
                before, after = getattr(pipe, part).state_dict(), getattr(loaded, part).state_dict()
                assert before.keys() == after.keys()
                assert all(torch.equal(before[name], after[name]) for name in before)
            assert loaded.tokenizer("Zoë, a doctor").input_ids == pipe.tokenizer("Zoë, a doctor").input_ids


def test_the_vocabulary_lies_there_in_files_too(saved):
    pipe, folder = saved
    vocabulary = json.loads((folder / "tokenizer" / "vocab.json").read_text())
    assert vocabulary == pipe.tokenizer.get_vocab()
    version, *merges = (folder / "tokenizer" / "merges.txt").read_text().splitlines()
    assert version.startswith("#version")
    assert all("".join(pair.split(" ")) in vocabulary and pair.count(" ") == 1 for pair in merges)


def test_no_path_of_this_machine_is_in_it(saved, tmp_path):
    _, folder = saved
    save_pipeline(load_base(folder), tmp_path / "again")
    for file in (tmp_path / "again").rglob("*.json"):
        assert str(folder) not in file.read_text(), file


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_bases_in_16_bits_load_in_one_dtype(dtype, tmp_path):
    def dtypes(pipe) -> set[torch.dtype]:
        modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
        assert len(modules) >= 3
        return {held.dtype for module in modules for held in module.parameters()}

    pipe = with_safety_checker(dtype)
    save_pipeline(pipe, tmp_path / "base")
    base = load_base(tmp_path / "base")
    assert dtypes(base) == {torch.float32}
    model = Face0Pipeline.from_base(base, FaceProjection(embedding_dim=8, context_dim=32, width=16)).to(dtype)
    model.save_pretrained(tmp_path / "model")
    assert dtypes(Face0Pipeline.from_pretrained(tmp_path / "model")) == {torch.float32}
    for wanted in (torch.float16, torch.bfloat16):
        assert dtypes(Face0Pipeline.from_pretrained(tmp_path / "model", dtype=wanted)) == {wanted}
    pipe.register_modules(safety_checker=None)
    file = tmp_path / "one.safetensors"
    save_file(original_names(pipe), file)
    assert dtypes(read_single_file(str(file), str(tmp_path / "base"))) == {torch.float32}
