"""Settings of Stable Diffusion's releases: they make models of the sizes that were published."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from face0.errors import UsageError
from face0.model import releases
from face0.model.base_models import base_model, load_base, word_tokenizer
from face0.model.presets import BASE_PRESETS
from face0.model.releases import RELEASES, Release, write_settings
from face0.model.single_file import read_single_file
from jobs.main import main
from tests.fixtures.original_layout import original_names


@pytest.mark.parametrize(
    ("context", "unet", "text"), [(768, 859_520_964, 123_060_480), (1024, 865_910_724, 340_387_840)]
)
def test_the_models_have_their_published_sizes(context: int, unet: int, text: int) -> None:
    release = RELEASES[context]
    with torch.device("meta"):
        assert UNet2DConditionModel(**release.unet).num_parameters() == unet
        assert AutoencoderKL(**release.vae).num_parameters() == 83_653_863
        assert CLIPTextModel(CLIPTextConfig(**release.text_encoder)).num_parameters() == text


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A release as small as the preset tiny, a checkpoint of it, and its tokenizer."""
    pipe = base_model(BASE_PRESETS["tiny"], 5)
    parts = {part: dict(getattr(pipe, part).config) for part in ("unet", "vae")}
    parts = {part: {n: v for n, v in held.items() if not n.startswith("_")} for part, held in parts.items()}
    release = Release(
        name="a small one", **parts, text_encoder=pipe.text_encoder.config.to_dict(),
        side={"epsilon": 16, "v_prediction": 24},
    )  # fmt: skip
    monkeypatch.setattr(releases, "RELEASES", {**RELEASES, 32: release})
    save_file({name: held.half() for name, held in original_names(pipe).items()}, tmp_path / "model.safetensors")
    pipe.tokenizer.save_pretrained(tmp_path / "clip")
    return pipe, tmp_path


@pytest.mark.parametrize(("kind", "side"), [("epsilon", 16), ("v_prediction", 24)])
def test_a_file_and_a_tokenizer_make_a_base(small, kind: str, side: int) -> None:
    pipe, folder = small
    command = ["init", "--from-single-file", folder / "model.safetensors", "--tokenizer", folder / "clip"]
    assert main([*map(str, command), "--prediction-type", kind, "--output", str(folder / "base")]) == 0
    loaded = load_base(folder / "base")
    assert torch.allclose(loaded.unet.conv_in.weight, pipe.unet.conv_in.weight, atol=1e-3)
    assert loaded.unet.config.sample_size == side
    assert loaded.scheduler.config.prediction_type == kind
    assert loaded.scheduler.config.beta_schedule == "scaled_linear"
    assert loaded.tokenizer("a doctor").input_ids == pipe.tokenizer("a doctor").input_ids
    assert "converted from the file `model.safetensors`" in (folder / "base" / "README.md").read_text()


def test_a_release_that_is_not_known_is_refused(small) -> None:
    _, folder = small
    releases.RELEASES.pop(32)
    with pytest.raises(UsageError, match=r"its context has 32 values, and known are 768 .*give --like FOLDER"):
        read_single_file(str(folder / "model.safetensors"), tokenizer=str(folder / "clip"))


def test_a_tokenizer_is_clips_or_refused(tmp_path) -> None:
    word_tokenizer().save_pretrained(tmp_path / "words")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tokenizer.json").write_text("{}")
    for name, said in {
        "words": r"has 978 tokens, Stable Diffusion 1.x has 49,408: give CLIP's",
        "empty": "holds no tokenizer.json, and no vocab.json with merges.txt",
        "broken": "does not load as CLIP's",
    }.items():
        to = tmp_path / f"settings of {name}"
        to.mkdir()
        with pytest.raises(UsageError, match=said):
            write_settings(768, "epsilon", tmp_path / name, to)


def test_settings_name_their_classes(small) -> None:
    _, folder = small
    (folder / "settings").mkdir()
    write_settings(32, "epsilon", folder / "clip", folder / "settings")
    index = json.loads((folder / "settings" / "model_index.json").read_text())
    assert index["scheduler"] == ["diffusers", "DDIMScheduler"]
