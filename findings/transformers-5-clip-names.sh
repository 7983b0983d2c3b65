#!/usr/bin/env bash
# Versions: transformers 5.24.0 and 4.57.6, torch 2.14.1, Python 3.11.
# Guess: a CLIP text encoder that transformers 5 has saved loads in transformers 4, or raises an error there.
# Behaviour: transformers 5 writes its weights without the "text_model." before each name. transformers 4 finds none of
# them, warns, and goes on with random weights: another output at each load.
# Output seen:
#   transformers 5.24.0 saved names such as embeddings.position_embedding.weight
#   transformers 4.57.6: two loads give the same states: False
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 5.24.0 4.57.6; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet "transformers==$version" torch==2.14.1
done
"$work/5.24.0/bin/python" - "$work/saved" 2> /dev/null <<'SAVE'
import sys

import transformers
from safetensors import safe_open

config = transformers.CLIPTextConfig(
    vocab_size=99, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
    bos_token_id=0, eos_token_id=1,
)
transformers.CLIPTextModel(config).save_pretrained(sys.argv[1])
with safe_open(f"{sys.argv[1]}/model.safetensors", "pt") as file:
    print(f"transformers {transformers.__version__} saved names such as {sorted(file.keys())[0]}")
SAVE
"$work/4.57.6/bin/python" - "$work/saved" 2> /dev/null <<'LOAD'
import sys

import torch
import transformers

loaded = [transformers.CLIPTextModel.from_pretrained(sys.argv[1]).eval() for _ in range(2)]
with torch.no_grad():
    one, other = (model(torch.tensor([[0, 1, 2]])).last_hidden_state for model in loaded)
same = torch.equal(one, other)
print(f"transformers {transformers.__version__}: two loads give the same states: {same}")
sys.exit(same)
LOAD
