"""Parts of URIs, and what they are relative to."""

from face0.readers import parquet_images
from face0.readers.captions import well_formed
from face0.readers.samples import Split
from face0.readers.uris import resolve, split_extension
from tests.fixtures.inputs import NONE


def test_locations():
    assert split_extension("a.v1/b") == ("a.v1/b", "")
    assert split_extension("a.v1/b.c.JPG") == ("a.v1/b.c", "jpg")
    assert split_extension("a/.hidden") == ("a/.hidden", "")
    assert resolve("data:image/png;base64,AA", "/f") == "data:image/png;base64,AA"
    assert resolve("a b/c.jpg", "s3://bucket/f") == "s3://bucket/f/a b/c.jpg"
    assert well_formed("a\ud83d\ude00b\ude00") == "a😀b\ufffd"
    assert list(parquet_images.plan("/gone.parquet", 3, NONE, 5)) == [
        Split(reader="parquet_images", uri="/gone.parquet", size=3)
    ]
