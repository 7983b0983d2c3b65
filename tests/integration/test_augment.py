"""The augment job, whole: a command line in, an output folder and an exit code out."""

import hashlib
import io
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from face0.embedders.specification import embedder_config
from jobs.main import main
from schemas.job import Ledger
from schemas.vectors import vectors
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

# Where a person would draw the boxes on the 512 px training images, with some room
EXPECTED = {"astronaut": (181, 62, 268, 172), "admiral": (178, 71, 355, 293)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, two pictures without any, and two rows that fail."""
    return write_tar(
        tmp_path_factory.mktemp("in") / "photos.tar",
        [
            *captioned([(f"astronaut.{'png'}", original("astronaut")), ("coffee.png", original("coffee"))]),
            *captioned([("admiral.jpg", original("admiral")), ("nothing.jpg", b"")]),
            *captioned([("chelsea.png", original("chelsea")), ("page.jpg", b"<html>404</html>")]),
        ],
    )


@pytest.fixture(scope="module")
def output(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the job makes of them. Not to be written to."""
    folder = tmp_path_factory.mktemp("out") / "shards"
    assert augment(photos, folder, "--max-failures", "2") == 0
    return folder


def shard(folder: Path) -> Path:
    (path,) = (folder / "shards").glob("*.parquet")
    return path


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(high, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


# --- What is written


def test_every_row_is_accounted_for(output):
    assert_complete(output)
    assert success(output)["ledger"] == asdict(Ledger(read=6, written=2, no_face=2, failed=2))
    assert success(output)["reasons"] == {"empty": 1, "not_an_image": 1}
    assert success(output)["totals"]["faces"] == 2


def test_a_row_holds_the_picture_and_what_was_found_on_it(output, photos):
    found = {row["key"]: row for row in rows(output)}
    assert list(found) == ["astronaut", "admiral"]
    for key, row in found.items():
        ending = "png" if key == "astronaut" else "jpg"
        assert row["caption"] == f"a photo of {key}.{ending}"
        assert row["source"] == f"{photos}#{key}.{ending}"
        assert row["sha256"] == hashlib.sha256(original(key)).hexdigest()
        image = Image.open(io.BytesIO(row["image"]))
        assert image.size == (row["width"], row["height"]) == (512, 512)
        (face,) = row["faces"]
        assert overlap(face["box"], EXPECTED[key]) > 0.9
        assert 0.99 < face["score"] <= 1
        x0, y0, x1, y1 = face["box"]
        points = np.reshape(face["landmarks"], (5, 2))
        assert ((points > (x0, y0)) & (points < (x1, y1))).all()
        left_eye, right_eye, nose, left_mouth, right_mouth = points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert row["embeddings"] == [row["embedding"]]
        assert len(row["embedding"]) == 1792
        assert np.std(row["embedding"]) > 0
        assert np.array_equal(np.float16(row["embedding"]), row["embedding"])
    # It was square and small enough, so it is the very file; the other is the middle of one of 512 x 600
    assert found["astronaut"]["image"] == original("astronaut")
    stored = np.asarray(Image.open(io.BytesIO(found["admiral"]["image"])).convert("RGB")).astype(int)
    cropped = np.asarray(Image.open(io.BytesIO(original("admiral"))).convert("RGB")).astype(int)[44:556]
    assert np.abs(stored - cropped).mean() < 2


def test_a_failed_row_says_what_happened(output, photos):
    empty, page = rows(output, "failures")
    assert (empty["key"], empty["source"], empty["stage"], empty["reason"]) == (
        "nothing", f"{photos}#nothing.jpg", "decode", "empty"
    )  # fmt: skip
    assert (page["key"], page["reason"]) == ("page", "not_an_image")
    assert "HTML" in page["message"]


def test_a_shard_names_its_schema_and_its_embedder(output):
    schema = pq.read_schema(shard(output))
    metadata = {k.decode(): v.decode() for k, v in schema.metadata.items()}
    assert metadata["face0.schema"] == "face_shard"
    assert metadata["face0.version"] == "3"
    assert metadata["face0.embedding_dim"] == "1792"
    assert metadata["face0.embedder.name"] == "random:0"
    assert metadata["face0.embedder.crop"] == "margins 10,33,10,15 square 160"
    assert schema.field("embedding").type == vectors(1792)
    assert schema.field("embeddings").type.value_type == vectors(1792)
    assert schema.field("faces").type.value_type.field("box").type == vectors(4)


def test_the_job_is_on_record(output, photos):
    job = json.loads((output / "job.json").read_text())
    assert job["job"] == "augment"
    assert job["config"]["inputs"] == [str(photos)]
    assert job["config"]["resolution"] == 512
    assert job["config"]["embedder"]["trained_on"] == "random"
    assert {"face0", "torch", "pillow"} <= job["versions"].keys()


# --- Options


def test_faceless_pictures_are_kept_on_request(photos, output, tmp_path):
    assert augment(photos, tmp_path / "out", "--max-failures", "2", "--keep-faceless") == 0
    assert_complete(tmp_path / "out")
    assert success(tmp_path / "out")["ledger"] == asdict(Ledger(read=6, written=4, failed=2))
    found = rows(tmp_path / "out")
    assert [(row["key"], len(row["faces"])) for row in found] == [
        ("astronaut", 1), ("coffee", 0), ("admiral", 1), ("chelsea", 0)
    ]  # fmt: skip
    assert_same_rows([row for row in found if row["faces"]], rows(output))
    # No face, no enlargement: a smaller picture keeps its size
    assert {(row["width"], row["height"]) for row in found if not row["faces"]} == {(400, 400), (300, 300)}


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of four faces, of four sizes."""
    canvas = Image.new("RGB", (512, 512), (90, 110, 90))
    for side, left, top in ((110, 20, 20), (290, 10, 200), (150, 330, 20), (200, 305, 270)):
        name = "admiral" if side in (110, 290) else "astronaut"
        face = Image.open(io.BytesIO(picture(name, side=side)))
        canvas.paste(face, (left, top))
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return write_tar(tmp_path_factory.mktemp("group") / "group.tar", captioned([("group.png", file.getvalue())]))


def sizes(folder: Path) -> list[float]:
    (row,) = rows(folder)
    return [min(f["box"][2] - f["box"][0], f["box"][3] - f["box"][1]) for f in row["faces"]]


def test_the_largest_faces_come_first_and_thresholds_hold(group, tmp_path):
    assert augment(group, tmp_path / "all") == 0
    every = sizes(tmp_path / "all")
    (row,) = rows(tmp_path / "all")
    areas = [(f["box"][2] - f["box"][0]) * (f["box"][3] - f["box"][1]) for f in row["faces"]]
    assert len(every) == 4
    assert areas == sorted(areas, reverse=True)
    assert all(f["score"] >= 0.9 for f in row["faces"])

    assert augment(group, tmp_path / "two", "--max-faces", "2") == 0
    (fewer,) = rows(tmp_path / "two")
    assert [f["box"] for f in fewer["faces"]] == [f["box"] for f in row["faces"][:2]]

    between = (sorted(every)[1] + sorted(every)[2]) / 2
    assert augment(group, tmp_path / "large", "--min-face", str(between)) == 0
    assert len(sizes(tmp_path / "large")) == 2
    assert all(size >= between for size in sizes(tmp_path / "large"))

    scores = sorted(f["score"] for f in row["faces"])
    strict = (scores[0] + scores[1]) / 2
    assert augment(group, tmp_path / "sure", "--min-score", repr(strict)) == 0
    (sure,) = rows(tmp_path / "sure")
    assert [f["box"] for f in sure["faces"]] == [f["box"] for f in row["faces"] if f["score"] >= strict]

    assert augment(group, tmp_path / "none", "--min-face", "400") == 0
    assert success(tmp_path / "none")["ledger"] == asdict(Ledger(read=1, no_face=1))


def test_the_training_image_has_the_resolution_asked_for(photos, tmp_path):
    assert augment(photos, tmp_path / "out", "--max-failures", "2", "--resolution", "256") == 0
    for row in rows(tmp_path / "out"):
        assert Image.open(io.BytesIO(row["image"])).size == (row["width"], row["height"]) == (256, 256)
        assert overlap(row["faces"][0]["box"], np.array(EXPECTED[row["key"]]) / 2) > 0.8


@pytest.mark.parametrize(
    ("budget", "code"), [("1", 1), ("2", 0), ("33%", 1), ("33.4%", 0), ("0", 1), ("100%", 0), (None, 1)]
)
def test_more_failures_than_allowed_exit_with_1(photos, output, capsys, budget, code):
    """The folder is complete, so nothing runs: the same command judges it again."""
    assert augment(photos, output, *([] if budget is None else ["--max-failures", budget])) == code
    error = capsys.readouterr().err
    assert ("2 rows failed, more than --max-failures" in error) == (code == 1)


def test_more_failures_than_allowed_in_a_run_exit_with_1(photos, tmp_path, capsys):
    assert augment(photos, tmp_path / "out", "--max-failures", "1") == 1
    assert "--retry-failed REASON" in capsys.readouterr().err
    assert_complete(tmp_path / "out")


# --- Again


def test_the_same_command_again_does_nothing(photos, output, capsys):
    def times() -> dict[Path, int]:
        kept = [path for path in output.rglob("*") if path.is_file() and path.name not in ("_SUCCESS", "report.html")]
        return {path: path.stat().st_mtime_ns for path in kept}

    before, had = times(), contents(output)
    assert len(before) == 5
    for _ in range(2):
        capsys.readouterr()
        assert augment(photos, output, "--max-failures", "2") == 0
        said = capsys.readouterr()
        assert "read 6 = written 2 + no_face 2 + failed 2" in said.out
        assert "tasks" not in said.err
        assert times() == before
        assert contents(output) == had


def test_only_the_tasks_that_are_not_committed_run_again(tmp_path, capsys):
    for name in "abc":
        write_tar(tmp_path / f"{name}.tar", captioned(people(1, first=ord(name))))
    assert augment(tmp_path / "*.tar", tmp_path / "out") == 0
    before = contents(tmp_path / "out")
    (stats,) = (tmp_path / "out" / "stats").glob("b-*.json")
    stats.unlink()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "shards").glob("[ac]-*")}
    capsys.readouterr()
    assert augment(tmp_path / "*.tar", tmp_path / "out") == 0
    assert "1/1 tasks" in capsys.readouterr().err
    after = contents(tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert {k: v for k, v in after.items() if k.endswith(".parquet")} == {
        k: v for k, v in before.items() if k.endswith(".parquet")
    }
    assert_complete(tmp_path / "out")


def test_an_output_of_other_options_is_refused(photos, output, capsys):
    before = contents(output)
    assert augment(photos, output, "--max-failures", "2", "--resolution", "256") == 2
    assert "resolution: 512 there, 256 asked for" in capsys.readouterr().err
    assert augment(photos, output, "--embedder", "random:1") == 2
    assert "embedder.seed: " in capsys.readouterr().err
    assert contents(output) == before


def test_what_does_not_change_the_rows_may_change(photos, output):
    assert augment(photos, output, "--max-failures", "50%", "--fetch-retries", "7", "--device", "cpu") == 0


# --- Inputs and file systems


def test_several_inputs_and_kinds_make_one_output(tmp_path, photos, output):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(picture("chelsea"))
    (folder / "cat.txt").write_text("a cat")
    (folder / "who.jpg").write_bytes(picture("admiral"))
    (folder / "who.txt").write_text("somebody")
    assert augment([photos, folder, photos], tmp_path / "out", "--max-failures", "2") == 0
    assert_complete(tmp_path / "out")
    # An input that is named twice is read once
    assert success(tmp_path / "out")["tasks"] == 2
    assert success(tmp_path / "out")["ledger"] == asdict(Ledger(read=8, written=3, no_face=3, failed=2))
    found = rows(tmp_path / "out")
    assert {row["key"] for row in found} == {"astronaut", "admiral", "who"}
    assert_same_rows([row for row in found if row["key"] != "who"], rows(output))


def test_columns_can_be_named(tmp_path):
    images = [data for _, data in people(2)]
    table = pa.table({"picture": images, "image": [b"", b""], "words": ["one", "two"], "number": [11, 12]})
    pq.write_table(table, tmp_path / "a.parquet")
    names = ["--image-column", "picture", "--caption-column", "words", "--key-column", "number"]
    assert augment(tmp_path / "a.parquet", tmp_path / "out", *names) == 0
    assert [(row["key"], row["caption"]) for row in rows(tmp_path / "out")] == [("11", "one"), ("12", "two")]


def test_object_stores_hold_the_same_rows(bucket, photos, output, tmp_path):
    """In and out."""
    import fsspec

    fs = fsspec.filesystem("s3")
    fs.pipe_file("face0/in/photos.tar", photos.read_bytes())
    fs.pipe_file("face0/in/more.tar", write_tar(tmp_path / "more.tar", captioned(people(1))).read_bytes())
    where = f"{bucket}/augmented"
    assert augment(f"{bucket}/in/p*.tar", where, "--max-failures", "2") == 0
    assert_complete(where)
    found = rows(where)
    assert [row.pop("source") for row in found] == [
        f"{bucket}/in/photos.tar#{n}" for n in ("astronaut.png", "admiral.jpg")
    ]
    expected = rows(output)
    assert [row.pop("source") for row in expected] == [f"{photos}#{n}" for n in ("astronaut.png", "admiral.jpg")]
    assert found == expected
    before = contents(where)
    assert augment(f"{bucket}/in/p*.tar", where, "--max-failures", "2") == 0
    assert contents(where) == before
    assert augment(f"{bucket}/in/m*.tar", where, "--max-failures", "2") == 2


# --- Wrong usage


USAGE = {
    "no such runner": (["--runner=NoSuchRunner"], "--runner=NoSuchRunner cannot be used"),
    "a runner that loses data": (["--runner=DaskRunner"], "it drops what a DoFn emits at the end of a bundle"),
    "the same by its full name": (
        ["--runner=apache_beam.runners.dask.dask_runner.DaskRunner"],
        "it drops what a DoFn emits at the end of a bundle",
    ),
    "a runner that downloads": (["--runner=DirectRunner"], "it tries to download the Prism runner first"),
    "no such embedder": (["--embedder", "facenet"], "no embedder 'facenet': give vggface2, casia, onnx:URI or random"),
    "a seed that is no number": (["--embedder", "random:x"], "no embedder 'random:x'"),
    "missing weights": (
        ["--embedder", "vggface2"],
        "20180402-114759-vggface2.pt from facenet-pytorch's release v2.2.9, and put it there or name it with --weights",
    ),
    "missing weights of casia": (["--embedder", "casia"], "get 20180408-102900-casia-webface.pt"),
    "missing weights that are named": (["--embedder", "vggface2", "--weights", "/none.pt"], "weights /none.pt: get"),
    "a missing model": (["--embedder", "onnx:/none.onnx"], "name an .onnx file that is there, as onnx:URI"),
    "a model that is none": (["--embedder", f"onnx:{__file__}"], "is not a model that onnxruntime reads"),
    "another digest": (["--embedder", f"onnx:{__file__}", "--weights-sha256", "00"], "get the file anew"),
    "a column that is not there": (None, "name it with --caption-column; there are: image (binary)"),
}


@pytest.mark.parametrize(("options", "said"), USAGE.values(), ids=USAGE)
def test_wrong_usage_exits_with_2_and_one_line_before_anything_is_written(
    photos, tmp_path, capsys, monkeypatch, options, said
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    source = photos
    if options is None:
        source = tmp_path / "captionless.parquet"
        pq.write_table(pa.table({"image": [b"x"]}), source)
    assert augment(source, tmp_path / "out", *(options or [])) == 2
    error = capsys.readouterr().err
    assert error.startswith("face0 augment: ")
    assert error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["none.tar", "*.tar", "none/**", "s3a3://x/y.tar"])
def test_inputs_that_match_nothing_exit_with_2(tmp_path, capsys, name):
    source = name if "://" in name else str(tmp_path / name)
    assert augment(source, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert source in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resolution", "0"], "0 is below 1"),
        (["--max-failures", "-1"], "'-1' is not a count"),
        (["--max-failures", "101%"], "'101%' is not a count"),
        (["--max-failures", "nan"], "'nan' is not a count"),
        (["--max-failures", "few"], "--max-failures"),
        (["--retry-failed", "bad_luck"], "no reason 'bad_luck': give one of unreadable_input"),
        (["--margins", "1,2,3"], "'1,2,3' is not 4 numbers"),
        (["--nonsense"], "--nonsense"),
        (["--resol", "256"], "--resol"),
        (["--direct_num_workers", "some"], "direct_num_workers"),
    ],
    ids=str,
)
def test_bad_options_exit_with_2(photos, tmp_path, capsys, options, said):
    with pytest.raises(SystemExit) as stopped:
        augment(photos, tmp_path / "out", *options)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_the_command_without_a_job_says_which_there_are(capsys):
    assert main([]) == 2
    assert main(["agument"]) == 2
    assert (
        "no job 'agument': give one of augment, init, train, faces, manifest, generate, characters"
        in capsys.readouterr().err
    )
    assert main(["--help"]) == 0
    assert "face0 augment" in capsys.readouterr().out


def test_help_gives_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["augment", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert "exit codes: 0 done; 1 more rows failed" in said
    assert "--keep-faceless" in said


# --- Dry run


def test_a_dry_run_tells_and_writes_nothing(photos, tmp_path, capsys):
    before = sorted(os.listdir(tmp_path))
    assert augment(photos, tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "1 inputs in 1 tasks, 0 of them done; 1 left" in said
    assert "tried: 6 rows" in said
    for kind in ("2 FaceRow", "2 NoFace", "1 empty", "1 not_an_image"):
        assert kind in said
    assert str(tmp_path / "out") in said
    assert sorted(os.listdir(tmp_path)) == before


def test_a_dry_run_knows_what_is_done(photos, output, capsys):
    before = contents(output)
    assert augment(photos, output, "--dry-run") == 0
    assert "1 of them done; 0 left" in capsys.readouterr().out
    assert contents(output) == before


def test_a_dry_run_refuses_what_the_job_would(photos, tmp_path):
    assert augment(photos, tmp_path / "out", "--dry-run", "--embedder", "onnx:/none.onnx") == 2
    assert augment(tmp_path / "none.tar", tmp_path / "out", "--dry-run") == 2


# --- An identity model


def test_an_identity_model_tells_people_apart(shared_data, tmp_path):
    model = shared_data / "models" / "mobilefacenet.onnx"
    pictures = captioned(
        [
            ("astronaut.png", original("astronaut")),
            ("astronaut2.jpg", picture("astronaut", side=300, shift=20)),
            ("admiral.jpg", original("admiral")),
            ("admiral2.jpg", picture("admiral", side=300, shift=20)),
        ]
    )
    path = write_tar(tmp_path / "a.tar", pictures)
    assert augment(path, tmp_path / "out", "--embedder", f"onnx:{model}") == 0
    metadata = pq.read_schema(shard(tmp_path / "out")).metadata
    assert metadata[b"face0.embedder.name"] == b"onnx:mobilefacenet.onnx"
    assert metadata[b"face0.embedder.sha256"].decode() == hashlib.sha256(model.read_bytes()).hexdigest()
    assert metadata[b"face0.embedder.crop"] == b"five points 112"
    assert metadata[b"face0.embedding_dim"] == b"128"
    stored = np.array([row["embedding"] for row in rows(tmp_path / "out")], np.float32)
    identity = embedder_config(f"onnx:{model}").resolve().load("cpu").identity(stored)
    same = identity @ identity.T
    assert np.allclose(np.diag(same), 1, atol=1e-3)
    for person in (0, 2):
        assert same[person, person + 1] > 0.6
        assert max(same[person, 2 - person], same[person, 3 - person]) < 0.3
