"""Captions beside an image."""

import pytest

from face0.readers.samples import Columns
from tests.fixtures.inputs import rows_of, write_tar


@pytest.mark.parametrize(
    ("sidecars", "given", "caption"),
    [
        ({"txt": b"\xef\xbb\xbf a dog\r\n", "json": b'{"caption": "a cat"}'}, None, "a dog"),
        ({"txt": b"a dog", "json": b'{"alt": "a cat"}'}, "alt", "a cat"),
        ({"txt": b"a dog", "json": b'{"caption": "a cat"}'}, "alt", "a dog"),
        ({"txt": b"\xff\xfe", "json": b'{"TEXT": "a cat"}'}, None, "a cat"),
        ({"txt": b"  \n", "json": b'{"caption": "a cat"}'}, None, "a cat"),
        ({"json": b'{"text": "later", "caption": "a cat"}'}, None, "a cat"),
        ({"json": b'{"caption": "half \\ud83d"}'}, None, "half \ufffd"),
        ({"json": b'{"caption": ["a", "list"]}'}, None, None),
        ({"json": b'{"caption": "a cat'}, None, None),
        ({"json": b"[" * 100_000}, None, None),
        ({"json": b'["a cat"]'}, None, None),
        ({"txt": b"\xff"}, None, None),
        ({}, None, None),
    ],
)
def test_tar_and_folder_find_the_same_caption(tmp_path, sidecars, given, caption):
    members = [("a.jpg", b"image"), *((f"a.{extension}", content) for extension, content in sidecars.items())]
    columns = Columns(caption=given)
    (tmp_path / "images").mkdir()
    for name, content in members:
        (tmp_path / "images" / name).write_bytes(content)
    for path in (write_tar(tmp_path / "a.tar", members), tmp_path / "images"):
        assert [row.caption for row in rows_of(path, columns)] == [caption]
