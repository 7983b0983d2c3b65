"""HEIF and AVIF: sizes that count, turns, crops."""

import pytest

from face0.images.decoding import BadImage, decode
from schemas.failures import Reason
from tests.fixtures.codecs import with_size
from tests.fixtures.pixels import difference, reason_of
from tests.fixtures.poison import PHOTO, case, encode, exif, photo, stored


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_the_size_of_the_coded_picture_counts_whatever_the_boxes_say(kind: str) -> None:
    data = encode(photo(300, 200), kind)
    assert reason_of(data, max_pixels=61_000) is None  # HEVC rounds up
    for claimed in (data, with_size(data, 64, 64)):
        with pytest.raises(BadImage) as caught:
            decode(claimed, max_pixels=59_999)
        assert caught.value.reason in (Reason.BOMB, Reason.TOO_LARGE)


def test_tiles_count_as_the_canvas_that_they_fill() -> None:
    grid = encode(photo(130, 200), "HEIF", tile_size=64)
    assert reason_of(grid, max_pixels=4 * 3 * 64 * 64) is None
    assert reason_of(grid, max_pixels=4 * 3 * 64 * 64 - 1) == Reason.TOO_LARGE


@pytest.mark.parametrize("kind", ["avif", "heif"])
def test_eight_orientations_of_a_container_are_one_image(kind: str) -> None:
    names = [kind, *(f"{kind}_turned_{n}" for n in range(2, 9))]
    for name in names:
        pixels = decode(case(name).data).pixels
        assert difference(pixels, PHOTO) < 1.5
        assert pixels[0, 0].argmax() == 0
        assert pixels[0, -1].argmax() == 1


def test_exif_beside_the_turns_of_a_container_does_not_count() -> None:
    both = encode(stored(PHOTO, 6), "HEIF", quality=95, chroma=444, exif=exif(6))
    assert b"\x01\x12\0\3\0\0\0\1\0\6" in both
    assert difference(decode(both).pixels, PHOTO) < 1.5
    exif_alone = both.replace(b"irot", b"free")
    assert difference(decode(exif_alone).pixels, stored(PHOTO, 6)) < 1.5
