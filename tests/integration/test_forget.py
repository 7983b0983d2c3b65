"""Forget: a person goes from everything that is named, nobody else does, and the books still balance."""

import hashlib
import io
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from face0.embedders.identity import identity_of
from face0.errors import UsageError
from face0.faces.bank import read_bank, write_bank
from face0.generation.results import open_results
from face0.io import storage
from face0.privacy import forgetting
from face0.privacy.forgetting import Findings, forget, look_for
from face0.privacy.locations import classify
from face0.privacy.people import Subjects, subjects_of
from face0.reports.augmentation import page as augmentation_page
from face0.reports.augmentation import sample as augmentation_sample
from face0.reports.augmentation.page import write_augmentation
from face0.tasks import task_output
from face0.tasks.output_folder import OutputFolder
from jobs.forget import as_text, main
from jobs.main import main as face0
from schemas.face_bank import Kind
from tests.fixtures import holdings
from tests.fixtures.holdings import (
    ANNA,
    BANKS,
    BOB,
    CORA,
    DIM,
    EMBEDDER,
    MANY,
    RECORDS,
    STATS,
    TABLES,
    World,
    bank,
    build,
    commit_shard,
    digest,
    face,
    like,
    request,
)
from tests.fixtures.pictures import (
    assert_complete,
    augment,
    captioned,
    contents,
    original,
    rows,
    stats,
    success,
    write_tar,
)
from tests.fixtures.reads import counted_reads

# What is Anna's: a1 and a2 show her, group shows her behind Bob; Cora's image has come out like her; mix is made of her
# and liked of an image of mix.
ROWS = {"a1", "a2", "group"}
IMAGES = {request(name) for name in ("anna", "cora", "mix", "liked")}
REQUESTED = IMAGES | {request("anna failed")}


class Killed(BaseException):
    """Ends a run as a signal does: nothing catches it."""


def wanted(world: World, threshold: float = 0.8, uri: str | None = None) -> Subjects:
    uri = uri or world.wanted
    people = read_bank(uri)
    return subjects_of(uri, people, threshold, identity_of(people.embedder))


def find(world: World, threshold: float = 0.8, wanted_bank: str | None = None) -> Findings:
    return look_for(wanted(world, threshold, wanted_bank), classify(world.places))


def names(findings: Findings) -> dict[str, set[str]]:
    return {place.uri.rpartition("/")[2]: place.names for place in findings.places}


