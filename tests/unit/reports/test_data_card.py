"""The data card says what is there now, and is the user's once they have edited it."""

import json
import logging

import pyarrow as pa
import pytest
import yaml

from face0.embedders.metadata import VectorMetadata
from face0.reports.data_card import features, write_data_card
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import face_shard
from schemas.requests import RESULTS
from tests.fixtures.shards import numbered, write

JOB = {"job": "augment", "config": {"inputs": ["a.tar"], "keep_faceless": False}, "versions": {"face0": "9"}}


@pytest.fixture
def output(root):
    """A finished output of augment, on each kind of file system."""
    folder = OutputFolder(write(root, numbered([[5], [7]])))
    folder.write_text("job.json", json.dumps(JOB))
    return folder


def card(folder):
    return folder.read("README.md").decode()


def front(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_it_says_which_files_are_the_data_and_what_made_them(output):
    write_data_card(output)
    said = front(card(output))
    assert said["license"] == "other"
    assert said["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "shards/*.parquet"}]}
    ]
    assert said["size_categories"] == ["n<1K"]
    expected = VectorMetadata(schema="face_shard", version="3", dim=4, embedder={"name": "e"})
    assert VectorMetadata.of_card(card(output)) == expected
    assert "12 rows were read, and 12 written" in card(output)
    assert 'inputs = ["a.tar"]' in card(output)
    assert "| `embedding` | `float32[4]` | Of the largest face" in card(output)


def test_the_same_output_has_the_same_card_and_it_is_written_once(output, monkeypatch):
    write_data_card(output)
    first = card(output)
    monkeypatch.setattr(OutputFolder, "write", lambda *_: pytest.fail("written again"))
    write_data_card(output)
    assert card(output) == first


def test_it_follows_the_output_as_long_as_nobody_has_edited_it(output):
    output.remove("_SUCCESS")
    write_data_card(output)
    assert "The job is not finished" in card(output)
    assert "size_categories" not in front(card(output))
    output.succeed(output.committed())
    write_data_card(output)
    assert "12 rows were read" in card(output)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("license: other", "license: cc-by-4.0"),
        lambda text: text + "Taken in May.\n",
        lambda text: text.replace("\n", "\r\n"),
        lambda _: "# Mine\n",
        lambda _: "",
    ],
    ids=["license", "words", "line ends", "another", "empty"],
)
def test_what_a_user_has_written_stays(output, edit, caplog):
    output.remove("_SUCCESS")
    write_data_card(output)
    edited = edit(card(output))
    output.write_text("README.md", edited)
    output.succeed(output.committed())
    with caplog.at_level(logging.INFO):
        write_data_card(output)
    assert card(output) == edited
    assert "README.md has been edited" in caplog.text


def test_a_job_that_has_not_begun_to_write_has_one_too(tmp_path):
    folder = OutputFolder(str(tmp_path))
    folder.write_text("job.json", json.dumps(JOB))
    write_data_card(folder)
    assert "The job is not finished" in card(folder)
    assert front(card(folder))["configs"][0]["data_files"][0]["path"] == "shards/*.parquet"
    assert VectorMetadata.of_card(card(folder)).dim == 0


def test_a_damaged_task_is_passed_over(output):
    first, second = sorted(output.stats_names())
    output.write_text(f"shards/{first}.parquet", "torn")
    write_data_card(output)
    assert VectorMetadata.of_card(card(output)).dim == 4
    output.write_text(f"stats/{second}.json", "torn")
    output.remove("README.md")
    write_data_card(output)
    assert VectorMetadata.of_card(card(output)).dim == 0


def test_no_value_of_the_configuration_ends_the_block_it_stands_in(output):
    hostile = {"where": "a = '\n```\n# b'", "inputs": ["s3://user:secret@host/a.tar?token=secret"]}
    output.write_text("job.json", json.dumps({**JOB, "config": hostile}))
    write_data_card(output)
    assert "secret" not in card(output)
    blocks = [line for line in card(output).splitlines() if line.startswith("```")]
    assert len(blocks) % 2 == 0
    assert "# b'" not in card(output).splitlines()


def test_features_are_those_that_datasets_writes_itself():
    datasets = pytest.importorskip("datasets")
    kept = {"aesthetic": pa.float64(), "id": pa.int64(), "nsfw": pa.bool_(), "license": pa.string()}
    for schema in (face_shard(4, kept=kept), RESULTS):
        expected = datasets.Features.from_arrow_schema(schema)
        for name in ("image", "thumbnail"):
            if name in schema.names and pa.types.is_binary(schema.field(name).type):
                expected[name] = datasets.Image()
        assert features(schema) == expected._to_yaml_list()


@pytest.mark.parametrize(
    ("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**11, "100B<n<1T"), (10**12, "n>1T")]
)
def test_sizes_are_named_as_hugging_face_names_them(output, rows, size):
    record = json.loads(output.read("_SUCCESS"))
    record["ledger"] = {"read": rows, "written": rows}
    output.write_text("_SUCCESS", json.dumps(record))
    write_data_card(output)
    assert front(card(output))["size_categories"] == [size]
