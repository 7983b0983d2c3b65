"""What made vectors is read from a file's metadata in one place, and vectors of two embedders never meet."""

import pytest

from face0.embedders.metadata import VectorMetadata, refuse_other_embedder
from face0.errors import UsageError
from schemas.face_bank import face_bank
from schemas.face_shard import face_shard

EMBEDDER = {"name": "random:0", "sha256": "00"}


@pytest.mark.parametrize(("name", "schema"), [("face_bank", face_bank), ("face_shard", face_shard)])
def test_it_is_read_as_the_schemas_write_it(name, schema):
    found = VectorMetadata.of(schema(4, EMBEDDER).metadata)
    assert found == VectorMetadata(schema=name, version="1", dim=4, embedder=EMBEDDER)
    found.refuse_other_schema("a.parquet", name, {"1"}, "make it anew")


@pytest.mark.parametrize("entries", [None, {}, {b"pandas": b"\xff"}])
def test_a_file_of_others_has_none(entries):
    found = VectorMetadata.of(entries)
    assert found == VectorMetadata(schema=None, version=None, dim=0, embedder={})
    with pytest.raises(
        UsageError, match=r"a\.parquet holds rows of \(None, None\), not of 'face_bank', version '1' or"
    ):
        found.refuse_other_schema("a.parquet", "face_bank", {"1", "2"}, "make it anew")


def test_another_embedder_is_refused_with_what_differs():
    refuse_other_embedder("the bank", {**EMBEDDER, "margin": ""}, "the job", EMBEDDER)
    with pytest.raises(UsageError, match=r"the bank and the job are of different embedders \(margin: 3, None; sha256"):
        refuse_other_embedder("the bank", {**EMBEDDER, "margin": 3, "sha256": "11"}, "the job", EMBEDDER)
    with pytest.raises(UsageError, match="compared: take another"):
        refuse_other_embedder("a", {"name": "b"}, "c", EMBEDDER, "take another")
