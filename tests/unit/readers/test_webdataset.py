"""Tars: every member comes out, as a sample or as a failure, wherever the tar breaks off."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc

import fsspec
import pytest
import zstandard

from face0.errors import StorageError, UsageError
from face0.readers import webdataset
from face0.readers.planning import plan, read
from face0.readers.samples import Sample, Split
from face0.readers.tars import Tar
from tests.fixtures.inputs import NONE, captioned, reasons, rows_of, tar_bytes, write_tar


@pytest.mark.parametrize(("ending", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.xz", "w:xz")])
def test_tar_yields_image_and_caption(tmp_path, ending, mode):
    path = write_tar(tmp_path / f"a.{ending}", captioned(3), mode)
    assert rows_of(path) == [
        Sample(key=f"{i:05d}", source=f"{path}#{i:05d}.jpg", caption=f"caption {i}", data=b"image %d" % i)
        for i in range(3)
    ]


def test_tar_on_another_file_system():
    with fsspec.open("memory://tars/a.tar", "wb") as file:
        file.write(tar_bytes(captioned(2)))
    rows = rows_of("memory://tars/*.tar")
    assert [row.source for row in rows] == ["memory:///tars/a.tar#00000.jpg", "memory:///tars/a.tar#00001.jpg"]


def test_tar_rows_are_told_apart_by_the_path_up_to_the_last_dot(tmp_path):
    path = write_tar(
        tmp_path / "a.tar",
        [("./v1.0/a.b.JPG", b"1"), ("./v1.0/a.b.txt", b"x"), ("v1.0/a.c.WebP", b"2"), ("v2.0/a.c.TIFF", b"3")],
    )
    rows = rows_of(path)
    assert [(row.key, row.caption) for row in rows] == [("v1.0/a.b", "x"), ("v1.0/a.c", None), ("v2.0/a.c", None)]


def test_tar_skips_what_programs_leave_behind(tmp_path):
    members = [("._a.jpg", b"mac"), ("PaxHeaders.12/a.jpg", b"pax"), ("d/.DS_Store", b"mac"), ("a.jpg", b"image")]
    path = tmp_path / "a.tar"
    buffer = io.BytesIO(tar_bytes(members))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        directory = tarfile.TarInfo("folder.jpg")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
    path.write_bytes(buffer.getvalue())
    assert [(row.key, row.data) for row in rows_of(path)] == [("a", b"image")]


def test_tar_row_without_image_fails_and_a_second_image_is_counted(tmp_path):
    members = [("a.txt", b"x"), ("b.jpg", b"1"), ("b.png", b"2"), ("b.txt", b"y"), ("c.mp4", b"film"), ("d.jpg", b"3")]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    outcomes = {row.key: outcome for row, outcome in zip(rows, reasons(rows), strict=True)}
    assert outcomes == {"a": "no_image", "b": "ok", "c": "no_image", "d": "ok"}
    (row,) = (row for row in rows if row.key == "b")
    assert (row.source, row.caption, row.others) == (f"{tmp_path}/a.tar#b.jpg", "y", 1)


def test_tar_member_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "MAX_IMAGE_BYTES", 10)
    members = [("a.jpg", b"x" * 11), ("a.txt", b"a"), ("b.jpg", b"x" * 10), ("b.txt", b"b")]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    assert reasons(rows) == ["too_large", "ok"]


def test_tar_link_is_a_failure(tmp_path):
    path = tmp_path / "a.tar"
    buffer = io.BytesIO(tar_bytes([("a.jpg", b"1"), ("a.txt", b"x")]))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        tar.addfile(link)
    path.write_bytes(buffer.getvalue())
    assert reasons(rows_of(path)) == ["ok", "unsupported"]


def test_tar_name_that_is_not_utf8_can_be_stored(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes([("caf\udce9.jpg", b"1")], format=tarfile.GNU_FORMAT))
    (row,) = rows_of(path)
    row.key.encode("utf-8")
    row.source.encode("utf-8")


WHOLE = [(f"{i:02d}", b"j" * (100 + 300 * i), b"caption %d" % i) for i in range(5)]


def whole_tar() -> tuple[bytes, list[int], int]:
    """A tar, the byte at which each of its rows is complete, and that of a complete end marker."""
    members, ends, position = [], [], 0
    for key, image, caption in WHOLE:
        for name, content in ((f"{key}.jpg", image), (f"{key}.txt", caption)):
            members.append((name, content))
            position += 512
            ends.append(position + len(content))
            position += -(-len(content) // 512) * 512
    return tar_bytes(members), ends[1::2], position + 512


def test_truncated_tar_keeps_every_complete_row_and_says_that_it_broke_off(tmp_path):
    content, ends, whole = whole_tar()
    path = tmp_path / "cut.tar"
    cuts = {*range(0, len(content), 97), *(e + d for e in (*ends, whole) for d in (-1, 0, 1)), *range(0, whole, 512)}
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        rows = list(webdataset.read(Split(reader="webdataset", uri=str(path), size=cut), NONE))
        complete = sum(end <= cut for end in ends)
        assert [row.key for row in rows[:complete]] == [key for key, _, _ in WHOLE[:complete]], cut
        assert [row.data for row in rows[:complete]] == [image for _, image, _ in WHOLE[:complete]], cut
        assert reasons(rows[complete:]) == ([] if cut >= whole else ["unreadable_input"]), cut
        if cut < whole:
            assert rows[-1].key == "cut.tar#remainder"


def test_truncated_gzip_and_garbage_yield_one_failure(tmp_path):
    content = gzip.compress(whole_tar()[0])
    path = tmp_path / "cut.tar.gz"
    for cut in range(0, len(content) - 30):
        path.write_bytes(content[:cut])
        rows = list(webdataset.read(Split(reader="webdataset", uri=str(path), size=cut), NONE))
        assert reasons(rows)[-1:] == ["unreadable_input"], cut
        assert set(reasons(rows)[:-1]) <= {"ok"}, cut


@pytest.mark.parametrize("content", [b"", b"no tar", b"<html>" * 1000, b"\x1f\x8b\x08garbage" * 100])
def test_object_that_is_no_tar_is_one_failure(tmp_path, content):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    assert reasons(rows_of(path)) == ["unreadable_input"]


def test_tar_that_is_gone_is_no_row_but_an_error(tmp_path):
    split = Split(reader="webdataset", uri=str(tmp_path / "gone.tar"), size=1)
    with pytest.raises(StorageError, match=r"gone\.tar was there when the job was planned"):
        list(read(split, NONE))


def test_protocol_that_is_not_installed_here_is_no_failure_of_the_row():
    with pytest.raises(UsageError):
        list(read(Split(reader="webdataset", uri="nosuch://a.tar", size=1), NONE))


def test_corrupt_header_in_the_middle(tmp_path):
    content, ends, _ = whole_tar()
    broken = bytearray(content)
    start = -(-ends[1] // 512) * 512
    broken[start + 150] ^= 0xFF
    path = tmp_path / "a.tar"
    path.write_bytes(broken)
    assert reasons(rows_of(path)) == ["ok", "ok", "unreadable_input"]


def test_second_tar_behind_the_first_does_not_vanish(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes(captioned(1)) + tar_bytes(captioned(1)))
    assert reasons(rows_of(path)) == ["ok", "unreadable_input"]


def test_tar_is_read_in_flat_memory(tmp_path):
    names = (f"{i:06d}.{ending}" for i in range(10_000) for ending in ("jpg", "txt"))
    path = write_tar(tmp_path / "many.tar", [(name, b"x" * 100) for name in names])
    (split,) = plan([str(path)], NONE, 1000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(split, NONE)) == 10_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000


def test_tar_packed_in_several_pieces_is_read_to_its_end(tmp_path):
    content = tar_bytes(captioned(3))
    pieces = [content[:700], content[700:3000], b"", content[3000:]]
    for name, pack in (("a.tar.gz", gzip.compress), ("a.tar.bz2", bz2.compress), ("a.tar.xz", lzma.compress)):
        path = tmp_path / name
        path.write_bytes(b"".join(map(pack, pieces)))
        assert reasons(rows_of(path)) == ["ok"] * 3
        path.write_bytes(path.read_bytes() + bytes(100))
        assert reasons(rows_of(path)) == ["ok"] * 3


def test_member_that_does_not_fit_into_memory_is_a_failure(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "a.tar", captioned(2))
    extract = Tar.extractfile

    def full(tar, member):
        if member.name == "00000.jpg":
            raise MemoryError
        return extract(tar, member)

    monkeypatch.setattr(Tar, "extractfile", full)
    assert reasons(rows_of(path)) == ["out_of_memory", "ok"]


def test_caption_that_does_not_fit_into_memory_is_a_failure(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    path = write_tar(tmp_path / "a.tar", captioned(2))
    monkeypatch.setattr(webdataset, "caption_of", full)
    assert reasons(rows_of(path)) == ["out_of_memory"] * 2


def test_tar_packed_by_zstandard_is_read(tmp_path):
    packed = zstandard.ZstdCompressor().compress(tar_bytes(captioned(3)))
    for name in ("a.tar.zst", "a.tzst", "a.tar"):
        (tmp_path / name).write_bytes(packed)
        assert reasons(rows_of(tmp_path / name)) == ["ok"] * 3
    (tmp_path / "a.tar.zst").write_bytes(packed * 2)
    assert reasons(rows_of(tmp_path / "a.tar.zst")) == ["ok"] * 3 + ["unreadable_input"]
    (tmp_path / "a.tar.zst").write_bytes(packed[: len(packed) // 2])
    assert reasons(rows_of(tmp_path / "a.tar.zst"))[-1] == "unreadable_input"


def test_tar_packed_by_zstandard_unpacks_within_bounds(tmp_path):
    content = tar_bytes([("a.jpg", bytes(20 * 2**20)), ("a.txt", b"x")])
    (tmp_path / "a.tar.zst").write_bytes(zstandard.ZstdCompressor().compress(content))
    tracemalloc.start()
    try:
        (failure,) = rows_of(tmp_path / "a.tar.zst")
        assert "100 times its size" in failure.message
        assert tracemalloc.get_traced_memory()[1] < 48 * 2**20
    finally:
        tracemalloc.stop()


def test_members_that_lie_apart_make_one_row(tmp_path):
    for order in ("jpg txt", "txt jpg"):
        members = [(f"d/{i}.{ending}", b"%d" % i) for ending in order.split() for i in range(50)]
        rows = rows_of(write_tar(tmp_path / "a.tar", members))
        assert [(row.key, row.caption, row.data) for row in rows] == [(f"d/{i}", f"{i}", b"%d" % i) for i in range(50)]


def test_members_that_lie_too_far_apart_fail_once_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "MAX_WAITING_BYTES", 10 * 1024)
    members = [(f"{i}.{ending}", bytes(1000)) for ending in ("jpg", "json") for i in range(30)]
    members += [("whole.jpg", b"image"), ("whole.txt", b"caption")]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    assert sorted(row.key for row in rows) == sorted([*map(str, range(30)), "whole"])
    assert sum("tar --sort=name" in getattr(row, "hint", "") for row in rows) >= 20


def test_a_key_ends_at_the_first_dot_unless_what_is_behind_has_captions_of_its_own(tmp_path):
    members = [
        *(("k.jpg", b"k"), ("k.seg.png", b"mask"), ("k.txt", b"of k")),
        *(("p.1.jpg", b"1"), ("p.1.txt", b"of 1"), ("p.2.jpg", b"2"), ("p.2.txt", b"of 2")),
    ]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    assert [(row.key, row.data, row.caption, row.others) for row in rows] == [
        ("k", b"k", "of k", 1),
        ("p.1", b"1", "of 1", 0),
        ("p.2", b"2", "of 2", 0),
    ]


def test_a_tar_under_one_key_is_read_row_by_row(tmp_path):
    members = [(f"photo.{i}.{ending}", bytes(1000)) for i in range(2000) for ending in ("jpg", "caption")]
    (split,) = plan([str(write_tar(tmp_path / "a.tar", members))], NONE, 1000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(split, NONE)) == 2000
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()


def test_images_that_are_not_decoded_are_failures_of_a_tar(tmp_path):
    members = [("a.NEF", b"raw"), ("a.txt", b"x"), ("b.jfif", b"image"), ("b.txt", b"y")]
    raw, read_one = rows_of(write_tar(tmp_path / "a.tar", members))
    assert (raw.reason, "a.NEF" in raw.message) == ("unsupported", True)
    assert (read_one.key, read_one.data) == ("b", b"image")


@pytest.mark.parametrize("order", ["together", "halves"])
def test_image_that_lies_in_a_tar_twice_is_no_row_and_does_not_vanish(tmp_path, order):
    first, second, other = [("a.jpg", b"1"), ("a.txt", b"x")], [("a.jpg", b"2"), ("a.txt", b"y")], [("b.jpg", b"3")]
    members = {
        "together": [*first, *second, *other, ("b.txt", b"z")],
        "halves": [first[0], *other, second[0], first[1], ("b.txt", b"z")],
    }[order]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    assert sorted(reasons(rows)) == ["duplicate_key", "ok", "ok"]
    assert {(row.key, row.caption, row.data) for row in rows if isinstance(row, Sample)} == {
        ("a", "x", b"1"),
        ("b", "z", b"3"),
    }
