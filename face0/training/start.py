"""The start of a training: the model from its base, its latents' cache, or the newest checkpoint."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from face0.errors import UsageError
from face0.io.folder import Folder
from face0.io.storage import PARTIAL_DIR
from face0.model.base_models import load_base
from face0.model.folder import fingerprint, local_model
from face0.model.lineage import Lineage
from face0.model.pipeline import Face0Pipeline
from face0.model.projection import FaceProjection
from face0.model.samplers import saved_scheduler
from face0.runtime.distributed import Process
from face0.shards.loader import FaceShards
from face0.tasks.lease import LEASE
from face0.training.checkpoints import Checkpoints
from face0.training.config import IN_MEMORY, RunOptions, TrainConfig
from face0.training.latent_cache import InMemory, LatentCache, OnDisk
from face0.training.trainer import Trainer, latent_shape
from schemas.latents import latents_record, record_of

_POSITIONS = 76  # of the text encoder's 77 that faces may take


def start_trainer(
    base: str,
    config: TrainConfig,
    options: RunOptions,
    shards: FaceShards,
    process: Process,
    latents: str | None,
) -> tuple[Trainer, str]:
    """Makes the model at its start.

    Args:
        base: URI of the folder.
        config: of the training.
        options: how it runs.
        shards: what it learns from.
        process: this one.
        latents: where every image's latents are kept: IN_MEMORY, a local folder, or None: nowhere.

    Returns:
        The trainer, and the fingerprint of the base.

    Raises:
        UsageError: the base is none, or the configuration does not fit to it.
    """
    if config.tokens * config.slots > _POSITIONS:
        raise UsageError(
            f"--tokens {config.tokens} x --slots {config.slots}: at most {_POSITIONS} of the 77 positions are faces'"
        )
    with local_model(base) as folder:
        loaded, base_fingerprint, vae = load_base(folder), fingerprint(folder), fingerprint(folder, ["vae"])
    loaded.scheduler = saved_scheduler(loaded.scheduler.config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        projection = FaceProjection(
            embedding_dim=shards.dim,
            context_dim=loaded.text_encoder.config.hidden_size,
            tokens=config.tokens,
            slots=config.slots,
        )
        pipe = Face0Pipeline.from_base(loaded, projection)
        if config.resolution % pipe.multiple:
            raise UsageError(f"--resolution {config.resolution}: this base needs a multiple of {pipe.multiple}")
        cache = _latent_cache(latents, pipe, shards, config.resolution, vae)
        return Trainer(pipe, config, options, process.device, process.world, cache), base_fingerprint


def resume(trainer: Trainer, output: str, checkpoints: Checkpoints, facts: Mapping[str, Any]) -> bool:
    """Loads the newest checkpoint, if there is one. Returns whether there was.

    Args:
        trainer: at its start.
        output: URI of the model folder.
        checkpoints: of that folder.
        facts: what the lineage says of this training.

    Raises:
        UsageError: the checkpoint is of another training, or the folder holds other things.
    """
    records = checkpoints.records()
    if not records:
        _refuse_other_things(output)
        return False
    step = max(records)
    with checkpoints.fetched(step) as folder:
        if changed := Lineage.read(folder, output).differences(Lineage(step=step, **facts)):
            raise UsageError(
                f"--output holds a training with another configuration ({'; '.join(changed)}): "
                "give another --output, or the same options"
            )
        trainer.load(folder, step)
    return True


def _refuse_other_things(output: str) -> None:
    if others := set(Folder(output).entries()) - {"checkpoints", "logs", "samples", PARTIAL_DIR, LEASE}:
        raise UsageError(f"--output {output} holds other things ({', '.join(sorted(others)[:5])}): give a new folder")


def _latent_cache(
    where: str | None, pipe: Face0Pipeline, shards: FaceShards, resolution: int, vae: str
) -> LatentCache | None:
    if where is None:
        return None
    if where == IN_MEMORY:
        return InMemory()
    if "://" in where:
        raise UsageError(f"--cache-latents {where}: give a folder on a local disk, which is read at every step")
    channels, height, width = latent_shape(pipe, resolution)
    name = hashlib.sha256(f"{vae} {shards.contents} {resolution}".encode()).hexdigest()[:16]
    cache = OnDisk(Path(where), name, shards.total, (2 * channels, height, width))
    Folder(where).write_text(record_of(cache.path.name), latents_record(shards.uris))
    return cache
