"""Latents that are kept from one epoch to the next."""

from pathlib import Path

import pytest
import torch

from face0.errors import UsageError
from face0.training.latent_cache import InMemory, LatentCache, OnDisk

SHAPE = (8, 2, 2)


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> LatentCache:
    return InMemory() if request.param == "memory" else OnDisk(tmp_path, "a", 100, SHAPE)


def test_what_was_put_is_found_by_its_row(cache):
    moments = torch.randn(3, *SHAPE)
    assert cache.missing([7, 99, 0]) == [0, 1, 2]
    cache.put([7, 99], moments[:2])
    assert cache.missing([7, 0, 99, 3]) == [1, 3]
    cache.put([0], moments[2:])
    assert torch.equal(cache.get([0, 99, 7]), moments[[2, 1, 0]])


def test_a_file_is_shared_and_stays(tmp_path):
    one, other = OnDisk(tmp_path / "new", "a", 10, SHAPE), OnDisk(tmp_path / "new", "a", 10, SHAPE)
    moments = torch.randn(1, *SHAPE)
    one.put([4], moments)
    assert torch.equal(other.get([4]), moments)
    assert OnDisk(tmp_path / "new", "a", 10, SHAPE).missing([4, 5]) == [1]
    assert OnDisk(tmp_path / "new", "b", 10, SHAPE).missing([4]) == [0]
    assert sorted(path.name for path in (tmp_path / "new").glob("*.latents")) == ["a.latents", "b.latents"]


def test_a_disk_without_room_is_told_before_anything_is_trained(tmp_path):
    with pytest.raises(UsageError, match=r"GB for latents of 1,000,000,000,000,000 rows cannot be had"):
        OnDisk(tmp_path, "a", 10**15, SHAPE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.lock"]
