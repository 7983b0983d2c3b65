"""Which files of a key are the image and the caption of which row."""

import pytest

from face0.readers.parts import rows_of_key, split_caption
from face0.readers.samples import Columns

NONE = Columns()


def rows(key, names, columns=NONE):
    return [(row.key, row.image, sorted(row.sidecars.values()), row.others) for row in rows_of_key(key, names, columns)]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("k.jpg k.txt", [("k", "k.jpg", ["k.txt"], 0)]),
        ("k.jpg k.json k.seg.png k.txt", [("k", "k.jpg", ["k.json", "k.txt"], 1)]),
        ("k.crop.jpg k.jpg k.txt", [("k", "k.jpg", ["k.txt"], 1)]),
        ("k.b.jpg k.a.jpg k.txt", [("k", "k.a.jpg", ["k.txt"], 1)]),
        ("k.nef k.png k.txt", [("k", "k.png", ["k.txt"], 1)]),
        ("k.jpg k.jpg.txt", [("k", "k.jpg", ["k.jpg.txt"], 0)]),
        (
            "k.jpg k.jpg.txt k.png k.png.txt",
            [("k.jpg", "k.jpg", ["k.jpg.txt"], 0), ("k.png", "k.png", ["k.png.txt"], 0)],
        ),
        ("k.1.jpg k.1.txt k.2.jpg", [("k.1", "k.1.jpg", ["k.1.txt"], 0), ("k.2", "k.2.jpg", [], 0)]),
        ("k.1.jpg k.2.jpg", [("k.1", "k.1.jpg", [], 0), ("k.2", "k.2.jpg", [], 0)]),
        ("k.jpg k.seg.png", [("k", "k.jpg", [], 1)]),
        ("k.jpg k.txt k.alt.txt", [("k", "k.jpg", ["k.txt"], 0)]),
        ("k.1.jpg k.1.txt k.txt", [("k.1", "k.1.jpg", ["k.1.txt"], 0), ("k", None, ["k.txt"], 0)]),
        ("k.txt", [("k", None, ["k.txt"], 0)]),
        ("k.mp4", [("k", None, [], 0)]),
    ],
)
def test_rows_of_a_key(names, wanted):
    assert rows("k", names.split()) == wanted


def test_the_image_that_is_asked_for():
    names = ["k.jpg", "k.seg.png", "k.txt"]
    assert rows("k", names, Columns(image_member="seg.png")) == [("k", "k.seg.png", ["k.txt"], 1)]
    assert rows("k", names, Columns(image_member="png")) == [("k", "k.seg.png", ["k.txt"], 1)]
    (row,) = rows_of_key("k", names, Columns(image_member="webp"))
    assert row.image is None
    assert "--image-member" in row.without_image("k.jpg")


def test_what_lies_beside_an_image_without_a_caption_is_named():
    (row,) = rows_of_key("k", ["k.jpg", "k.blip", "k.mp4", "k.alt.txt"], NONE)
    assert row.beside == ("blip", "alt.txt")
    assert "--caption-ending blip" in row.hint
    assert rows("k", ["k.jpg", "k.alt.txt"], Columns(caption_ending="alt.txt")) == [("k", "k.jpg", ["k.alt.txt"], 0)]


def test_captions_by_their_endings():
    assert split_caption("a.b/c.TXT", NONE) == ("a.b/c", "txt")
    assert split_caption("a/.txt", NONE) is None
    assert split_caption("a.jpg", NONE) is None
    assert split_caption("a.txt", Columns(caption_ending="blip.txt")) is None
    # Values come along out of the JSON, whatever the caption is.
    assert split_caption("a.json", Columns(caption_ending="txt", also=("score",))) == ("a", "json")
