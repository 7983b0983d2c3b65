"""The lineage of a model: read as it was written, and compared with what a training would do now."""

import json
from dataclasses import replace

import pytest

from face0.errors import UsageError
from face0.model.lineage import LINEAGE, Lineage

MADE = Lineage(
    step=8,
    held_out_loss=0.5,
    config={"steps": 8, "schedule": "constant", "batch": 4},
    base="somewhere/tiny",
    base_fingerprint="ab" * 32,
    shards=["out"],
    fingerprint="cd" * 32,
    embedder={"name": "random:0"},
    holdout={"count": 2},
    rows={"min_face": 0.0},
    versions={"face0": "0.2.0"},
)


def test_it_comes_back_as_it_was_written(tmp_path):
    MADE.write(tmp_path)
    assert Lineage.read(tmp_path, "model") == MADE
    assert MADE.base_name == "tiny"
    record = json.loads((tmp_path / LINEAGE).read_text())
    assert (record["step"], record["versions"]) == (8, {"face0": "0.2.0"})
    # Entries that others added do not matter, and older trainings did not record the base's weights
    record["more"] = 1
    del record["base_fingerprint"]
    assert Lineage.from_json(json.dumps(record)) == replace(MADE, base_fingerprint="")


@pytest.mark.parametrize(
    ("text", "said"), [(None, "model has no lineage.json"), ("{", "is not whole"), ('{"step": 1}', "is not whole")]
)
def test_what_is_none_is_refused(tmp_path, text, said):
    if text is not None:
        (tmp_path / LINEAGE).write_text(text)
    with pytest.raises(UsageError, match=rf"{said}.*give an output folder of face0 train"):
        Lineage.read(tmp_path, "model")


def test_it_tells_what_decides_the_weights_apart():
    assert MADE.differences(replace(MADE, step=0, base="moved/tiny", shards=["moved"])) == []
    assert MADE.differences(replace(MADE, config={**MADE.config, "steps": 16})) == []
    cosine = {**MADE.config, "schedule": "cosine"}
    assert replace(MADE, config=cosine).differences(replace(MADE, config={**cosine, "steps": 16})) == [
        "steps: 8, now 16"
    ]
    now = replace(MADE, config={**MADE.config, "batch": 8}, base_fingerprint="ef" * 32, fingerprint="00" * 32)
    assert MADE.differences(now) == [
        "base: somewhere/tiny with the digest abababababab, now somewhere/tiny with the digest efefefefefef",
        "batch: 4, now 8",
        "shards: cdcdcdcdcdcd, now 000000000000",
    ]
