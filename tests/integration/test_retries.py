"""Augment over inputs that change, and failures that pass."""

import re
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.job import Ledger
from tests.fixtures.pictures import (
    assert_complete,
    assert_same_rows,
    augment,
    captioned,
    contents,
    original,
    people,
    picture,
    rows,
    success,
    write_tar,
)
from tests.fixtures.shards import first_version, restate


def list_of_images(folder: Path, present: set[str]) -> Path:
    """A list of images, those that are present beside it; and rows that fail whatever is there."""
    images = {
        "p0.jpg": picture("astronaut"),
        "p1.jpg": picture("admiral"),
        "coffee.jpg": picture("coffee"),
        "p2.jpg": picture("astronaut", shift=9),
        "cat.jpg": picture("chelsea"),
        "p3.jpg": picture("admiral", shift=9),
        "broken.jpg": picture("admiral")[:3000],
        "p4.jpg": picture("astronaut", shift=15),
    }
    folder.mkdir(exist_ok=True)
    for name in present & images.keys():
        (folder / name).write_bytes(images[name])
    lines = ["url,caption,key"]
    for name in images:
        lines.append(f"{name},a photo,{name[:-4]}")
        lines.append(f",a photo without an image,{name[:-4]}")  # fails under a key that a good row has too
    lines.insert(5, "p1.jpg,a second row of one key,p1")
    lines.append("p0.jpg,,wordless")
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


ALL = {"p0.jpg", "p1.jpg", "coffee.jpg", "p2.jpg", "cat.jpg", "p3.jpg", "broken.jpg", "p4.jpg"}


@pytest.mark.parametrize("keep", [(), ("--keep-faceless",)])
@pytest.mark.parametrize("rows_per_task", ["100", "5"])
def test_a_retry_of_what_failed_is_merged_as_if_nothing_had_happened(tmp_path, rows_per_task, keep):
    options = ["--rows-per-task", rows_per_task, "--max-failures", "100%", *keep]
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg", "cat.jpg", "p4.jpg", "broken.jpg"})
    assert augment(path, tmp_path / "out", *options) == 0
    assert success(tmp_path / "out")["reasons"] == {
        "duplicate_key": 1, "fetch_404": 4, "no_caption": 1, "no_image": 8
    }  # fmt: skip
    list_of_images(tmp_path / "in", ALL)
    assert augment(path, tmp_path / "out", *options, "--retry-failed", "fetch_404") == 0
    assert augment(path, tmp_path / "undisturbed", *options) == 0
    assert_complete(tmp_path / "out")
    assert_complete(tmp_path / "undisturbed")
    assert_same_rows(rows(tmp_path / "out"), rows(tmp_path / "undisturbed"))
    assert rows(tmp_path / "out", "failures") == rows(tmp_path / "undisturbed", "failures")
    for name in ("ledger", "reasons", "tasks"):
        assert success(tmp_path / "out")[name] == success(tmp_path / "undisturbed")[name]
    assert success(tmp_path / "out")["totals"]["faces"] == success(tmp_path / "undisturbed")["totals"]["faces"]
    assert success(tmp_path / "out")["ledger"] == asdict(
        Ledger(read=18, written=7, failed=11) if keep else Ledger(read=18, written=5, no_face=2, failed=11)
    )
    assert success(tmp_path / "out")["reasons"]["truncated"] == 1


def test_a_retry_brings_the_rows_of_an_earlier_version_under_todays_schema(tmp_path):
    options = ["--max-failures", "100%", "--keep-faceless"]
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", *options) == 0
    (shard,) = (tmp_path / "out" / "shards").iterdir()
    pq.write_table(first_version(pq.read_table(shard)), shard)
    restate(tmp_path / "out", shard)
    list_of_images(tmp_path / "in", ALL)
    assert augment(path, tmp_path / "out", *options, "--retry-failed", "fetch_404") == 0
    assert augment(path, tmp_path / "undisturbed", *options) == 0
    assert_complete(tmp_path / "out")
    assert_same_rows(rows(tmp_path / "out"), rows(tmp_path / "undisturbed"))
    schemas = [pq.read_schema(*(tmp_path / name / "shards").iterdir()) for name in ("out", "undisturbed")]
    assert schemas[0].equals(schemas[1], check_metadata=True)