def command(world: World, *options: str) -> int:
    places = [word for place in world.places for word in ("--in", place)]
    return main(["--faces", world.wanted, "--threshold", "0.8", *places, *options])


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Not to be written to."""
    return build(str(tmp_path_factory.mktemp("untouched")))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(str(tmp_path / "world"))


def assert_gone(world: World) -> None:
    """Anna is in none of the places, and all else is there."""
    assert_complete(world.shards)
    assert {row["key"] for row in rows(world.shards)} == {
        "b1",
        "c1",
        "b2",
        "empty",
        *(f"n{i:03d}" for i in range(MANY)),
    }
    assert set(read_bank(world.people).faces) == {"bob", "cora"}
    assert set(read_bank(world.made).faces) == set()
    assert [row["face_id"] for row in rows(world.renders, "results")] == ["bob"]
    assert {name for name in contents(world.renders) if name.startswith("images/")} == {f"images/{request('bob')}.png"}
    for ledger in (success(world.shards)["ledger"], success(world.renders)["ledger"]):
        assert ledger["read"] == ledger["written"] + ledger["failed"]
    assert success(world.shards)["reasons"] == {"empty": 3, "forgotten": 3}
    assert success(world.renders)["reasons"] == {"forgotten": 4, "out_of_memory": 1}
    assert success(world.shards)["totals"]["faces"] == MANY + 3
    assert success(world.renders)["totals"]["images"] == 1
    # Not a word, a vector or a picture of her is left anywhere: in no column of any file, and not in the report
    for place in (world.shards, world.renders):
        for name, data in contents(place).items():
            values = str(pq.read_table(io.BytesIO(data)).to_pylist()).encode() if name.endswith(".parquet") else data
            for trace in ("a photo of a1", "pixels of a1", "of anna", "of mix", "of liked", "of cora"):
                assert trace.encode() not in values, (name, trace)
    requests = rows(world.renders, "requests")
    assert {row["request_id"] for row in requests if row["vector"] is not None} == {request("bob")}


# --- What is found


def test_a_person_is_found_by_likeness_by_photograph_and_by_what_was_made(untouched):
    before = contents(untouched.root)
    findings = find(untouched)
    assert names(findings) == {
        "shards": ROWS,
        "people.parquet": {"anna"},
        "made.parquet": {"mix", "liked"},
        "renders": REQUESTED,
    }
    why = {found.name: found.why for place in findings.places for found in place.found}
    assert why["a1"] == "similarity 1.000"
    assert why["mix"] == "made from face anna"
    assert why["liked"] == f"made from image {request('mix')}"
    assert why[request("cora")].startswith("the face made: similarity 0.98")
    assert why[request("anna failed")].startswith("the face asked for: similarity 0.99")
    assert contents(untouched.root) == before


def test_a_higher_threshold_finds_less_but_her_own_photographs_always(untouched, tmp_path):
    assert names(find(untouched, 0.99))["shards"] == {"a1"}
    # Her photograph, by its digest, though the vector in the bank is far from the one in the shard
    photograph = {"uri": "anna.jpg", "sha256": digest("a1")}
    far = bank(str(tmp_path / "far.parquet"), face("anna", like((1, ANNA), (1, CORA)), Kind.PHOTOS, [photograph]))
    found = find(untouched, 0.95, far)
    assert names(found)["shards"] == {"a1"}
    assert found.places[0].found[0].why == "the same photograph"
    assert "anna" in names(found)["people.parquet"]  # made of that photograph


def test_a_face_of_a_group_takes_the_row_but_not_the_face_made_of_the_largest(tmp_path):
    world = build(str(tmp_path))
    group = {"key": "group", "source": "in/t0.tar#group.jpg", "sha256": digest("group")}
    bank(world.people, face("bob", BOB, Kind.SHARD, [group]))
    assert "group" in names(find(world))["shards"]
    assert names(find(world))["people.parquet"] == set()
    wanted = bank(str(tmp_path / "bob.parquet"), face("bob", BOB, Kind.SHARD, []))
    bank(world.people, face("stranger", CORA, Kind.SHARD, [group]))
    assert names(find(world, wanted_bank=wanted))["people.parquet"] == {"stranger"}


def test_nobody_is_found_where_nobody_is(untouched, tmp_path):
    dora = bank(str(tmp_path / "dora.parquet"), face("dora", -ANNA, Kind.RANDOM, []))
    assert not any(names(find(untouched, 0.5, dora)).values())


def test_each_file_is_read_once(untouched):
    people = wanted(untouched)
    with counted_reads(untouched.root) as reads:
        look_for(people, classify(untouched.places))
    failures = [f"shards/failures/t{i}.parquet" for i in range(3)]  # whose names may hold content
    assert reads == Counter([*RECORDS, *STATS, *TABLES, *BANKS, *failures])


# --- What goes


def test_a_person_goes_and_nobody_else_does(root):
    world = build(root)
    before = contents(root)
    forget(find(world))
    assert_gone(world)
    after = contents(root)
    touched = {name for name in before if before[name] != after.get(name)}
    tables = {f"{table}/{task}.parquet" for table in ("shards", "failures") for task in ("t0", "t1")}
    results = {f"renders/{table}/abc-{i:05d}" for table in ("results", "failures") for i in (0, 1)}
    assert touched == {
        *(f"shards/{name}" for name in tables),
        *(f"shards/stats/{task}.json" for task in ("t0", "t1")),
        *(f"{name}.parquet" for name in results),
        *(f"renders/stats/abc-{i:05d}.json" for i in (0, 1)),
        *(f"renders/images/{name}.png" for name in IMAGES),
        "shards/_SUCCESS",
        "renders/_SUCCESS",
        "renders/report.html",
        "renders/requests/abc.parquet",
        "people.parquet",
        "made.parquet",
    }
    new = {name.replace(".parquet", ".1.parquet") for name in (*(f"shards/{t}" for t in tables),
           *(f"{name}.parquet" for name in results))}  # fmt: skip
    assert after.keys() - before.keys() == new
    assert not any(names(find(world)).values())


def test_the_report_of_a_sweep_goes_with_its_images(world):
    folder = world.renders.rpartition("/")[0]
    sweep = [f"{folder}/{name}" for name in ("report.html", "summary.json", "measures.parquet")]
    for uri in sweep:
        with fsspec.open(uri, "w") as file:
            file.write("anna")
    findings = find(world)
    (renders,) = [place for place in findings.places if place.kind == "renders"]
    assert "the report of the sweep" in as_text(findings)
    assert len(renders.sweep) == 3
    forget(findings)
    assert not {"report.html", "summary.json", "measures.parquet"} & contents(folder).keys()


def test_the_report_of_shards_is_written_anew(world, monkeypatch):
    monkeypatch.setattr(augmentation_page, "_picture", lambda row: row["key"])  # these images do not decode
    monkeypatch.setattr(augmentation_sample, "PICTURES", 10 * MANY)
    folder, page = OutputFolder(world.shards), Path(f"{world.shards}/report.html")
    write_augmentation(folder, folder.committed())
    before = page.read_text()
    findings = find(world)
    assert "its report, which shows a sample of them, is written anew" in as_text(findings)
    assert page.read_text() == before
    forget(findings)
    assert_gone(world)
    after = page.read_text()
    for key in ROWS:
        assert f"a photo of {key}" in before
        assert f"a photo of {key}" not in after
    assert "a photo of b1" in after
    assert "<td>forgotten</td>" in "".join(after.split("\n"))


def test_a_report_goes_although_the_removal_was_cut_off_before_it(world, monkeypatch):
    folder = OutputFolder(world.shards)
    write_augmentation(folder, folder.committed())
    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "write_augmentation", raise_killed)
        with pytest.raises(Killed):
            forget(find(world))
    forget(find(world))
    assert "forgotten" in Path(f"{world.shards}/report.html").read_text()


def raise_killed(*_: object) -> None:
    raise Killed


def test_rows_that_stay_stay_as_they_were(world):
    before = {row["key"]: row for row in rows(world.shards)}
    file, requests_file = f"{world.shards}/shards/t0.parquet", f"{world.renders}/requests/abc.parquet"
    schema, requests_schema = pq.read_schema(file), pq.read_schema(requests_file)
    people, requests = read_bank(world.people), {row["request_id"]: row for row in rows(world.renders, "requests")}
    forget(find(world))
    assert {row["key"]: row for row in rows(world.shards)} == {k: v for k, v in before.items() if k not in ROWS}
    revised = file.replace(".parquet", ".1.parquet")
    assert pq.read_schema(revised).equals(schema, check_metadata=True)
    cora = read_bank(world.people).faces["cora"]
    assert np.array_equal(cora.vector, people.faces["cora"].vector)
    assert (cora.portrait, cora.provenance) == (people.faces["cora"].portrait, people.faces["cora"].provenance)
    left = rows(world.renders, "requests")
    assert [row["request_id"] for row in left] == list(requests)
    assert left[1] == requests[request("bob")]
    # Of the others: the id, so that they do not count as new, and what is no matter of persons
    for each in left[:1] + left[2:]:
        was = requests[each["request_id"]]
        gone = {"prompt": "", "face_id": "", "label": "", "vector": None, "portrait": None}
        assert each == {**was, **gone, "reason": "forgotten", "message": "removed by face0 forget"}
    opened = pq.ParquetFile(requests_file)
    assert [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)] == [3, 3]
    assert opened.schema_arrow.equals(requests_schema, check_metadata=True)


def test_a_removed_row_is_a_failure_that_tells_its_name_and_no_more(world):
    forget(find(world))
    found = [row for row in rows(world.shards, "failures") if row["reason"] == "forgotten"]
    assert [(row["key"], row["source"], row["stage"]) for row in found] == [
        (key, f"in/{task}.tar#{key}.jpg", "faces") for key, task in (("a1", "t0"), ("group", "t0"), ("a2", "t1"))
    ]
    failed = [row for row in rows(world.renders, "failures") if row["reason"] == "forgotten"]
    assert {row["key"] for row in failed} == IMAGES
    assert {row["source"] for row in failed} == {f"{world.renders}/requests/abc.parquet"}
    assert {row["message"] for row in found + failed} == {"removed by face0 forget"}


def test_content_in_names_of_an_earlier_version_goes_too(tmp_path, monkeypatch):
    """Such an output has data: URIs as sources, of failures too, and in tasks that hold nothing else of the person."""
    photograph = "data:image/jpeg;base64," + "aB3/" * 1000
    uri = f"{tmp_path}/shards"
    monkeypatch.setattr(holdings, "_row", partial(with_source, holdings._row, photograph))
    monkeypatch.setattr(task_output, "kept_source", lambda _: photograph)
    commit_shard(uri, "one", {"a1": [ANNA], "b1": [BOB]})
    commit_shard(uri, "two", {"b2": [BOB]})
    monkeypatch.undo()
    OutputFolder(uri).succeed(["one", "two"])
    assert all(row["source"] == photograph for table in ("shards", "failures") for row in rows(uri, table))
    wanted_bank = bank(f"{tmp_path}/wanted.parquet", face("anna", ANNA, Kind.PHOTOS, []))
    forget(look_for(wanted(None, 0.8, wanted_bank), classify([uri])))
    left = [row for table in ("shards", "failures") for row in rows(uri, table)]
    assert sorted(row["key"] for row in left) == ["a1", "b1", "b2", "bad", "bad"]
    assert not any("aB3/aB3/" in str(row) for row in left)
    assert_complete(uri)
    assert not [path for path in Path(uri).rglob("*") if path.is_file() and b"aB3/aB3/" in path.read_bytes()]


def with_source(make, source, key, _, vectors):
    return make(key, source, vectors)


def test_a_bank_keeps_the_columns_that_others_added(world):
    table = pq.read_table(world.people)
    pq.write_table(table.append_column("hair", [["dark", "grey", "red"]]), world.people)
    forget(find(world))
    assert pq.read_table(world.people).select(["face_id", "hair"]).to_pylist() == [
        {"face_id": "bob", "hair": "grey"},
        {"face_id": "cora", "hair": "red"},
    ]


def test_two_people_one_after_the_other(world, tmp_path):
    forget(find(world))
    bob = bank(str(tmp_path / "bob.parquet"), face("bob", BOB, Kind.RANDOM, []))
    forget(find(world, wanted_bank=bob))
    assert_complete(world.shards)
    assert not {"a1", "b1", "b2", "group"} & {row["key"] for row in rows(world.shards)}
    assert {file["name"] for record in stats(world.shards) for file in record["files"]} >= {
        "shards/t0.2.parquet", "shards/t1.1.parquet", "shards/t2.1.parquet"
    }  # fmt: skip
    assert rows(world.renders, "results") == []
    with pytest.raises(UsageError, match="holds no image"):
        open_results(world.renders).table()


def test_the_bank_of_the_person_goes_last_if_it_is_named_too(world):
    findings = look_for(
        subjects_of(world.people, read_bank(world.people), 0.8, identity_of(EMBEDDER)), classify(world.places)
    )
    assert names(findings)["people.parquet"] == {"anna", "bob", "cora"}
    forget(findings)
    assert read_bank(world.people).faces == {}


def test_only_what_is_rewritten_is_read_again_and_that_once(world):
    people = wanted(world)
    with counted_reads(world.root) as reads:
        findings = look_for(people, classify(world.places))
        looked = reads.copy()
        forget(findings)
    rewritten = ["renders/requests/abc.parquet", *BANKS]
    for folder, table, tasks in (
        ("shards", "shards", ("t0", "t1")),
        ("renders", "results", ("abc-00000", "abc-00001")),
    ):
        rewritten += [f"{folder}/{name}/{task}.parquet" for name in (table, "failures") for task in tasks]
    # The report reads results and failures; no image of the second task is left
    tables = ["results/abc-00000", "failures/abc-00000", "failures/abc-00001"]
    report = [f"renders/{name}.1.parquet" for name in tables]
    assert reads - looked == Counter([*rewritten, *report])
    # A second pass finds what is left by the new files, and the removed rows by the failures that name them
    with counted_reads(world.root) as reads:
        forget(look_for(people, classify(world.places)))
    assert max(reads.values()) == 1


def test_banks_with_faces_of_each_other_lose_them_a_generation_at_a_time(tmp_path):
    world = build(str(tmp_path / "world"))
    one, other = str(tmp_path / "one.parquet"), str(tmp_path / "other.parquet")
    bank(
        one,
        face("anna", ANNA, Kind.PHOTOS, []),
        face("third", BOB, Kind.MIX, [{"face_id": "second", "bank": other}]),
    )
    bank(
        other,
        face("second", CORA, Kind.MIX, [{"face_id": "anna", "bank": one}]),
        face("stays", CORA, Kind.RANDOM, []),
    )
    findings = look_for(wanted(world), classify([one, other]))
    assert names(findings) == {"one.parquet": {"anna", "third"}, "other.parquet": {"second"}}
    removed = []
    with pytest.MonkeyPatch.context() as patch:
        remove = forgetting.remove_faces
        patch.setattr(forgetting, "remove_faces", lambda uri, gone: (removed.append((uri, gone)), remove(uri, gone)))
        forget(findings)
    assert removed == [(one, {"third"}), (other, {"second"}), (one, {"anna"})]
    assert [*read_bank(one).faces, *read_bank(other).faces] == ["stays"]


# --- Interruptions


def moments(monkeypatch: pytest.MonkeyPatch, stop: int | None) -> Iterator[int]:
    """Counts what changes a file, and is killed before the change of that number."""
    count = 0
    whole, removed = storage.write_whole, storage.LocalFileSystem.rm_file

    def step() -> None:
        nonlocal count
        if count == stop:
            raise Killed
        count += 1

    def write_whole(root, name, launch=""):
        step()
        return whole(root, name, launch)

    def rm_file(self, path):
        step()
        removed(self, path)

    monkeypatch.setattr(storage, "write_whole", write_whole)
    monkeypatch.setattr(storage.LocalFileSystem, "rm_file", rm_file)
    while True:
        yield count


def test_whenever_it_is_killed_the_same_command_finishes(tmp_path, monkeypatch):
    world = build(str(tmp_path / "world"))
    shutil.copytree(world.root, tmp_path / "kept")
    with monkeypatch.context() as patch:
        counter = moments(patch, None)
        next(counter)
        forget(find(world))
        steps = next(counter)
    expected = contents(world.root)
    assert steps >= 30
    for stop in range(steps):
        shutil.rmtree(world.root)
        shutil.copytree(tmp_path / "kept", world.root)
        with monkeypatch.context() as patch:
            next(moments(patch, stop))
            with pytest.raises(Killed):
                forget(find(world))
        for folder in (world.shards, world.renders):  # whole on the way too
            found = contents(folder)
            for record in stats(folder):
                for file in record["files"]:
                    assert hashlib.sha256(found[file["name"]]).hexdigest() == file["sha256"]
        forget(find(world))
        assert_gone(world)
        assert contents(world.root) == expected, stop


# --- The command


def test_without_apply_the_command_lists_and_changes_nothing(untouched, tmp_path, capsys):
    before = contents(untouched.root)
    assert command(untouched, "--json", str(tmp_path / "list.json")) == 0
    said = capsys.readouterr().out
    assert f"{untouched.shards}: 3 of {MANY + 7} rows" in said
    assert f"{untouched.renders}: 5 of 6 requests" in said
    assert "  a1  similarity 1.000" in said
    assert said.endswith("nothing was changed; --apply removes what is listed\n")
    record = json.loads((tmp_path / "list.json").read_text())
    assert record["applied"] is False
    assert [(place["kind"], place["to_go"]) for place in record["places"]] == [
        ("shards", 3), ("bank", 1), ("bank", 2), ("renders", 5)
    ]  # fmt: skip
    first = record["places"][0]["found"][0]
    assert first == {"name": "a1", "why": "similarity 1.000", "similarity": 1.0, "file": "shards/t0.parquet"}
    assert contents(untouched.root) == before


def test_with_apply_the_command_removes_and_a_second_one_finds_nothing(world, tmp_path, capsys):
    assert command(world, "--apply", "--json", str(tmp_path / "list.json")) == 0
    assert capsys.readouterr().out.endswith("removed\n")
    assert json.loads((tmp_path / "list.json").read_text())["applied"] is True
    assert_gone(world)
    before = contents(world.root)
    assert command(world, "--apply") == 0
    assert contents(world.root) == before


def test_a_job_that_is_not_finished_is_said_to_be(world, capsys):
    (Path(world.shards) / "_SUCCESS").unlink()
    assert command(world) == 0
    assert f"3 of {MANY + 7} rows; not finished" in capsys.readouterr().out


def test_what_cannot_be_compared_is_refused(world, tmp_path):
    other = str(tmp_path / "other")
    commit_shard(other, "t9", {"a1": [ANNA]}, {**EMBEDDER, "sha256": "11"})
    before = contents(world.root)
    with pytest.raises(UsageError, match=r"different embedders \(sha256: 11, 00\)"):
        command(world, "--apply", "--in", other)
    strange = bank(str(tmp_path / "b.parquet"), face("b", BOB, Kind.RANDOM, []), embedder={"name": "onnx:else.onnx"})
    with pytest.raises(UsageError, match=r"different embedders .*name: onnx:else.onnx, onnx:test.onnx"):
        command(world, "--apply", "--in", strange)
    assert contents(world.root) == before


def test_people_who_cannot_be_told_are_refused(untouched, tmp_path):
    empty = str(tmp_path / "empty.parquet")
    write_bank(empty, [face("anna", None, Kind.PHOTOS, [])], DIM, EMBEDDER)
    with pytest.raises(UsageError, match=r"the face 'anna' of .* has no vector"):
        find(untouched, wanted_bank=empty)
    with pytest.raises(UsageError, match="--photos needs --embedder"):
        main(["--photos", str(tmp_path), "--threshold", "0.5", "--in", untouched.shards])


# --- With augment


def test_augment_makes_nothing_again_of_what_was_forgotten(tmp_path, capsys):
    pictures = [("astronaut.png", original("astronaut")), ("admiral.jpg", original("admiral")), ("nothing.jpg", b"")]
    photos = write_tar(tmp_path / "photos.tar", captioned(pictures))
    out = str(tmp_path / "out")
    assert augment(photos, out, "--max-failures", "1") == 0
    person = tmp_path / "person"
    person.mkdir()
    (person / "her.png").write_bytes(original("astronaut"))
    options = ["--photos", str(person), "--embedder", "random:0", "--threshold", "0.999", "--in", out]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert ": 1 of 2 rows; its report" in printed
    assert "\n  astronaut  similarity 1.000\n" in printed
    assert main([*options, "--apply"]) == 0
    assert_complete(out)
    assert [row["key"] for row in rows(out)] == ["admiral"]
    before = contents(out)
    assert augment(photos, out, "--max-failures", "2") == 0
    assert contents(out) == before
    # Also when other rows are tried again
    assert augment(photos, out, "--max-failures", "2", "--retry-failed", "empty") == 0
    folder = OutputFolder(out)
    (committed,) = folder.committed().values()
    assert [key for batch in folder.read_table(committed, "shards") for key in batch["key"].to_pylist()] == ["admiral"]
    assert committed.reasons == {"empty": 1, "forgotten": 1}


@pytest.mark.long
def test_a_model_that_is_fed_wrongly_is_noticed(shared_data, tmp_path, capsys):
    """With values of 0..255 instead of ImageNet's, MobileFaceNet finds all people alike."""
    with tarfile.open(shared_data / "lfw" / "lfw-00001.tar") as archive:
        members = [member for member in archive if member.name.endswith((".jpg", ".txt"))][:40]
        content = [(member.name, archive.extractfile(member).read()) for member in members]
    photographs = write_tar(tmp_path / "a.tar", content)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.jpg").write_bytes(next(data for name, data in content if name.endswith(".jpg")))
    spec = ["--embedder", f"onnx:{shared_data}/models/mobilefacenet.onnx"]
    wrong = ["--onnx-mean", "0,0,0", "--onnx-std", "0.0039,0.0039,0.0039"]
    for name, options in (("right", []), ("wrong", wrong)):
        output, bank = str(tmp_path / name), str(tmp_path / f"{name}.parquet")
        assert face0(["augment", str(photographs), *spec, *options, "--output", output, "--threads", "1"]) == 0
        assert ("strangers score about 0" in capsys.readouterr().err) is (name == "wrong")
        assert face0(["faces", "from-photos", str(tmp_path / "one"), *spec, *options, "--output", bank]) == 0
        code = 2 if name == "wrong" else 0
        assert face0(["forget", "--faces", bank, "--threshold", "0.4", "--in", output]) == code
        assert ("strangers pass it" in capsys.readouterr().err) is (name == "wrong")
        deny = ["--deny", bank, "--deny-threshold", "0.4", "--output", f"{output}-denied", "--threads", "1"]
        assert face0(["augment", str(photographs), *spec, *options, *deny]) == code
        assert ("strangers pass it" in capsys.readouterr().err) is (name == "wrong")
        assert Path(f"{output}-denied").exists() is (name == "right")
