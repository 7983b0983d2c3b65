"""Model folders that older readers load too: transformers before version 5 knows weights and vocabulary by other names.

transformers 5 writes a text encoder without the ``text_model.`` before each name, which transformers 4 does not find:
it warns, and goes on with random weights. Both read the longer names.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from safetensors.torch import save_file

from face0.errors import UsageError

_LONGER = {"text_encoder": {"": "text_model."}, "safety_checker": {"vision_model.": "vision_model.vision_model."}}


def refuse_loras(parts: Mapping[str, Any]) -> None:
    """Raises UsageError if a LoRA lies beside the weights of a part, which nothing would read once saved."""
    for name, part in parts.items():
        if isinstance(part, torch.nn.Module) and any(isinstance(layer, BaseTunerLayer) for layer in part.modules()):
            raise UsageError(
                f"{name} holds a LoRA beside its weights: call fuse_lora() and unload_lora_weights() to save a model "
                "with it, unload_lora_weights() alone for one without"
            )


def complete_for_older_readers(folder: Path) -> None:
    """Brings a local folder that was just saved into the form that transformers 4 reads too, without paths in it."""
    for part, prefixes in _LONGER.items():
        for file in (folder / part).glob("*.safetensors"):
            for shorter, longer in prefixes.items():
                _lengthen(file, shorter, longer)
    _write_vocabulary(folder / "tokenizer")
    for file in (folder / "model_index.json", *folder.glob("*/config.json")):
        _forget_place(file)


def _forget_place(file: Path) -> None:
    """Takes the path out of settings from which a part was loaded: it is one of this machine."""
    settings = json.loads(file.read_text())
    if settings.pop("_name_or_path", None) is not None:
        file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def _lengthen(file: Path, shorter: str, longer: str) -> None:
    """Gives those weights their longer names that have the shorter ones."""
    with safe_open(file, "pt") as opened:
        metadata, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    named = {
        longer + name.removeprefix(shorter) if name.startswith(shorter) and not name.startswith(longer) else name: held
        for name, held in tensors.items()
    }
    if named.keys() != tensors.keys():
        save_file(named, file, metadata=metadata)


def _write_vocabulary(folder: Path) -> None:
    """Writes ``vocab.json`` and ``merges.txt`` beside a ``tokenizer.json``, which transformers 4 demands of CLIP's."""
    file = folder / "tokenizer.json"
    if not file.is_file() or (folder / "vocab.json").is_file():
        return
    model = json.loads(file.read_text())["model"]
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]))