def test_a_retry_that_fails_again_stays_as_it_is(tmp_path):
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    expected = rows(tmp_path / "out"), rows(tmp_path / "out", "failures"), success(tmp_path / "out")["ledger"]
    for _ in range(2):
        assert augment(path, tmp_path / "out", "--max-failures", "100%", "--retry-failed", "fetch_404") == 0
        assert_complete(tmp_path / "out")
        found = rows(tmp_path / "out"), rows(tmp_path / "out", "failures"), success(tmp_path / "out")["ledger"]
        assert found == expected


def test_kept_rows_of_a_retry_are_not_computed_again(tmp_path):
    """Not even read: their images may be gone by now."""
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    before = rows(tmp_path / "out")
    for name in ALL:
        (tmp_path / "in" / name).unlink(missing_ok=True)
    list_of_images(tmp_path / "in", {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%", "--retry-failed", "fetch_404") == 0
    after = rows(tmp_path / "out")
    assert [row["key"] for row in after] == ["p0", "p1", "p2", "p3", "p4"]
    assert [row for row in after if row["key"] != "p1"] == before
    assert success(tmp_path / "out")["ledger"]["no_face"] == 2


def test_a_retry_over_a_list_whose_rows_changed_places_loses_nothing_unseen(tmp_path, capsys):
    """The list has its old size and other rows: what was written does not fit it any more."""
    path = list_of_images(tmp_path / "in", ALL - {"p1.jpg"})
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    before = contents(tmp_path / "out")
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(lines)]) + "\n")
    capsys.readouterr()
    assert augment(path, tmp_path / "out", "--max-failures", "100%", "--retry-failed", "fetch_404") == 2
    assert "list.csv has changed since its task" in capsys.readouterr().err
    after = contents(tmp_path / "out")
    assert {k: v for k, v in before.items() if k != "_SUCCESS"} == {k: v for k, v in after.items() if k != "_SUCCESS"}


