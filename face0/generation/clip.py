"""Alignment with text and face by CLIP, as in the paper's tables 1 and 2."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

from face0.errors import UsageError
from face0.io import storage
from face0.io.folder import Folder
from face0.model.folder import copied, fingerprint, refuse_changed_model
from face0.model.weights import load_weights

WHOLE = (".",)  # the parts of it that its fingerprint is of
# Of each its names: older releases of transformers saved the image processor by itself, and the tokenizer in parts.
FILES = (
    ("config.json",),
    ("preprocessor_config.json", "processor_config.json"),
    ("tokenizer.json", "vocab.json", "tokenizer_config.json"),
)


def check_clip(uri: str) -> str:
    """The absolute URI of a CLIP folder. Raises UsageError if it does not load, before a worker would."""
    names = Folder(uri).entries()
    missing = [" or ".join(alternatives) for alternatives in FILES if not set(alternatives).intersection(names)]
    if missing:
        raise UsageError(
            f"{uri} has no {', '.join(missing)}: give the folder of a CLIP model of transformers, with its tokenizer "
            "and image processor"
        )
    with Folder(uri).local() as folder:
        _loaded(uri, folder)
    return storage.absolute(uri)


def clip_fingerprint(uri: str) -> str:
    """The digest of all that is read of a CLIP folder."""
    with Folder(uri).local(through=copied) as folder:
        return fingerprint(folder, WHOLE)


class Clip:
    """A CLIP model; its vectors have unit length, so that a product of two is their cosine."""

    def __init__(self, uri: str, device: str, planned: str | None = None) -> None:
        """Loads a folder of transformers' CLIP (for the paper's figures ``openai/clip-vit-base-patch32`` or larger).

        Args:
            uri: of the folder.
            device: of torch.
            planned: its fingerprint when the job was planned; None: whichever it has.

        Raises:
            UsageError: it does not load, or is another than was planned.
        """
        with Folder(uri).local(through=copied) as folder:
            self._model, self._tokenizer, self._processor = _loaded(uri, folder)
            if planned is not None:
                refuse_changed_model(uri, fingerprint(folder, WHOLE), planned)
        self._model = self._model.to(device).eval()
        self.text = lru_cache(4096)(self._text)

    def _text(self, prompt: str) -> np.ndarray:
        """The vector of a prompt, float32 [d]; cut where CLIP's context ends."""
        limit = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer([prompt], truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            states = self._model.text_model(**tokens.to(self._model.device)).pooler_output
            return _unit(self._model.text_projection(states))[0]

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The vectors of images (uint8 [H, W, 3]), float32 [n, d]."""
        pixels = self._processor([Image.fromarray(image) for image in images], return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            states = self._model.vision_model(pixel_values=pixels.to(self._model.device)).pooler_output
            return _unit(self._model.visual_projection(states))


def _loaded(uri: str, folder: Path) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor of a local folder. Raises UsageError."""
    model = load_weights(CLIPModel, folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        processor = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the libraries raise nearly any type for a folder that is not as it should be
        raise UsageError(f"{uri} does not load as a CLIP model of transformers: {error}") from error
    return model, tokenizer, processor


def _unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
