"""What made vectors is read from a file's metadata in one place, and vectors of two embedders never meet."""

import pytest

import schemas.face_bank
import schemas.face_shard
from face0.embedders.metadata import VectorMetadata, refuse_other_embedder
from face0.errors import UsageError

EMBEDDER = {"name": "random:0", "sha256": "00"}


@pytest.mark.parametrize(
    ("name", "version", "schema"),
    [
        ("face_bank", schemas.face_bank.VERSION, schemas.face_bank.face_bank(4, EMBEDDER)),
        ("face_shard", schemas.face_shard.VERSION, schemas.face_shard.face_shard(4, EMBEDDER)),
    ],
)
def test_it_is_read_as_the_schemas_write_it(name, version, schema):
    found = VectorMetadata.of(schema.metadata)
    assert found == VectorMetadata(schema=name, version=version, dim=4, embedder=EMBEDDER)
    found.refuse_other_schema("a.parquet", name, {version}, "make it anew")


@pytest.mark.parametrize("entries", [None, {}, {b"pandas": b"\xff"}])
def test_a_file_of_others_has_none(entries):
    found = VectorMetadata.of(entries)
    assert found == VectorMetadata(schema=None, version=None, dim=0, embedder={})
    with pytest.raises(
        UsageError, match=r"a\.parquet holds rows of \(None, None\), not of 'face_bank', version '1' or"
    ):
        found.refuse_other_schema("a.parquet", "face_bank", {"1", "2"}, "make it anew")


@pytest.mark.parametrize("broken", [{b"face0.embedding_dim": b"four"}, {b"face0.embedder.name": b"\xff"}])
def test_broken_metadata_says_no_length(broken):
    assert VectorMetadata.of(broken).dim == 0


CARD = "---\nlicense: other\nface0:\n  embedding_dim: 4\n  embedder:\n    name: e\n---\n# Faces\n---\n"
SAME = {
    "as it is": CARD,
    "lines of Windows": CARD.replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + CARD,
    "blanks after the dashes": CARD.replace("---\n", "---  \n"),
}
SILENT = {
    "no YAML": "# Faces\n---\n",
    "broken YAML": CARD.replace("license: other", "license: [other"),
    "a date that is none": CARD.replace("license: other", "date: 2024-13-45"),
    "another tag": CARD.replace("license: other", "license: !!python/name:os.name"),
    "no length": CARD.replace("dim: 4", "dim: true"),
    "a negative length": CARD.replace("dim: 4", "dim: -4"),
    "no embedder": CARD.replace("  embedder:\n    name: e\n", ""),
    "a list for the embedder": CARD.replace("name: e", "- e"),
}


@pytest.mark.parametrize("card", SAME.values(), ids=SAME)
def test_a_card_says_the_same_whatever_editor_it_went_through(card):
    found = VectorMetadata.of_card(card)
    assert (found.dim, found.embedder) == (4, {"name": "e"})


@pytest.mark.parametrize("card", SILENT.values(), ids=SILENT)
def test_a_card_that_does_not_read_says_nothing(card):
    found = VectorMetadata.of_card(card)
    assert (found.dim, found.embedder) == (0, {})


def test_another_embedder_is_refused_with_what_differs():
    refuse_other_embedder("the bank", {**EMBEDDER, "margin": ""}, "the job", EMBEDDER)
    with pytest.raises(UsageError, match=r"the bank and the job are of different embedders \(margin: 3, None; sha256"):
        refuse_other_embedder("the bank", {**EMBEDDER, "margin": 3, "sha256": "11"}, "the job", EMBEDDER)
    with pytest.raises(UsageError, match="compared: take another"):
        refuse_other_embedder("a", {"name": "b"}, "c", EMBEDDER, "take another")