def spoil_tar(whole: bytes) -> bytes:
    return whole[: len(whole) * 2 // 3]


def spoil_footer(whole: bytes) -> bytes:
    return whole[:-200]


def write_parquet(path: Path) -> Path:
    table = pa.table(
        {"image": [data for _, data in people(6)], "caption": ["a photo"] * 6, "key": [name for name, _ in people(6)]}
    )
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_an_input_that_was_mended_is_taken_up(tmp_path, capsys, kind):
    whole, spoil = {
        "tar": (lambda: write_tar(tmp_path / "a.tar", captioned(people(6))).read_bytes(), spoil_tar),
        "parquet": (lambda: write_parquet(tmp_path / "a.parquet").read_bytes(), spoil_footer),
    }[kind]
    other = write_tar(tmp_path / "other.tar", captioned(people(2, first=20)))
    path = tmp_path / f"a.{kind}"
    data = whole()
    path.write_bytes(spoil(data))
    options = ["--max-failures", "100%", "--rows-per-task", "4"]
    assert augment([path, other], tmp_path / "out", *options) == 1  # nobody can tell how many rows were lost
    assert success(tmp_path / "out")["reasons"] == {"unreadable_input": 1}
    assert_complete(tmp_path / "out")
    # Nothing was mended yet: nothing changes
    before = rows(tmp_path / "out")
    assert augment([path, other], tmp_path / "out", *options, "--retry-failed", "unreadable_input") == 1
    assert rows(tmp_path / "out") == before
    path.write_bytes(data)
    capsys.readouterr()
    assert augment([path, other], tmp_path / "out", *options) == 2
    assert "has changed since its task" in capsys.readouterr().err
    assert augment([path, other], tmp_path / "out", *options, "--retry-failed", "unreadable_input") == 0
    assert augment([path, other], tmp_path / "undisturbed", *options) == 0
    assert_complete(tmp_path / "out")
    # Files that took the place of others are called so.
    names = {re.sub(r"\.\d+\.parquet$", ".parquet", name) for name in contents(tmp_path / "out")}
    assert names == contents(tmp_path / "undisturbed").keys()
    assert rows(tmp_path / "out") == rows(tmp_path / "undisturbed")
    assert len(rows(tmp_path / "out")) == 8
    assert success(tmp_path / "out")["ledger"] == success(tmp_path / "undisturbed")["ledger"]


def test_a_malformed_record_is_a_failed_row_that_can_be_mended(tmp_path):
    path = list_of_images(tmp_path / "in", ALL)
    whole, output = path.read_text(), tmp_path / "out"
    path.write_text(whole.replace("p1.jpg,a photo", 'p1.jpg,"a photo'))
    options = ["--max-failures", "100%"]
    assert augment(path, output, *options) == 0
    assert success(output)["reasons"]["malformed"] == 1
    path.write_text(whole)
    assert augment(path, output, *options) == 2
    assert augment(path, output, *options, "--retry-failed", "malformed") == 0
    assert augment(path, tmp_path / "undisturbed", *options) == 0
    assert_complete(output)
    assert rows(output) == rows(tmp_path / "undisturbed")


def test_an_input_that_changed_or_was_cut_otherwise_is_refused_by_the_job(tmp_path, capsys):
    path = list_of_images(tmp_path / "in", ALL)
    options = ["--rows-per-task", "5", "--max-failures", "100%"]
    assert augment(path, tmp_path / "out", *options) == 0
    before = contents(tmp_path / "out")
    text = path.read_text()
    for changed in (
        text + "p0.jpg,one more,last\n",
        text.replace("a photo,p0", "a photograph,p0"),
        text[: len(text) // 2],
    ):
        path.write_text(changed)
        capsys.readouterr()
        assert augment(path, tmp_path / "out", *options) == 2
        error = capsys.readouterr().err
        assert "list.csv has changed since its task" in error
        assert error.count("\n") == 1
    path.write_text(text)
    assert augment(path, tmp_path / "out", "--rows-per-task", "6", "--max-failures", "100%") == 2
    assert "rows_per_task: 5 there, 6 asked for" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before
    assert augment(path, tmp_path / "out", *options) == 0


def test_a_new_file_under_a_pattern_is_added(tmp_path):
    write_tar(tmp_path / "a.tar", captioned(people(2)))
    assert augment(tmp_path / "*.tar", tmp_path / "out") == 0
    before = {k: v for k, v in contents(tmp_path / "out").items() if k not in ("_SUCCESS", "report.html", "README.md")}
    write_tar(tmp_path / "b.tar", captioned([("coffee.png", original("coffee")), *people(1, first=5)]))
    assert augment(tmp_path / "*.tar", tmp_path / "out") == 0
    assert before.items() <= contents(tmp_path / "out").items()
    assert_complete(tmp_path / "out")
    assert success(tmp_path / "out")["ledger"] == asdict(Ledger(read=4, written=3, no_face=1))


def test_what_was_not_allowed_is_read_once_it_is(tmp_path):
    path = list_of_images(tmp_path / "lists", set())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "p.jpg").write_bytes(picture("astronaut"))
    path.write_text(f"url,caption\n{tmp_path}/photos/p.jpg,a photo\n../photos/p.jpg,a photo\n")
    assert augment(path, tmp_path / "out", "--max-failures", "100%") == 0
    failed = rows(tmp_path / "out", "failures")
    assert [row["reason"] for row in failed] == ["not_allowed"] * 2
    assert all(f"--allow file://{tmp_path}/photos/" in row["message"] for row in failed)
    # Nothing of the configuration: the same output takes it.
    options = ["--retry-failed", "not_allowed", "--allow", f"file://{tmp_path}/photos/"]
    assert augment(path, tmp_path / "out", *options) == 0
    assert len(rows(tmp_path / "out")) == 2
    assert_complete(tmp_path / "out")


def test_what_cannot_be_allowed_is_refused_before_anything_is_read(tmp_path, capsys):
    assert augment(tmp_path / "gone.csv", tmp_path / "out", "--allow", "photos/") == 2
    assert "--allow photos/" in capsys.readouterr().err
