"""An output that would be read as input."""

import pytest

from face0.errors import UsageError
from face0.readers.planning import plan
from tests.fixtures.inputs import NONE, captioned, write_tar


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in" / "a.tar", captioned(1))
    (tmp_path / "in" / "a.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("in", "in/out"),
        ("in/", "in/out/"),
        ("link", "in/deep/out"),
        ("in", "link/out"),
        ("in", "other/../in/out"),
        ("in", "in"),
        ("in/**/*.parquet", "in/out"),
        ("in/*/shards/*.parquet", "in/out"),
    ],
)
def test_output_among_the_inputs_is_refused(folder, given, output):
    (folder / "in" / "b" / "shards").mkdir(parents=True)
    (folder / "in" / "b" / "shards" / "b.parquet").touch()
    with pytest.raises(UsageError, match="read as its input"):
        plan([f"{folder}/{given}"], NONE, 10, output=f"{folder}/{output}")


@pytest.mark.parametrize(
    ("given", "output"), [("in", "in2"), ("in", "out"), ("in/*.tar", "in/out"), ("in/a.tar", "in"), ("in", "")]
)
def test_output_elsewhere_is_not(folder, given, output):
    assert plan([f"{folder}/{given}"], NONE, 10, output=f"{folder}/{output}")


def test_inputs_within_what_the_job_writes_are_refused(folder):
    (folder / "out" / "shards").mkdir(parents=True)
    write_tar(folder / "out" / "shards" / "a.tar", captioned(1))
    with pytest.raises(UsageError, match="read as its input"):
        plan([f"{folder}/out/shards/*.tar"], NONE, 10, output=f"{folder}/out")
