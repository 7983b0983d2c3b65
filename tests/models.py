"""Models for tests: of the layout that face0 train writes, with random weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from face0.faces.bank import Face, write_bank
from face0.model.base_models import PRESETS, base_model
from face0.model.lineage import LINEAGE
from face0.model.pipeline import Face0Pipeline
from face0.model.projection import FaceProjection
from face0.runtime.versions import versions
from schemas.face_bank import Kind

DIM = 8
EMBEDDER = {"name": "made up", "dim": str(DIM)}


def tiny_pipeline(seed: int = 0, dim: int = DIM) -> Face0Pipeline:
    """A pipeline for faces of so many values and images of 64 px."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        projection = FaceProjection(embedding_dim=dim, context_dim=PRESETS["tiny"].context, width=16)
    pipe = Face0Pipeline.from_base(base_model(PRESETS["tiny"], seed), projection)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def write_model(
    folder: Path, pipe: Face0Pipeline | None = None, embedder: Mapping[str, str] = MappingProxyType(EMBEDDER)
) -> Path:
    """A model folder."""
    (pipe or tiny_pipeline()).save_pretrained(folder)
    lineage = {"step": 1, "base": "somewhere/tiny", "embedder": dict(embedder), "versions": versions()}
    (folder / LINEAGE).write_text(json.dumps(lineage))
    return folder


def vector(number: int) -> np.ndarray:
    """A face, float32 [DIM]."""
    return np.random.default_rng(number).normal(size=DIM).astype(np.float32)


def bank_of(path: Path, *names: str, without: str = "") -> Path:
    """A bank of faces with vectors, and perhaps one that has none."""
    faces = [Face(face_id=name, vector=vector(i), kind=Kind.RANDOM) for i, name in enumerate(names)]
    if without:
        faces.append(Face(face_id=without, vector=None, kind=Kind.PHOTOS, note="no face was found in 1.jpg"))
    write_bank(str(path), faces, DIM, EMBEDDER)
    return path
