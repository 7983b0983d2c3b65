"""Fixtures that several test modules share. What they are made of is in ``fixtures``."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import hypothesis
import pytest
import torch
from moto.server import ThreadedMotoServer

from face0.augmentation.augmenter import Augmenter
from face0.augmentation.config import AugmentConfig
from face0.embedders.specification import embedder_config
from face0.readers.fetching import Fetcher
from jobs.main import main
from tests.fixtures.pictures import augment, captioned, people, write_tar

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
# Tests that are run by themselves have the marker of their folder.
MARKED = {Path(__file__).parent / name: getattr(pytest.mark, name) for name in ("long", "faults", "pages")}

# Threads that wait for each other in every layer are slow where tests share the cores, and change last bits.
torch.set_num_threads(1)
# How long an example takes says more about what runs beside it.
hypothesis.settings.register_profile("face0", deadline=None)
hypothesis.settings.load_profile("face0")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data that is no part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def augmenter() -> Augmenter:
    """The worker of the job, loaded once."""
    return Augmenter(AugmentConfig(embedder=embedder_config("random:0")), Fetcher(retries=0), "cpu", 1)


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The URI of a bucket on an S3 server of our own, which this process and its children find by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="face0")
        yield "s3://face0"
    server.stop()


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new folder on each kind of file system."""
    if request.param == "local":
        return str(tmp_path / "root")
    base = request.getfixturevalue("bucket") if request.param == "s3" else "memory:/"
    return f"{base}/{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Face shards of 24 small photographs of two people."""
    folder = tmp_path_factory.mktemp("shards")
    for i in range(2):
        write_tar(folder / f"{i}.tar", captioned(people(12, first=12 * i)))
    assert augment([folder / "0.tar", folder / "1.tar"], folder / "out") == 0
    return folder / "out"


@pytest.fixture(scope="session")
def space(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The face space of the shards."""
    folder = tmp_path_factory.mktemp("space")
    assert main(["faces", "fit", str(shards), "--output", str(folder / "space"), "--runner", "FnApiRunner"]) == 0
    return folder / "space"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lies in ``tests/long`` and ``tests/faults``."""
    for item in items:
        for folder, mark in MARKED.items():
            if folder in item.path.parents:
                item.add_marker(mark)
