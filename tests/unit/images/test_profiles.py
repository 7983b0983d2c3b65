"""Profiles whose tables are not there, and how many ways to sRGB are kept."""

import struct

import pytest
from PIL import ImageCms

from face0.images.profiles import Transforms, tables_fit
from tests.fixtures.heavy import profiles, with_table
from tests.fixtures.poison import icc, linear_rgb_profile, odd_ink_profile, swapped_profile

GOOD = [swapped_profile(), linear_rgb_profile(), odd_ink_profile()]


@pytest.mark.parametrize("profile", [*GOOD, with_table(2)])
def test_tables_that_are_there_fit(profile):
    assert tables_fit(profile)


def tables(kind: bytes, body: bytes) -> bytes:
    return icc(b"RGB ", b"Lab ", {b"A2B0": kind + bytes(4) + body + bytes(200)})


def test_tables_that_are_not_there_do_not():
    assert not tables_fit(with_table(40))
    assert not tables_fit(tables(b"mft1", bytes([15, 15, 255, 0])))
    # Offsets of B curves, matrix, M curves, table, A curves; the table's steps, and bytes of a value.
    curves = bytes([3, 3, 0, 0]) + struct.pack(">5I", 0, 0, 0, 32, 0)
    assert not tables_fit(tables(b"mAB ", curves + bytes([200] * 3 + [0] * 13 + [2, 0, 0, 0])))
    assert tables_fit(tables(b"mBA ", curves + bytes([2] * 3 + [0] * 13 + [2, 0, 0, 0])))
    assert not tables_fit(tables(b"mpet", b""))
    assert not tables_fit(b"")


def test_transforms_are_kept_by_their_bytes():
    kept = Transforms(12 * 2**20)
    many = profiles(10, 2**20)
    transforms = [kept.get(profile, "RGB") for profile in many]
    assert all(isinstance(transform, ImageCms.ImageCmsTransform) for transform in transforms)
    assert kept.get(many[-1], "RGB") is transforms[-1]
    assert kept.get(many[0], "RGB") is not transforms[0]  # 3 MiB each: four are kept


def test_a_profile_that_is_too_large_is_ignored():
    assert Transforms(2**20).get(profiles(1, 5 * 2**20)[0], "RGB") is None
