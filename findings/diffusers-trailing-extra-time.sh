#!/usr/bin/env bash
# Versions: diffusers 0.42.1, torch 2.14.1, Python 3.11.
# Guess: set_timesteps(n) of a scheduler makes n times, within those of the training.
# Behaviour: with timestep_spacing="trailing" there is one time too many, and it is -1, at 62 of the numbers of steps from
# 1 to 1000 (61 is the first): the step from 1000 down is 1000/n in floating point, and rounding leaves one more. The
# scheduler then looks up its last noise level at the index -1, which is the noisiest.
# Output seen:
#   diffusers 0.42.1: 62 of 1000 numbers of steps end at -1, the first are [61, 103, 121]
#   61 steps: 62 times, the last [32, 15, -1]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet diffusers==0.42.1 torch==2.14.1
"$work/env/bin/python" - <<'SHOW'
import sys

import diffusers

scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing")
surplus = []
for steps in range(1, 1001):
    scheduler.set_timesteps(steps)
    times = scheduler.timesteps.tolist()
    if len(times) == steps + 1 and times[-1] == -1:
        surplus.append(steps)
print(f"diffusers {diffusers.__version__}: {len(surplus)} of 1000 numbers of steps end at -1, the first are {surplus[:3]}")
if surplus:
    scheduler.set_timesteps(surplus[0])
    times = scheduler.timesteps.tolist()
    print(f"{surplus[0]} steps: {len(times)} times, the last {times[-3:]}")
sys.exit(not surplus)
SHOW
