"""The settings of a training. Imports the standard library only, so that a command line is read at once."""

from dataclasses import dataclass

IN_MEMORY = ":memory:"  # in place of a folder of latents


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What decides the weights that come out. The defaults are the paper's.

    Attributes:
        steps: of the optimiser, from the base to the end.
        batch: samples of a step, over all processes.
        resolution: pixels a side.
        seed: of all that is drawn.
        learning_rate: at its highest.
        warmup: steps in which the learning rate rises.
        schedule: of the learning rate: "constant", or "cosine", to 0 at the last step.
        weight_decay: of AdamW.
        clip: largest norm of the gradient; 0: no limit.
        ema: decay of the average of the weights, 0..1.
        min_snr: gamma of min-SNR weighting; 0: off.
        drop_face: share of the samples that are trained without their face, 0..1.
        drop_text: share of the samples that are trained without their caption, 0..1.
        tokens: context tokens of each face.
        slots: faces of an image, the largest.
        lora: rank; 0: the whole U-Net is trained.
        precision: of the U-Net's arithmetic: "bf16" (weights stay float32) or "fp32".
    """

    steps: int = 500_000
    batch: int = 256
    resolution: int = 512
    seed: int = 0
    learning_rate: float = 2e-5
    warmup: int = 0
    schedule: str = "constant"
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.9999
    min_snr: float = 0.0
    drop_face: float = 0.1
    drop_text: float = 0.0
    tokens: int = 3
    slots: int = 1
    lora: int = 0
    precision: str = "bf16"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How it runs, which does not change what comes out but for rounding.

    Attributes:
        accumulate: parts in which a process takes its share of a batch.
        gradient_checkpointing: whether activations are computed anew going backwards: less memory, more time.
        compile: whether the model goes through ``torch.compile``.
    """

    accumulate: int = 1
    gradient_checkpointing: bool = False
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How often, in steps, what happens; 0: never.

    Attributes:
        log: from one line of figures to the next.
        evaluate: from one held-out loss and grid of samples to the next.
        save: from one checkpoint to the next.
        keep: newest checkpoints that stay, beside the best; a count, not steps.
    """

    log: int = 20
    evaluate: int = 500
    save: int = 500
    keep: int = 2
