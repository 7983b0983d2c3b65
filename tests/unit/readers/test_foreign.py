"""Containers that are not read."""

import pytest

from face0.errors import UsageError
from face0.readers.foreign import ending_of, remedy
from face0.readers.planning import plan
from tests.fixtures.inputs import NONE


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.tar", "tar"),
        ("d.zip/a.v1.TAR.GZ", "tar.gz"),
        ("a.tfrecord.gz", "tfrecord"),
        ("a.mds.zstd", "mds"),
        ("a", ""),
    ],
)
def test_ending_of_a_container(name, ending):
    assert ending_of(name) == ending


@pytest.mark.parametrize("name", ["a.zip", "a.7z", "a.rar", "a.tfrecord", "a.mds", "a.tar.lz4", "a.rec", "a.pkl"])
def test_containers_are_refused_by_name_with_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError) as error:
        plan([str(tmp_path / name)], NONE, 10)
    assert str(error.value).endswith(f" is {remedy(name)}")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.v1.JSONL.zst", "a.tsv.bz2", "a.json.gz"])
def test_packed_lists_are_to_be_unpacked(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match="a packed file, which is not read: unpack it"):
        plan([str(tmp_path / name)], NONE, 10)


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [("a.tar::b/c.tar", "give each by itself, `a.tar b/c.tar`"), ("pipe:cat a.tar", "none is run for its output")],
)
def test_inputs_as_webdataset_has_them(uri, remedy):
    with pytest.raises(UsageError, match=remedy):
        plan([uri], NONE, 10)


@pytest.mark.parametrize(
    "uri", ["zip://a.zip", "zip://*.jpg::s3://bucket/a.zip", "tar://*::/data/a.tar", "simplecache::https://host/a.tar"]
)
def test_chains_are_refused_in_a_sentence(uri):
    with pytest.raises(UsageError, match="a file system within another"):
        plan([uri], NONE, 10)
