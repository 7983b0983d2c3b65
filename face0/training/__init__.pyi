from .checkpoints import Checkpoints
from .config import Intervals, RunOptions, TrainConfig
from .held_out import Difference, compare_faces, difference
from .latent_cache import InMemory, LatentCache, OnDisk
from .log import TrainingLog, wandb_run
from .loop import TrainingLoop
from .loss import losses
from .start import resume, start_trainer
from .throughput import Throughput, matmul_rate, unet_flops
from .trainer import Trainer, latent_shape

__all__ = [
    "Checkpoints",
    "Difference",
    "InMemory",
    "Intervals",
    "LatentCache",
    "OnDisk",
    "RunOptions",
    "Throughput",
    "TrainConfig",
    "Trainer",
    "TrainingLog",
    "TrainingLoop",
    "compare_faces",
    "difference",
    "latent_shape",
    "losses",
    "matmul_rate",
    "resume",
    "start_trainer",
    "unet_flops",
    "wandb_run",
]
