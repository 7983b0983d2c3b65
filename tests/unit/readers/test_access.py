"""What lists and links may name: nothing but the web and their own folder, whatever the spelling."""

import os
import unicodedata
from pathlib import Path

import fsspec
import pytest

from face0.errors import UsageError
from face0.readers.access import NOTHING_MORE, Access, NoFile, NotAllowed
from face0.readers.uris import resolve


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with an image in it, and a secret beside it."""
    (tmp_path / "photos" / "x").mkdir(parents=True)
    (tmp_path / "photos" / "x" / "a.jpg").write_bytes(b"image")
    (tmp_path / "photos-private").mkdir()
    (tmp_path / "photos-private" / "a.jpg").write_bytes(b"private")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "photos"


def read(reference: str, folder: Path | str, access: Access = NOTHING_MORE) -> bytes:
    with access.open(resolve(reference, str(folder)), str(folder)) as file:
        return file.read()


def test_files_below_the_folder_are_read(folder):
    os.symlink(folder / "x" / "a.jpg", folder / "link.jpg")
    os.symlink(folder / "x", folder / "y")
    references = ["x/a.jpg", "./x/a.jpg", "x/../x/a.jpg", "link.jpg", "y/a.jpg", f"{folder}/x/a.jpg"]
    for reference in [*references, f"file://{folder}/x/a.jpg", f"LOCAL://{folder}/x/a.jpg"]:
        assert read(reference, folder) == b"image", reference


def test_a_folder_that_is_a_link_is_a_folder(folder):
    os.symlink(folder, folder.parent / "named")
    assert read("x/a.jpg", folder.parent / "named") == b"image"
    with pytest.raises(NotAllowed):
        read("../secret", folder.parent / "named")


REFUSED = [
    "../secret",
    "x/../../secret",
    "../photos-private/a.jpg",
    "{parent}/secret",
    "file://{parent}/secret",
    "local://{parent}/secret",
    "FILE://{parent}/secret",
    "file://secret",
    "file:///{parent}/photos/../secret",
    "%2e%2e/secret",
    "%252e%252e%252fsecret",
    "..%2fsecret",
    "..\\secret",
    "x\\..\\..\\secret",
    "%5c..%5csecret",
    "%2f{parent}/secret",
    "\\etc\\hostname",
    "file%3a//{parent}/secret",
    "simplecache::file://{parent}/secret",
    "filecache::{parent}/secret",
    "zip://a.jpg::file://{parent}/secret",
    "zip://a.jpg::{parent}/secret",
    "dir://secret::file://{parent}",
    "dir://{parent}/secret",
    "reference://{parent}/secret",
    "asynclocal://{parent}/secret",
    "tar://a.jpg",
    "memory://a.jpg",
    "s3://bucket/a.jpg",
    "gs://bucket/a.jpg",
    "ftp://host/a.jpg",
    "sftp://host/a.jpg",
    "github://owner:repository@/a.jpg",
    "/proc/self/environ",
    "/dev/fd/0",
]


@pytest.mark.parametrize("reference", REFUSED)
def test_what_lies_elsewhere_is_refused(folder, reference):
    with pytest.raises(NotAllowed) as refusal:
        read(reference.format(parent=folder.parent), folder)
    assert "secret" not in str(refusal.value).replace(str(folder.parent), "")


@pytest.mark.parametrize("home", ["/data", "s3://bucket"])
def test_a_name_that_is_encoded_again_and_again_is_refused_at_once(home):
    with pytest.raises(NotAllowed, match="encoded"):
        read("%" + "25" * 20 + "2e", home)


def test_links_out_of_the_folder_are_refused(folder):
    os.symlink(folder.parent / "secret", folder / "link.jpg")
    os.symlink(folder.parent, folder / "up")
    for reference in ("link.jpg", "up/secret", "up/photos-private/a.jpg"):
        with pytest.raises(NotAllowed, match=f"--allow file://{folder.parent}"):
            read(reference, folder)
    assert read("up/photos/x/a.jpg", folder) == b"image"


def test_what_is_no_file_is_not_opened(folder):
    os.mkfifo(folder / "pipe.jpg")
    os.symlink(folder / "pipe.jpg", folder / "link.jpg")
    for reference in ("pipe.jpg", "link.jpg"):
        with pytest.raises(NoFile):
            read(reference, folder)
    with pytest.raises(NoFile):
        read("/dev/zero", folder, Access.of(["file"]))
    with pytest.raises(IsADirectoryError):
        read("x", folder)
    with pytest.raises(NotAllowed):  # it says that it is a regular file
        read("/proc/self/environ", folder, Access.of(["file", "file:///proc/"]))
    os.symlink("/proc/self/environ", folder / "environ.jpg")
    with pytest.raises(NotAllowed):
        read("environ.jpg", folder, Access.of(["file"]))


@pytest.mark.parametrize("value", ["file", "local", "file://{0}", "file://{0}/", "local://{0}/", "{0}", "{0}/secret"])
def test_allowed_files_are_read(folder, value):
    access = Access.of([value.format(folder.parent)])
    assert read("../secret", folder, access) == b"secret"
    assert read(f"file://{folder.parent}/secret", folder, access) == b"secret"
    os.symlink(folder.parent / "secret", folder / "link.jpg")
    assert read("link.jpg", folder, access) == b"secret"


def test_a_folder_that_is_allowed_ends_at_its_name(folder):
    access = Access.of([f"file://{folder.parent}/photos-priv", f"{folder}"])
    with pytest.raises(NotAllowed):
        read("../photos-private/a.jpg", folder, access)
    with pytest.raises(NotAllowed):
        read("../secret", folder, Access.of([f"{folder.parent}/photos-private"]))


@pytest.mark.parametrize("home", ["https://host/lists", "s3://bucket/lists", "memory://lists"])
def test_a_list_from_elsewhere_names_no_local_file_even_if_one_is_allowed(folder, home):
    for reference in ("{0}/secret", "file://{0}/secret", "local://{0}/secret"):
        uri = resolve(reference.format(folder.parent), home)
        for access in (NOTHING_MORE, Access.of(["file", f"file://{folder.parent}"])):
            with pytest.raises(NotAllowed, match="this machine"):
                access.open(uri, home)


def test_other_file_systems():
    for name in ("lists/x/a.jpg", "lists/x::memory://private/a.jpg", "private/a.jpg", "lists-private/a.jpg"):
        with fsspec.open("memory://access/b.jpg", "wb"):
            pass
        fs = fsspec.filesystem("memory")
        fs.pipe_file(f"/access/{name}", name.encode())
    home = "memory:///access/lists"
    assert read("x/a.jpg", home) == b"lists/x/a.jpg"
    # A name with a chain in it is a name.
    assert read("x::memory://private/a.jpg", home) == b"lists/x::memory://private/a.jpg"
    for reference in (
        "../private/a.jpg",
        "%2e%2e/private/a.jpg",
        "..\\private\\a.jpg",
        "memory:///access/private/a.jpg",
    ):
        with pytest.raises(NotAllowed):
            read(reference, home)
    private = "memory:///access/private/a.jpg"
    assert read(private, home, Access.of(["memory"])) == b"private/a.jpg"
    assert read(private, home, Access.of(["memory:///access/private/"])) == b"private/a.jpg"
    lists = Access.of(["memory:///access/lists"])
    for reference in ("memory:///access/lists-private/a.jpg", "memory:///access/lists/../private/a.jpg"):
        with pytest.raises(NotAllowed):
            read(reference, "/data", lists)
    with pytest.raises(NotAllowed):
        read("simplecache::memory:///access/private/a.jpg", "/data", Access.of(["memory"]))


def test_the_remedy_is_named():
    with pytest.raises(NotAllowed, match="--allow sftp permits it"):
        NOTHING_MORE.open("sftp://me:password@host/a.jpg", "/data")
    with pytest.raises(NotAllowed, match="--allow s3://bucket/ permits it"):
        NOTHING_MORE.open("s3://bucket/photos/a.jpg?versionId=1", "/data")


@pytest.mark.parametrize(
    "value",
    [
        "nosuch",
        "nosuch://a",
        "zip",
        "simplecache::s3://bucket/",
        "dir://a",
        "photos/",
        "../photos",
        "file://photos",
        "http://host/folder/",
        "http://10.0.0.1/8",
        "http://:80/",
        "",
    ],
)
def test_what_cannot_be_allowed(value):
    with pytest.raises(UsageError, match="--allow"):
        Access.of([value])


@pytest.mark.parametrize(("on_disk", "in_list"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_file_is_found_in_either_unicode_form(tmp_path, on_disk, in_list):
    (tmp_path / unicodedata.normalize(on_disk, "jos\u00e9.jpg")).write_bytes(b"image")
    name = unicodedata.normalize(in_list, "jos\u00e9.jpg")
    with NOTHING_MORE.open(f"{tmp_path}/{name}", str(tmp_path)) as file:
        assert file.read() == b"image"
