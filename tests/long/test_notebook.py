"""The tutorial's notebook, with a user's own photographs, choice of rows, scheduler and LoRA."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict

from face0.model.base_models import base_model
from face0.model.presets import BASE_PRESETS
from tests.fixtures.notebooks import run_notebook

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorials" / "your-photographs.ipynb"


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A LoRA of the notebook's base model, whose weights are not zeros."""
    pipe = base_model(BASE_PRESETS["small"], 0)
    pipe.unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    pipe.save_lora_weights(tmp_path / "lora", unet_lora_layers=layers)
    return tmp_path / "lora"


def test_from_photographs_to_pictures(lora, tmp_path):
    (tmp_path / "here").mkdir()
    parameters = {"LORA": str(lora), "VAE_STEPS": 2, "STEPS": 2}
    shown, names = run_notebook(NOTEBOOK, tmp_path / "here", parameters)

    def said(command: str) -> str:
        return next(text for source, text in shown if command in source)

    assert "read 33 = written 27" in said("face0 augment")
    assert "27" in said("AS rows")
    assert "27 rows, 27 pass" in said("face0 train")
    assert "requested 4 = generated 4" in said("face0 generate")
    assert "row admiral_" in said("face0 trace")
    assert "1 of 2 faces" in said("face0 forget")
    assert "random.parquet: 4 faces" in said("face0 faces sample")

    pipe, face = names["pipe"], names["bank"].faces["admiral"].vector

    def made() -> np.ndarray:
        seeded = torch.Generator().manual_seed(0)
        return np.asarray(pipe("a photo of a person", face=face, num_inference_steps=20, generator=seeded).images[0])

    by_hand = np.asarray(names["images"][0])
    assert np.array_equal(made(), by_hand)
    pipe.unload_lora_weights()
    without_lora = made()
    assert (without_lora != by_hand).any()
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    assert (made() != without_lora).any()
