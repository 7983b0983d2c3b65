"""Trace: from a photograph to all that was made of it, and from an image back to the photographs."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.faces.bank import read_bank
from face0.privacy.locations import classify
from face0.privacy.tracing import trace
from jobs.trace import main
from schemas.face_bank import Kind
from tests.fixtures.holdings import (
    ANNA,
    BANKS,
    BOB,
    CORA,
    RECORDS,
    STATS,
    TABLES,
    World,
    bank,
    build,
    commit_shard,
    digest,
    face,
    request,
)
from tests.fixtures.reads import counted_reads
from tests.fixtures.shards import restate

PHOTOGRAPH_OF_ANNA = {
    ("photograph", digest("a1"), "asked for"),
    ("face", "anna", "made of it"),
    ("face", "mix", "made of it"),
    ("face", "liked", "made of it"),
    ("image", request("anna"), "made of it"),
    ("image", request("anna failed"), "made of it"),
    ("image", request("mix"), "made of it"),
    ("image", request("liked"), "made of it"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Not to be written to."""
    return build(str(tmp_path_factory.mktemp("world")))


def answer(asked: str, places: list[str]) -> dict[str, Any]:
    return trace(asked, classify(places)).to_dict()


def told(record: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What an answer names: kind, name and part in it."""
    names = {"photograph": "sha256", "face": "face_id", "image": "request_id"}
    return {(kind, each[name], each["part"]) for kind, name in names.items() for each in record[f"{kind}s"]}


@pytest.mark.parametrize("asked", ["a1", "a1.jpg", digest("a1"), "anna.jpg", "photos/anna.jpg", "in/t0.tar#a1.jpg"])
def test_a_photograph_leads_to_its_row_faces_and_images_by_any_of_its_names(world, asked):
    record = answer(asked, world.places)
    assert told(record) == PHOTOGRAPH_OF_ANNA
    (photograph,) = record["photographs"]
    assert photograph["rows"] == [
        {
            "folder": world.shards,
            "file": "shards/t0.parquet",
            "key": "a1",
            "source": "in/t0.tar#a1.jpg",
            "sha256": digest("a1"),
        }
    ]


@pytest.mark.parametrize("asked", [request("mix"), f"{request('mix')}.png", f"images/{request('mix')}.png"])
def test_an_image_leads_back_to_its_faces_and_photographs(world, asked):
    record = answer(asked, world.places)
    assert told(record) == {
        ("image", request("mix"), "asked for"),
        ("face", "mix", "source"),
        ("face", "anna", "source"),
        ("face", "bob", "source"),
        ("photograph", digest("a1"), "source"),
        ("photograph", digest("b1"), "source"),
        ("face", "liked", "made of it"),
        ("image", request("liked"), "made of it"),
    }
    assert {row["key"] for each in record["photographs"] for row in each["rows"]} == {"a1", "b1"}
    (image,) = [each for each in record["images"] if each["part"] == "asked for"]
    assert image["sources"] == [{"kind": "face", "in": world.made, "name": "mix"}]
    assert image["prompt"] == "prompt of mix"


def test_a_face_leads_both_ways(world):
    assert told(answer("cora", world.places)) == {
        ("face", "cora", "asked for"),
        ("photograph", digest("c1"), "source"),
        ("image", request("cora"), "made of it"),
    }


def test_a_photograph_that_nothing_was_made_of_has_its_row(world):
    record = answer("group", world.places)
    assert told(record) == {("photograph", digest("group"), "asked for")}
    assert [row["key"] for row in record["photographs"][0]["rows"]] == ["group"]


def test_faces_of_one_name_are_told_apart_by_their_vectors(world, tmp_path):
    other = bank(str(tmp_path / "other.parquet"), face("anna", BOB, Kind.RANDOM, []))
    (image,) = answer(request("anna"), [*world.places, other])["images"]
    assert image["sources"] == [{"kind": "face", "in": world.people, "name": "anna"}]


def test_a_face_is_found_under_each_name_that_it_has(world, tmp_path):
    vector = read_bank(world.people).faces["anna"].vector
    other = bank(str(tmp_path / "other.parquet"), face("x", vector, Kind.PHOTOS, []))
    assert told(answer("x", [*world.places, other])) >= {("image", request("anna"), "made of it")}
    (image,) = answer(request("anna"), [world.renders])["images"]
    assert image["sources"] == [{"kind": "face", "in": "", "name": "anna"}]


def test_a_source_that_is_not_among_the_places_is_named_all_the_same(world):
    record = answer("mix", [world.made])
    assert told(record) >= {("face", "anna", "source"), ("face", "bob", "source")}
    assert [each["known"] for each in record["faces"] if each["part"] == "source"] == [False, False]
    assert told(answer("anna", [world.made])) >= {("face", "mix", "made of it")}
    assert "which is not in the places given" in trace("mix", classify([world.made])).as_text()


@pytest.mark.parametrize("asked", ["a1", "group", request("mix"), "cora"])
def test_each_file_is_read_once(world, asked):
    with counted_reads(world.root) as reads:
        trace(asked, classify(world.places))
    assert reads == Counter([*RECORDS, *STATS, *TABLES, *BANKS])


def test_a_photograph_that_lies_in_two_shards_has_both_rows_under_any_of_its_names(tmp_path):
    world = build(str(tmp_path / "world"))
    other = str(tmp_path / "other")
    commit_shard(other, "t9", {"a1": [ANNA], "elsewhere": [CORA]})
    table = pq.read_table(f"{other}/shards/t9.parquet")
    renamed = table.set_column(0, "key", [["copy of group", "else"]])
    digests = renamed.set_column(renamed.schema.get_field_index("sha256"), "sha256", [[digest("group"), digest("x")]])
    pq.write_table(digests.cast(table.schema), f"{other}/shards/t9.parquet")
    restate(Path(other), Path(other, "shards", "t9.parquet"))
    (photograph,) = answer("group", [*world.places, other])["photographs"]
    assert [(row["folder"], row["key"]) for row in photograph["rows"]] == [
        (world.shards, "group"),
        (other, "copy of group"),
    ]


def test_circles_come_to_an_end(tmp_path):
    uri = str(tmp_path / "bank.parquet")
    bank(uri, *(face(a, ANNA, Kind.MIX, [{"face_id": b}]) for a, b in (("x", "y"), ("y", "x"))))
    found = trace("x", classify([uri]))
    assert [node.name for node in (*found.sources, *found.made)] == ["y", "y"]
    assert "face x" in found.as_text()


def test_the_command_prints_trees_and_writes_json(world, tmp_path, capsys):
    file = tmp_path / "answer.json"
    places = [word for place in world.places for word in ("--in", place)]
    assert main([request("liked"), *places, "--json", str(file)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"image {request('liked')} in {world.renders} (images/")
    depths = {line.split()[1]: len(line) - len(line.lstrip()) for line in said if line.lstrip().startswith("face ")}
    assert depths["liked"] < depths["mix"] < depths["anna"]
    assert any(line.strip().startswith(f"row a1 in {world.shards}") for line in said)
    assert told(json.loads(file.read_text())) == told(answer(request("liked"), world.places))


def test_it_works_on_any_file_system(root):
    world = build(root)
    assert told(answer("a1", world.places)) == PHOTOGRAPH_OF_ANNA


def test_wrong_names_and_places_are_refused_with_the_remedy(world, tmp_path: Path):
    with pytest.raises(UsageError, match="is called 'dora': give a photograph's file name"):
        answer("dora", world.places)
    with pytest.raises(UsageError, match=r"is no file, and no folder with a job\.json: give the --output"):
        classify([str(tmp_path)])
    (tmp_path / "x.parquet").write_text("no bank")
    with pytest.raises(UsageError, match=r"x\.parquet is no bank"):
        classify([str(tmp_path / "x.parquet")])
    with pytest.raises(UsageError, match="is no bank"):
        classify([f"{world.shards}/shards/t0.parquet"])
