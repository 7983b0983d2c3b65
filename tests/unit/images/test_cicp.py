"""Colours by numbers, against the formulas of their standards."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from face0.images.cicp import ADOBE_RGB, Cicp, profile_of
from face0.images.decoding import BadImage, decode
from tests.fixtures.poison import encode, to_srgb_curve

SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
WIDE = {
    "Display P3": (Cicp(12, 13), ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    "BT.2020": (Cicp(9, 1), ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
}
HUES = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(18, -1, 3).astype(np.uint8)


def to_xyz(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """The matrix of primaries whose white is D65."""
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    columns = np.column_stack([[x / y, 1, (1 - x - y) / y] for x, y in primaries])
    return columns * np.linalg.solve(columns, white)


def in_srgb(light: np.ndarray, primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    mixed = light @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)).T
    return (to_srgb_curve(mixed.clip(0, 1)) * 255).round()


def light_of(values: np.ndarray) -> np.ndarray:
    """What the curve of sRGB makes light of."""
    share = values / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("name", WIDE)
def test_wide_gamuts_become_the_srgb_of_their_formula(name: str) -> None:
    colours, primaries = WIDE[name]
    pixels = decode(encode(HUES, "PNG", icc_profile=profile_of(colours, "PNG"))).pixels
    assert np.abs(pixels - in_srgb(light_of(HUES), primaries)).max() <= 1


def test_adobe_rgb_becomes_the_srgb_of_its_formula() -> None:
    pixels = decode(encode(HUES, "PNG", icc_profile=ADOBE_RGB)).pixels
    light = (HUES / 255) ** (563 / 256)
    assert np.abs(pixels - in_srgb(light, ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)))).max() <= 1


def test_srgb_needs_no_profile() -> None:
    for curve in (1, 2, 6, 13, 14):
        assert profile_of(Cicp(1, curve), "PNG") is None


@pytest.mark.parametrize("primaries", [4, 5, 6, 7, 8, 9, 11, 12, 22])
def test_grey_stays_grey(primaries: int) -> None:
    """White is white, whatever the white point."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_of(Cicp(primaries, 13), "PNG") or b""))
    grey = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    made = np.asarray(ImageCms.profileToProfile(grey, profile, ImageCms.createProfile("sRGB")))
    assert np.abs(made.astype(int) - np.asarray(grey)).max() <= 1


@pytest.mark.parametrize(("colours", "words"), [((9, 16), "PQ"), ((9, 18), "HLG"), ((10, 13), "10"), ((1, 9), "9")])
def test_what_is_not_read_is_named(colours: tuple[int, int], words: str) -> None:
    with pytest.raises(BadImage, match=words):
        profile_of(Cicp(*colours), "PNG")
