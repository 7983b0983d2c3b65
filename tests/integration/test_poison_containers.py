"""Every kind of broken image in every kind of container: the right reason, and the neighbours untouched."""

import csv
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.augmentation.augmenter import Augmenter, Outcome
from face0.augmentation.screening import checked
from face0.images.formats import IMAGE_EXTENSIONS
from face0.readers import planning
from face0.readers.samples import Columns
from face0.shards.rows import FaceRow
from face0.tasks.outcomes import NoFace
from schemas.failures import Failure, Reason, Stage
from tests.fixtures.pictures import assert_complete, augment, people, rows, success, write_tar
from tests.fixtures.poison import CASES, Poison

EVERY = 5  # a good neighbour comes before so many broken ones


@dataclass(frozen=True, kw_only=True)
class Row:
    key: str
    data: bytes
    caption: str | None = "a photo"
    ending: str = "jpg"

    @property
    def file_name(self) -> str:
        return f"{self.key}.{self.ending}"


# --- The containers, each written by the layout that others write


def tar(folder: Path, content: list[Row]) -> Path:
    members = []
    for row in content:
        members.append((row.file_name, row.data))
        if row.caption is not None:
            members.append((f"{row.key}.txt", row.caption.encode()))
    return write_tar(folder / "a.tar", members)


def table(content: list[Row], **columns: pa.Array) -> pa.Table:
    texts = {name: pa.array([getattr(row, name) for row in content], pa.string()) for name in ("key", "caption")}
    return pa.table({**texts, **columns})


def parquet_binary(folder: Path, content: list[Row]) -> Path:
    images = pa.array([row.data for row in content], pa.binary())
    pq.write_table(table(content, jpg=images), folder / "a.parquet", row_group_size=7)
    return folder / "a.parquet"


def parquet_struct(folder: Path, content: list[Row]) -> Path:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": row.data, "path": row.file_name} for row in content], kind)
    pq.write_table(table(content, image=images), folder / "a.parquet", row_group_size=7)
    return folder / "a.parquet"


def write_files(folder: Path, content: list[Row]) -> Path:
    folder.mkdir()
    for row in content:
        (folder / row.file_name).write_bytes(row.data)
    return folder


def sidecars(folder: Path, content: list[Row]) -> Path:
    path = write_files(folder / "images", content)
    for row in content:
        if row.caption is not None:
            (path / f"{row.key}.txt").write_text(row.caption)
    return path


