"""JPEG XL: how it is turned."""

from pathlib import Path

import pytest
from PIL import Image

from face0.images.decoding import decode
from tests.fixtures.pixels import difference
from tests.fixtures.poison import PHOTO, encode, exif, stored


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_xl_is_turned_by_its_codestream_alone(orientation: int, tmp_path: Path) -> None:
    """Made of a JPEG, whose EXIF becomes the orientation of the codestream, and stays beside it as well."""
    data = encode(stored(PHOTO, orientation), "JPEG", quality=95, subsampling=0, exif=exif(orientation))
    (tmp_path / "a.jpg").write_bytes(data)
    with Image.open(tmp_path / "a.jpg") as image:
        made = encode(image, "JXL", lossless_jpeg=True)
    assert difference(decode(made).pixels, PHOTO) < 2
