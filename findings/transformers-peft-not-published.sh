#!/usr/bin/env bash
# Versions: transformers 5.24.0, peft 0.21.2 (the newest that pip finds), torch 2.14.1, Python 3.11.
# Guess: the newest transformers adds a LoRA to a model by the newest peft.
# Behaviour: add_adapter raises ValueError: it asks for peft 0.22.0, which is not published. So whatever has LoRA weights
# for a text encoder cannot be loaded by diffusers under these versions; LoRAs of the U-Net alone can.
# Output seen:
#   transformers 5.24.0, peft 0.21.2: ValueError, which asks for peft>=0.22.0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet transformers==5.24.0 peft==0.21.2 torch==2.14.1
"$work/env/bin/python" - <<'SHOW'
import re
import sys

import peft
import transformers

config = transformers.CLIPTextConfig(
    vocab_size=99, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
    bos_token_id=0, eos_token_id=1,
)
told = "the adapter is there"
try:
    transformers.CLIPTextModel(config).add_adapter(peft.LoraConfig(r=2, target_modules=["q_proj"]))
except (ImportError, ValueError) as error:
    wanted = re.search(r"\d+\.\d+\.\d+", str(error))
    told = f"{type(error).__name__}, which asks for peft>={wanted[0] if wanted else '?'}"
print(f"transformers {transformers.__version__}, peft {peft.__version__}: {told}")
sys.exit("peft>=" not in told)
SHOW
