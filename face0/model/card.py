"""The model card of a model folder: ``README.md`` with the Hugging Face hub's front matter."""

import re
from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCardData

from face0.io.cards import signed
from face0.io.secrets import public
from face0.model.lineage import Lineage

PAPER = "https://arxiv.org/abs/2306.06638"
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")  # the hub's names
_LIMITS = f"""\
## Limits and responsible use

- **License.** None was chosen: put the one that base and data allow into `license` above before you publish this.
- **Not for identification.** A face steers how an image looks. Images resemble the person loosely: they prove nothing
  about anybody, and are no means to recognise people.
- **Consent.** Make images of people who agreed to it, and mark them as made. Take people out on request:
  `face0 forget` finds their rows; a model that was trained on them must be trained anew.
- Images repeat what base and data hold, biases too: measure them, with `face0 audit`, before you use them.
- `checkpoints/`, `logs/`, `samples/` and `report.html`, where they lie beside this file, hold the state of the training
  and **photographs of the data**: leave them out when you publish:
  `upload_folder(..., ignore_patterns=["checkpoints/**", "logs/**", "samples/**", "report.html"])`.

The method: [Face0: Instantaneously Conditioning a Text-to-Image Model on a Face]({PAPER}).
"""


def trained_card(lineage: Lineage, samples: int, dim: int) -> str:
    """The card of an output of face0 train.

    Args:
        lineage: of the model.
        samples: rows that were trained on.
        dim: length of a face's vector.
    """
    embedder, config = lineage.embedder, lineage.config
    method = "a LoRA of the U-Net" if config.get("lora") else "the whole U-Net"
    loss = "" if lineage.held_out_loss is None else f", held-out loss {lineage.held_out_loss:.4f}"
    facts = {
        "base": f"`{lineage.base_name}`",
        "trained": f"{lineage.step:,} steps of {config.get('batch')} samples at {config.get('resolution')} px, "
        f"{method} and the face projection{loss}",
        "embedder": f"`{embedder.get('name')}`, {dim:,} values, {config.get('slots')} face(s) an image",
        "data": f"{samples:,} rows of {', '.join(f'`{_name(uri)}`' for uri in lineage.shards)}",
        "rows": _settings({**lineage.rows, "holdout": lineage.holdout.get("count")}),
        "made with": _settings(lineage.versions),
    }
    load = f"""\
```python
from PIL import Image
from face0 import Face0Pipeline, embedder_config

pipe = Face0Pipeline.from_pretrained("FOLDER")  # this one
pipe.embedder = embedder_config("{embedder.get("name")}").load("cpu")
pipe("a portrait of a man", face=Image.open("man.jpg")).images[0]
```

Many images of a list of prompts, faces and seeds:

```sh
face0 manifest --prompts prompts.txt --faces bank.parquet --seeds 4 --output manifest.parquet
face0 generate manifest.parquet --faces bank.parquet --model FOLDER --output renders
```
"""
    about = (
        "A Stable Diffusion model that is conditioned on words and on a face: the last tokens of its context are made "
        "of the face's vector."
    )
    title = lineage.base_name + " with faces"
    return _card(title, about, facts, load, _repository(lineage.base), ["face0", "stable-diffusion"])


def base_card(origin: str, facts: Mapping[str, str]) -> str:
    """The card of an output of face0 init.

    Args:
        origin: what it was made of, in a sentence.
        facts: what else is known of it, by name.
    """
    load = """\
```python
from diffusers import StableDiffusionPipeline

pipe = StableDiffusionPipeline.from_pretrained("FOLDER")  # this one
pipe("a portrait of a man").images[0]
```

It is a base for `face0 train --base FOLDER`, after which it takes faces too.
"""
    return _card("A base model", origin, facts, load, None, ["face0", "stable-diffusion", "base-model"])


def _card(title: str, about: str, facts: Mapping[str, str], load: str, base: str | None, tags: list[str]) -> str:
    data = ModelCardData(
        license="other",
        license_name="to-be-filled-in",
        library_name="diffusers",
        pipeline_tag="text-to-image",
        inference=False,
        tags=tags,
        base_model=base if base and all(_REPOSITORY.fullmatch(part) for part in base.split("/")) else None,
    )
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    text = f"""\
---
{data.to_yaml()}
---

# {title}

{about} Made by `face0`.

| | |
|---|---|
{rows}

## Use

{load}
{_LIMITS}
"""
    return signed(text)


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _name(uri: str) -> str:
    """A URI for everybody: of local folders the last part, for the rest says whose machine it was."""
    shown = public(uri)
    local = "://" not in shown or shown.startswith("file://")
    return (shown.rstrip("/").rsplit("/", 1)[-1] if local else shown).replace("`", "").replace("|", "%7C")


def _repository(uri: str) -> str | None:
    """The repository of the hub that a URI names: hf://organisation/name."""
    match = re.match(r"hf://(?:models/)?([^/@]+/[^/@]+)", public(uri))
    return match[1] if match else None
