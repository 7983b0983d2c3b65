"""The settings of a training. Imports the standard library only, so that a command line is read at once."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What decides the weights that come out. The defaults are the paper's."""

    steps: int = 500_000
    batch: int = 256  # samples of a step, over all processes
    resolution: int = 512  # pixels
    seed: int = 0
    learning_rate: float = 2e-5
    warmup: int = 0  # steps in which the learning rate rises
    schedule: str = "constant"  # or "cosine", to 0 at the last step
    weight_decay: float = 0.01
    clip: float = 1.0  # norm of the gradient; 0: off
    ema: float = 0.9999
    min_snr: float = 0.0  # gamma; 0: off
    drop_face: float = 0.1
    drop_text: float = 0.0
    tokens: int = 3  # for each face
    slots: int = 1  # faces of an image
    lora: int = 0  # rank; 0: the whole U-Net is trained
    precision: str = "bf16"  # of the U-Net's arithmetic: "bf16" (weights stay float32) or "fp32"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How it runs, which does not change what comes out but for rounding."""

    accumulate: int = 1  # parts in which a process takes its share of a batch
    gradient_checkpointing: bool = False
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How often, in steps, what happens; 0: never."""

    log: int = 20
    evaluate: int = 500
    save: int = 500
    keep: int = 2  # newest checkpoints that stay, beside the best
