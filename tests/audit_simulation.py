"""Sweeps with known truth: what the faces of an audit would be if the words, the vector and the seed did so much."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from renders import commit, row

from face0.evaluation.audit.arms import REQUEST_COLUMNS, RESULT_COLUMNS, Arm
from face0.evaluation.encoders import JUDGE
from face0.faces.bank import Face, FaceBank
from face0.statistics.design import Design
from schemas.face_bank import Kind
from schemas.failures import Failure, Reason, Stage
from schemas.requests import REQUESTS, RESULTS


@dataclass(frozen=True, kw_only=True)
class World:
    """Faces = words + vector + seed + noise, normal, with these standard deviations in each of ``dim`` directions.

    The words' effects are the same in every simulation of a world: audits are about the prompts that they are given.
    """

    words: float = 0.0
    vector: float = 1.0
    seed: float = 0.0
    noise: float = 0.5
    dim: int = 16

    def word_effects(self, prompts: int) -> np.ndarray:
        """What each prompt adds to a face [prompts, dim]."""
        return self.words * np.random.default_rng(0).normal(size=(prompts, self.dim))

    def faces(self, design: Design, rng: np.random.Generator, scale: float = 0.1) -> np.ndarray:
        """Unit vectors [n, dim] for a design: around a common face, so that normalising hardly bends the model."""

        def effect(levels: np.ndarray, size: float) -> np.ndarray:
            _, codes = np.unique(levels, return_inverse=True)
            return size * rng.normal(size=(codes.max() + 1, self.dim))[codes]

        found = self.word_effects(design.prompts)[design.prompt] + effect(design.seed, self.seed)
        found += self.noise * rng.normal(size=found.shape)
        if design.faces_vary:
            found += effect(design.face, self.vector)
        found = np.concatenate([np.ones((len(found), 1)), scale * found / np.sqrt(self.dim)], axis=1)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def paired(prompts: int, vectors: int, seeds_each: int = 1) -> Design:
    """Each vector with seeds of its own, for every prompt."""
    blocks = np.tile(np.arange(vectors * seeds_each), prompts)
    return Design(
        prompt=np.repeat(np.arange(prompts), vectors * seeds_each),
        seed=blocks,
        face=np.char.add("face-", (blocks // seeds_each).astype(str)),
        prompts=prompts,
    )


def crossed(prompts: int, vectors: int, seeds: int) -> Design:
    """Every vector with every seed, for every prompt."""
    prompt, seed, face = (
        axis.ravel() for axis in np.meshgrid(np.arange(prompts), np.arange(seeds), np.arange(vectors), indexing="ij")
    )
    return Design(prompt=prompt, seed=seed, face=np.char.add("face-", face.astype(str)), prompts=prompts)


def without_vector(prompts: int, seeds: int) -> Design:
    """Every seed for every prompt, no face."""
    design = paired(prompts, seeds)
    return Design(design.prompt, design.seed, np.full(len(design.seed), ""), prompts)


def arm_of(design: Design, faces: np.ndarray, text: np.ndarray | None = None) -> Arm:
    """An arm in which every image has a face, as the judge sees it."""
    n = len(faces)
    text = np.full(n, np.nan) if text is None else text
    return Arm(name="random", settings="", design=design, found=np.ones(n, bool), text=text, faces={JUDGE: faces})


def rows(
    design: Design, faces: np.ndarray, label: str, found: np.ndarray | None = None, first: int = 0, **values: object
) -> list[dict[str, object]]:
    """Result rows of an arm: ``face_vector`` and ``judge_vector`` are the faces, where they were found [n]."""
    found = np.ones(len(faces), bool) if found is None else found
    seen: Sequence[list[float] | None] = [
        face.tolist() if there else None for face, there in zip(faces, found, strict=True)
    ]
    return [
        row(
            first + i,
            prompt=f"prompt {design.prompt[i]}",
            face_id=str(design.face[i]),
            seed=int(design.seed[i]),
            label=label,
            faces_found=int(found[i]),
            face_vector=seen[i],
            judge_vector=seen[i],
            **values,
        )
        for i in range(len(faces))
    ]


def sweep(*arms: list[dict[str, object]]) -> tuple[pa.Table, pa.Table]:
    """Results and requests of arms in which nothing failed."""
    everything = [each for arm in arms for each in arm]
    requests = pa.Table.from_pylist(
        [{name: each[name] for name in REQUEST_COLUMNS} for each in everything],
        schema=pa.schema([RESULTS.field(name) for name in REQUEST_COLUMNS]),
    )
    results = pa.Table.from_pylist(everything, schema=RESULTS).select(RESULT_COLUMNS)
    return results, requests


def bank_of(design: Design, faces: np.ndarray, spread: float, rng: np.random.Generator) -> FaceBank:
    """A bank whose vectors are the mean generated face of each, and so much beside it in units of its own spread."""
    names = np.unique(design.face)
    means = np.array([faces[design.face == name].mean(axis=0) for name in names])
    means += spread * means.std(axis=0) * rng.normal(size=means.shape)
    vectors = [Face(face_id=str(name), vector=mean, kind=Kind.RANDOM) for name, mean in zip(names, means, strict=True)]
    return FaceBank(faces={face.face_id: face for face in vectors}, dim=means.shape[1], embedder={})


def rendered(uri: str, images: list[dict[str, object]]) -> str:
    """A local output of generate with its requests, the first of which failed; returns its path."""
    lost, *made = images
    name = str(lost["request_id"])
    failure = Failure(key=name, source="m", stage=Stage.FACES, reason=Reason.OUT_OF_MEMORY, message="too large")
    folder = Path(commit(uri, made, [failure]))
    (folder / "requests").mkdir()
    asked = [{name: each.get(name) for name in REQUESTS.names} for each in images]
    pq.write_table(
        pa.Table.from_pylist(asked, schema=REQUESTS), folder / "requests" / "chunk.parquet"
    )  # of the task chunk-00000
    return str(folder)
