"""Parts of URIs, and what they are relative to."""

from face0.io.text import well_formed
from face0.readers.uris import resolve, split_extension


def test_locations():
    assert split_extension("a.v1/b") == ("a.v1/b", "")
    assert split_extension("a.v1/b.c.JPG") == ("a.v1/b.c", "jpg")
    assert split_extension("a/.hidden") == ("a/.hidden", "")
    assert resolve("data:image/png;base64,AA", "/f") == "data:image/png;base64,AA"
    assert resolve("a b/c.jpg", "s3://bucket/f") == "s3://bucket/f/a b/c.jpg"
    assert well_formed("a\ud83d\ude00b\ude00") == "a😀b\ufffd"
