"""Captions beside an image."""

import pytest

from face0.readers.samples import Columns
from schemas.failures import Reason
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
        ({"json": b'{"caption": ["  ", "a", "list"]}'}, None, "a"),
        ({"txt": b'["a", "list"]'}, None, '["a", "list"]'),
        ({"txt": "caf\xe9 \u2019".encode("utf-16")}, None, "caf\xe9 \u2019"),
        ({"txt": "caf\xe9".encode("utf-16-le")}, None, "caf\xe9"),
        ({"txt": "caf\xe9".encode("utf-16-be")}, None, "caf\xe9"),
        ({"txt": "caf\xe9".encode("utf-32")}, None, "caf\xe9"),
        ({"json": '{"caption": "caf\xe9"}'.encode("utf-16")}, None, "caf\xe9"),
        ({"json": b'{"caption": "a cat'}, None, None),
        ({"json": b"[" * 100_000}, None, None),
        ({"json": b'["a cat"]'}, None, None),
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


@pytest.mark.parametrize("sidecar", [("a.txt", b"caf\xe9"), ("a.json", b'{"caption": "caf\xe9"}')])
def test_caption_in_an_encoding_that_cannot_be_told(tmp_path, sidecar):
    members = [("a.jpg", b"image"), sidecar]
    (tmp_path / "images").mkdir()
    for name, content in members:
        (tmp_path / "images" / name).write_bytes(content)
    for path in (write_tar(tmp_path / "a.tar", members), tmp_path / "images"):
        (row,) = rows_of(path)
        assert (row.reason, row.key) == (Reason.BAD_ENCODING, "a")
        assert "UTF-8" in row.message
        assert "--encoding" in row.message
        assert [row.caption for row in rows_of(path, Columns(encoding="cp1252"))] == ["caf\xe9"]


@pytest.mark.parametrize("value", ['{"en": "a"}', '[{"en": "a"}]', "[1, 2]"])
def test_caption_that_is_no_text_is_told_from_one_that_is_missing(tmp_path, value):
    members = [("a.jpg", b"image"), ("a.json", b'{"caption": %s}' % value.encode())]
    (row,) = rows_of(write_tar(tmp_path / "a.tar", members))
    assert row.reason == Reason.NO_CAPTION
    assert "no text" in row.message
