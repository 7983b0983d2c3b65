#!/usr/bin/env bash
# Versions: tokenizers 0.23.3, Python 3.11.
# Guess: a BPE vocabulary follows from the words and the settings; training has no random part.
# Behaviour: of pairs that are equally frequent the order of a hash map decides which is merged first, and that order is
# another in each process. Twenty trainings on the same words gave several vocabularies.
# So a model that is made anew with a seed has other token ids each time, unless the merges are ordered by hand.
# Output seen: tokenizers 0.23.3: 20 vocabularies in 20 trainings
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet tokenizers==0.23.3
cat > "$work/train.py" <<'TRAIN'
import hashlib
import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

WORDS = "the face of a man and a woman in the street with a hat by the sea at night".split()
tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
trainer = trainers.BpeTrainer(vocab_size=300, end_of_word_suffix="</w>", show_progress=False)
tokenizer.train_from_iterator([" ".join(WORDS)], trainer)
print(hashlib.sha256(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode()).hexdigest()[:12])
TRAIN
for _ in $(seq 20); do "$work/env/bin/python" "$work/train.py"; done | sort | uniq -c | tee "$work/seen.txt"
vocabularies=$(wc -l < "$work/seen.txt")
echo "tokenizers 0.23.3: $vocabularies vocabularies in 20 trainings"
test "$vocabularies" -gt 1
