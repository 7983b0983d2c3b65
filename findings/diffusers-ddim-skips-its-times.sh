#!/usr/bin/env bash
# Versions: diffusers 0.42.1, torch 2.14.1, Python 3.11.
# Guess: a step of DDIMScheduler goes from one of its times to the next one, so that an exact prediction of the noise
# leads to the image whatever the number of steps.
# Behaviour: it goes 1000 // n times back, whatever the next time is. With "trailing" or "linspace" spacing that is
# another noise level wherever n does not divide 1000, and with "leading" the first time of 350 steps is 699: noise is
# denoised as if a part of the image were there already.
# Output seen (the deviation of samples of a normal distribution of deviation 0.5, the noise predicted exactly):
#   diffusers 0.42.1, 50 steps: leading 0.481, trailing 0.475
#   350 steps: leading 0.517, trailing 0.620
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet diffusers==0.42.1 torch==2.14.1
"$work/env/bin/python" - <<'SHOW'
import sys

import diffusers
import torch

DEVIATION = 0.5


def sampled(spacing, steps):
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        timestep_spacing=spacing, steps_offset=1 if spacing == "leading" else 0,
    )
    scheduler.set_timesteps(steps)
    x = torch.randn(20_000, 1, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for t in scheduler.timesteps:
        signal = scheduler.alphas_cumprod[t].double()
        # The expected noise in x, where x = sqrt(signal) image + sqrt(1 - signal) noise
        noise = x * (1 - signal).sqrt() / (signal * DEVIATION**2 + 1 - signal)
        x = scheduler.step(noise, t, x).prev_sample
    return x.std().item()


found = {(spacing, steps): sampled(spacing, steps) for steps in (50, 350) for spacing in ("leading", "trailing")}
for steps in (50, 350):
    name = f"diffusers {diffusers.__version__}, " if steps == 50 else ""
    print(f"{name}{steps} steps: leading {found['leading', steps]:.3f}, trailing {found['trailing', steps]:.3f}")
sys.exit(all(abs(value - DEVIATION) < 0.05 for (_, steps), value in found.items() if steps == 350))
SHOW