def metadata(folder: Path, content: list[Row]) -> Path:
    path = write_files(folder / "images", content)
    records = [{"file_name": row.file_name, "text": row.caption, "key": row.key} for row in content]
    (path / "metadata.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def csv_list(folder: Path, content: list[Row]) -> Path:
    write_files(folder / "images", content)
    with open(folder / "a.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["URL", "TEXT", "key"])
        writer.writerows([f"images/{row.file_name}", row.caption or "", row.key] for row in content)
    return folder / "a.csv"


def parquet_list(folder: Path, content: list[Row]) -> Path:
    path = write_files(folder / "images", content)
    urls = pa.array([str(path / row.file_name) for row in content])
    pq.write_table(table(content, url=urls), folder / "a.parquet", row_group_size=7)
    return folder / "a.parquet"


CONTAINERS = [tar, parquet_binary, parquet_struct, sidecars, metadata, csv_list, parquet_list]
Container = Callable[[Path, list[Row]], Path]
every_container = pytest.mark.parametrize("container", CONTAINERS, ids=lambda function: function.__name__)


def outcomes(augmenter: Augmenter, path: Path) -> list[Outcome]:
    """What the job makes of a container: plan, read, check, look."""
    return [
        outcome
        for split in planning.plan([str(path)], Columns(), 40)
        for outcome in augmenter.outcomes(checked(planning.read(split, Columns()), Counter()))
    ]


def key(outcome: Outcome) -> str | None:
    return outcome.key if isinstance(outcome, FaceRow | Failure) else None


def reasons(found: list[Outcome]) -> list[str]:
    return [str(o.reason) if isinstance(o, Failure) else type(o).__name__ for o in found]


# --- All of them


def good() -> list[Row]:
    """Named so that they come between the others where names are sorted, too."""
    steps = range(0, len(CASES), EVERY)
    return [Row(key=f"{i:03d}_a_person", data=data) for i, (_, data) in zip(steps, people(len(steps)), strict=True)]


def poisoned() -> dict[str, Poison]:
    return {f"{i:03d}_{case.name}": case for i, case in enumerate(CASES)}


def interleaved() -> list[Row]:
    broken = []
    for name, case in poisoned().items():
        ending = case.file_name.rpartition(".")[2]
        broken.append(Row(key=name, data=case.data, ending=ending if ending in IMAGE_EXTENSIONS else "jpg"))
    return sorted([*good(), *broken], key=lambda row: row.key)


@pytest.fixture(scope="module")
def alone(augmenter: Augmenter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, FaceRow]:
    """The good rows, without the poison."""
    found = outcomes(augmenter, tar(tmp_path_factory.mktemp("alone"), good()))
    assert {type(row) for row in found} == {FaceRow}
    return {row.key: row for row in found if isinstance(row, FaceRow)}


@every_container
def test_every_poison_has_its_reason_and_neighbours_are_untouched(augmenter, tmp_path, container, alone):
    content = interleaved()
    found = outcomes(augmenter, container(tmp_path, content))
    assert len(found) == len(content)
    for row, outcome in zip(content, found, strict=True):
        case = poisoned().get(row.key)
        if case is None:
            assert isinstance(outcome, FaceRow), row.key
            check_equal(outcome, alone[row.key])
        elif case.reason is None:
            assert isinstance(outcome, NoFace), row.key
        else:
            assert isinstance(outcome, Failure), row.key
            assert (outcome.key, outcome.reason, outcome.stage) == (row.key, case.reason, Stage.DECODE)
            assert outcome.message


def check_equal(found: FaceRow, expected: FaceRow) -> None:
    for name in ("key", "caption", "image", "width", "height", "sha256"):
        assert getattr(found, name) == getattr(expected, name)
    assert np.allclose(found.faces.boxes, expected.faces.boxes, atol=0.01)
    assert np.allclose(found.faces.landmarks, expected.faces.landmarks, atol=0.01)
    assert np.allclose(found.faces.scores, expected.faces.scores, atol=1e-4)
    # Batches are cut otherwise, which moves last bits
    assert np.allclose(found.embeddings, expected.embeddings, rtol=0, atol=1e-4 * np.abs(expected.embeddings).max())


def test_a_whole_job_accounts_for_every_poison(tmp_path):
    path = tar(tmp_path, interleaved())
    assert augment(path, tmp_path / "out", "--max-failures", "100%", "--keep-faceless") == 0
    assert_complete(tmp_path / "out")
    expected = Counter(str(case.reason) for case in CASES if case.reason is not None)
    assert success(tmp_path / "out")["reasons"] == dict(sorted(expected.items()))
    failed = {row["key"]: row["reason"] for row in rows(tmp_path / "out", "failures")}
    assert failed == {name: case.reason for name, case in poisoned().items() if case.reason is not None}
    written = {row["key"] for row in rows(tmp_path / "out")}
    assert written == {row.key for row in interleaved()} - failed.keys()
    assert success(tmp_path / "out")["totals"]["faces"] == len(good())


# --- What is wrong with a row, rather than with its image


@every_container
@pytest.mark.parametrize("caption", [None, "", " \n\t"])
def test_an_image_without_a_caption_fails(augmenter, tmp_path, container, caption):
    (one, first), (two, second) = people(2)
    content = [Row(key=one, data=first), Row(key="wordless", data=first, caption=caption), Row(key=two, data=second)]
    found = outcomes(augmenter, container(tmp_path, content))
    by_key = dict(zip(map(key, found), reasons(found), strict=True))
    assert by_key == {one: "FaceRow", "wordless": "no_caption", two: "FaceRow"}


@pytest.mark.parametrize(
    "container", [c for c in CONTAINERS if c.__name__.startswith("parquet") or c in (csv_list, metadata)]
)
def test_a_second_row_of_one_key_fails_and_the_first_stays(augmenter, tmp_path, container):
    (_, first), (_, second) = people(2)
    content = [
        Row(key="a", data=first),
        Row(key="a", data=second, ending="png"),
        Row(key="b", data=second),
        Row(key="a", data=second, ending="webp"),
    ]
    found = outcomes(augmenter, container(tmp_path, content))
    assert list(map(key, found)) == ["a", "a", "b", "a"]
    assert reasons(found) == ["FaceRow", "duplicate_key", "FaceRow", "duplicate_key"]
    assert isinstance(found[0], FaceRow)
    assert found[0].image == first


def test_a_second_image_of_one_name_is_no_row_of_a_folder(augmenter, tmp_path):
    (_, first), (_, second) = people(2)
    path = sidecars(tmp_path, [Row(key="a", data=first), Row(key="a", data=second, ending="png")])
    found = outcomes(augmenter, path)
    assert reasons(found) == ["FaceRow"]
    assert isinstance(found[0], FaceRow)
    assert found[0].image == first


def test_a_second_row_of_one_key_fails_in_a_tar(augmenter, tmp_path):
    """Far from the first; beside it is a second image, and no row."""
    (_, first), (_, second) = people(2)
    members = [("a.jpg", first), ("a.png", second), ("a.txt", b"one"), ("b.jpg", second), ("b.txt", b"two")]
    path = write_tar(tmp_path / "a.tar", [*members, ("a.jpg", second), ("a.txt", b"three")])
    found = outcomes(augmenter, path)
    assert list(map(key, found)) == ["a", "b", "a"]
    assert reasons(found) == ["FaceRow", "FaceRow", "duplicate_key"]
    assert isinstance(found[0], FaceRow)
    assert (found[0].image, found[0].caption) == (first, "one")


ODD = [
    "with spaces  twice",
    "a trailing space ",
    "ünïcödé",
    "名前 写真",
    "cafe\u0301",  # not composed
    "👩‍🚀",
    "number#sign#",
    "per%cent%20%41%",
    "star*and[bracket]?",
    "quote'and\"",
    "semi;colon,comma&and=plus+",
    "chain::of::colons",
    "file:name",
    "back\\slash",
    "dots.in.it",
    "~tilde",
    "$HOME `x` {brace}",
    "new\nline",
    "-dash",
    "a" * 200,
]


@every_container
def test_names_may_hold_odd_characters(augmenter, tmp_path, container):
    content = [Row(key=name, data=data) for name, (_, data) in zip(ODD, people(len(ODD)), strict=True)]
    found = outcomes(augmenter, container(tmp_path, content))
    assert [o for o in found if isinstance(o, Failure)] == []
    assert {row.key: row.image for row in found} == {row.key: row.data for row in content}


def test_names_that_are_no_unicode_are_mended(augmenter, tmp_path):
    """Tars and file systems hold bytes."""
    (_, data), (_, other) = people(2)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        for name, content in (("caf\xe9.jpg", data), ("caf\xe9.txt", b"a photo"), ("b.jpg", other), ("b.txt", b"b")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    found = outcomes(augmenter, path)
    assert reasons(found) == ["FaceRow", "FaceRow"]
    assert key(found[0]) == "caf\ufffd"
    # Such a key can be stored
    assert augment(path, tmp_path / "out") == 0
    assert [row["key"] for row in rows(tmp_path / "out")] == ["caf\ufffd", "b"]


@pytest.mark.parametrize("container", [tar, sidecars])
def test_odd_names_pass_through_a_whole_job(tmp_path, container):
    names = ODD[:4] + ODD[6:9] + ["chain::of::colons", "new\nline"]
    content = [Row(key=name, data=data) for name, (_, data) in zip(names, people(len(names)), strict=True)]
    folder = tmp_path / "in [1] #100% of::it *"
    folder.mkdir()
    path = container(folder, content)
    assert augment(path, tmp_path / "out #1 %41") == 0
    assert_complete(tmp_path / "out #1 %41")
    assert {row["key"] for row in rows(tmp_path / "out #1 %41")} == set(names)


def test_a_file_that_is_no_container_at_all_fails_as_one_row(augmenter, tmp_path):
    for name in ("a.tar", "b.parquet", "c.tar.gz"):
        (tmp_path / name).write_bytes(b"not what its name says")
        (found,) = outcomes(augmenter, tmp_path / name)
        assert isinstance(found, Failure)
        assert (found.reason, found.stage) == (Reason.UNREADABLE_INPUT, Stage.READ)
