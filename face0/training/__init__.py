"""Loss, trainer, loop, checkpoints, latent cache, held-out evaluation."""
