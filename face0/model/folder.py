"""A model folder as planning sees it: what it was trained on and what it demands, without its weights in memory."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from face0.errors import UsageError
from face0.io import storage
from face0.io.folder import Folder
from face0.model.lineage import Lineage
from face0.model.samplers import MODEL_SETTINGS, STABLE_DIFFUSION, refuse_unknown_levels
from face0.runtime.progress import tracked

PARTS = ("face_projection", "scheduler", "text_encoder", "tokenizer", "unet", "vae")  # what determines an image
READ = (".safetensors", ".json", ".txt")  # suffixes; other forms of the weights may lie beside these


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a model demands of requests.

    Attributes:
        fingerprint: digest of its weights, in hexadecimal.
        dim: of a face's vector.
        multiple: of which the sides of an image must be, pixels.
        side: for which it was made, pixels.
        scheduler: settings of its scheduler's file, by diffusers' names.
    """

    fingerprint: str
    dim: int
    multiple: int
    side: int
    scheduler: Mapping[str, Any] = field(default_factory=lambda: STABLE_DIFFUSION)

    @property
    def times(self) -> int:
        """Noise levels that it was trained with: the most steps of a sampler."""
        return int(self.scheduler.get("num_train_timesteps", MODEL_SETTINGS["num_train_timesteps"]))


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """What an output of face0 train says of itself.

    Attributes:
        uri: of the folder.
        facts: what it demands of requests.
        embedder: metadata of the one whose shards it was trained on.
        step: of its training.
        base: from which it started, by name.
    """

    uri: str
    facts: ModelFacts
    embedder: Mapping[str, str]
    step: int
    base: str


def inspect_model(uri: str) -> ModelFolder:
    """Reads what requests must fit to, and the digest of all weights.

    Raises:
        UsageError: it is no output of face0 train.
    """
    with local_model(uri) as folder:
        lineage = Lineage.read(folder, uri)
        try:
            projection = json.loads((folder / "face_projection" / "config.json").read_text())
            unet = json.loads((folder / "unet" / "config.json").read_text())
            vae = json.loads((folder / "vae" / "config.json").read_text())
            scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
            refuse_unknown_levels(scheduler)
            shrink = 2 ** (len(vae["block_out_channels"]) - 1)
            facts = ModelFacts(
                fingerprint=fingerprint(folder),
                dim=projection["embedding_dim"],
                multiple=shrink * 2 ** (len(unet["block_out_channels"]) - 1),
                side=shrink * unet["sample_size"],
                scheduler=scheduler,
            )
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{uri} is not whole: {error!r}; give an output folder of face0 train") from error
    return ModelFolder(
        uri=storage.absolute(uri),
        facts=facts,
        embedder=lineage.embedder,
        step=lineage.step,
        base=lineage.base_name,
    )


def local_model(uri: str) -> AbstractContextManager[Path]:
    """A model or base as a local folder, without what only its training needs; not to be written to.

    Raises:
        UsageError: there is no such folder.
    """
    if uri.endswith((".safetensors", ".ckpt")) and Folder(uri).is_file():
        raise UsageError(
            f"{uri} is one file, and a folder in diffusers' layout is needed: make it by `face0 init "
            f"--from-single-file {uri} --like FOLDER --output BASE`, where FOLDER is one of the same kind of model; or "
            "with --tokenizer FOLDER, CLIP's, in place of --like"
        )
    return Folder(uri).local(without=("checkpoints", "logs"), through=copied)


def copied(files: Sequence[str]) -> Iterable[str]:
    """The files of a model on their way to this machine, with a bar if they take long."""
    return tracked(files, "files of the model copied")


def refuse_changed_model(uri: str, now: str, planned: str) -> None:
    """Raises UsageError if the fingerprint of what was loaded of a model is not that of what was planned with."""
    if now != planned:
        raise UsageError(
            f"{uri} has changed since the job was planned: it had the digest {planned[:12]}, now {now[:12]}; restore "
            "it, or start the job again with what is there now and another --output"
        )


def fingerprint(folder: Path, parts: Sequence[str] = PARTS) -> str:
    """The digest of what is read of these parts of a local model or base folder: weights as safetensors, settings."""
    digest = hashlib.sha256()
    files = sorted(file for part in parts for file in (folder / part).rglob("*") if file.suffix in READ)
    for file in tracked(files, "files of the model read for their digest"):
        digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
