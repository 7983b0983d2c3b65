"""Generate, whole: command lines in, images, results and a report out."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from face0.generation.clip import Clip, check_clip
from face0.generation.image_files import encode_image, parameters
from face0.generation.manifest import cross
from face0.generation.metrics import ImageMetrics, enlarged
from face0.generation.renderer import Rendered, Renderer
from face0.generation.requests import Request
from face0.generation.results import Results, open_results
from face0.images.decoding import decode
from face0.model.base_models import word_tokenizer
from jobs.main import main
from tests.fixtures.json_schemas import validate
from tests.fixtures.models import bank_of, tiny_pipeline, write_model
from tests.fixtures.pictures import picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bank_of(tmp_path_factory.mktemp("bank") / "bank.parquet", "anna", "berta", "carla", without="nobody")


def manifest_of(path: Path, prompts: int, seeds: int, faces: tuple[str, ...] = ("anna", "berta"), **settings) -> Path:
    table = cross([f"a photo of {i}" for i in range(prompts)], faces, range(seeds), {"steps": 1, **settings})
    pq.write_table(table, path)
    return path


def generate(manifest: Path, bank: Path, model: Path, output: Path | str, *options: str) -> int:
    """Runs the job in this process."""
    usual = ("--worker-processes", "0", "--threads", "1", "--requests-per-task", "5", "--batch", "4")
    named = ("--faces", str(bank), "--model", str(model), "--output", str(output))
    return main(["generate", str(manifest), *named, *usual, *options])


def rows(results: Results) -> list[dict]:
    return results.table().to_pylist()


def files(output: Path) -> dict[str, bytes]:
    """All files, with what they hold."""
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def whole(output: Path, requested: int, failed: int = 0) -> None:
    """Checks that every request is accounted for once, and that there is no file beside those that count."""
    results = open_results(str(output))
    found = rows(results)
    assert results.finished
    assert (results.ledger.read, results.ledger.written, results.ledger.failed) == (
        requested,
        requested - failed,
        failed,
    )
    assert len({row["request_id"] for row in found}) == len(found) == requested - failed
    for row in found:
        assert hashlib.sha256((output / row["image"]).read_bytes()).hexdigest() == row["image_sha256"]
    named = {file.name for stats in results.tasks.values() for file in stats.files}
    named |= {f"stats/{task}.json" for task in results.tasks} | {row["image"] for row in found}
    named |= {stats.task["uri"] for stats in results.tasks.values()}
    assert files(output).keys() - {"job.json", "_SUCCESS", "README.md"} == named | {
        name for name in files(output) if name.startswith("report")
    }


def test_every_request_becomes_an_image_with_its_row(tmp_path, model, bank, capsys) -> None:
    manifest = manifest_of(tmp_path / "m.parquet", prompts=3, seeds=2)
    assert generate(manifest, bank, model, tmp_path / "out") == 0
    assert "requested 12 = generated 12 + failed 0" in capsys.readouterr().out
    whole(tmp_path / "out", 12)
    for row in rows(open_results(str(tmp_path / "out"))):
        image = Image.open(tmp_path / "out" / row["image"])
        assert image.size == (row["width"], row["height"]) == (64, 64)
        said = json.loads(image.text["face0"])
        assert (said["prompt"], said["face_id"], said["seed"]) == (row["prompt"], row["face_id"], row["seed"])
        assert said["request_id"] == row["request_id"]
        assert image.text["parameters"].startswith(f"{row['prompt']}\nSteps: 1, Sampler: DDIM, CFG scale: 7.5, Seed: ")
        assert row["faces_found"] == 0
        assert row["similarity"] is None
        assert row["seconds"] > 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "a photo of 2" in page


def test_a_sweep_that_grows_renders_what_is_new_and_nothing_twice(tmp_path, model, bank, capsys) -> None:
    out = tmp_path / "out"
    assert generate(manifest_of(tmp_path / "a.parquet", prompts=10, seeds=5), bank, model, out) == 0
    before = {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()}
    assert len(before) == 100
    assert generate(tmp_path / "a.parquet", bank, model, out) == 0
    grown = manifest_of(tmp_path / "b.parquet", prompts=10, seeds=5, faces=("anna", "carla", "berta"))
    assert generate(grown, bank, model, out) == 0
    whole(out, 150)
    after = {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == 150
    assert "requested 150 = generated 150 + failed 0" in capsys.readouterr().out


def test_what_cannot_be_rendered_is_a_failure_row_and_the_rest_is_rendered(tmp_path, model, bank, capsys) -> None:
    good = cross(["a cat"], ["anna"], [0], {"steps": 1})
    bad = [
        cross(["a cat"], ["zoe"], [0, 1], {"steps": 1}),
        cross(["a cat"], ["nobody"], [0], {"steps": 1}),
        cross(["a cat"], ["anna"], [0], {"steps": 1, "width": 63}),
    ]
    pq.write_table(pa.concat_tables([good, good, *bad]), tmp_path / "m.parquet")
    out = tmp_path / "out"
    assert generate(tmp_path / "m.parquet", bank, model, out) == 1
    assert "1 rows ask for an image twice" in capsys.readouterr().err
    whole(out, 5, failed=4)
    results = open_results(str(out))
    assert results.reasons == {"unknown_face": 2, "bad_request": 1, "no_vector": 1}
    assert any("no face was found in 1.jpg" in row["message"] for row in results.failures().to_pylist())
    # With a bank that has her, the same command renders what it could not; nothing else is touched.
    image = (out / rows(results)[0]["image"]).stat().st_mtime_ns
    larger = bank_of(tmp_path / "larger.parquet", "anna", "berta", "carla", "zoe", without="nobody")
    assert generate(tmp_path / "m.parquet", larger, model, out, "--max-failures", "2") == 0
    whole(out, 5, failed=2)
    assert (out / rows(results)[0]["image"]).stat().st_mtime_ns == image


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face_id,seed\nanna,1\n", "has no column prompt"),
        ("prompt,face_id\n", "has no rows"),
        ("prompt,steps\na cat,few\n", "the column steps is not int32"),
        ("prompt,guidance\na cat,photo\n", "columns that a manifest does not: guidance"),
    ],
)
def test_a_manifest_that_is_none_ends_before_anything_starts(tmp_path, model, bank, capsys, text, said) -> None:
    (tmp_path / "m.csv").write_text(text)
    assert generate(tmp_path / "m.csv", bank, model, tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_does_not_belong_together_is_refused(tmp_path, model, bank, capsys) -> None:
    manifest = manifest_of(tmp_path / "m.parquet", prompts=1, seeds=1)
    out = tmp_path / "out"
    cases = {
        "has no lineage.json": (manifest, bank, tmp_path, ()),
        "make one with `face0 faces": (manifest, tmp_path / "none.parquet", model, ()),
        "different embedders": (manifest, bank, model, ("--embedder", "random:0")),
        "has no config.json, preprocessor_config.json or": (manifest, bank, model, ("--clip", str(tmp_path))),
        "--judge vggface2: give onnx:URI": (manifest, bank, model, ("--judge", "vggface2")),
    }
    for said, (rows_of, faces, folder, options) in cases.items():
        assert generate(rows_of, faces, folder, out, *options) == 2
        assert said in capsys.readouterr().err
    assert generate(manifest, bank, model, out) == 0
    other = write_model(tmp_path / "other", tiny_pipeline(seed=1))
    assert generate(manifest, bank, other, out) == 2
    assert "fingerprint" in capsys.readouterr().err
    assert generate(manifest, bank, model, out, "--image-format", "jpeg") == 2


def test_a_dry_run_writes_nothing(tmp_path, model, bank, capsys) -> None:
    manifest = manifest_of(tmp_path / "m.parquet", prompts=3, seeds=2)
    assert generate(manifest, bank, model, tmp_path / "out", "--dry-run") == 0
    assert "3 of 3 tasks are left, with 12 requests" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def run_short_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no request of seed 1 fit."""
    render = Renderer.__call__

    def short_of_memory(self: Renderer, requests: Sequence[Request]) -> list[Rendered]:
        if any(request.seed == 1 for request in requests):
            raise MemoryError("out of memory")
        return render(self, requests)

    monkeypatch.setattr(Renderer, "__call__", short_of_memory)


def test_failures_of_a_reason_are_tried_again_and_merged(tmp_path, model, bank, monkeypatch) -> None:
    out, manifest = tmp_path / "out", manifest_of(tmp_path / "m.parquet", prompts=2, seeds=2)
    run_short_of_memory(monkeypatch)
    assert generate(manifest, bank, model, out) == 1
    whole(out, 8, failed=4)
    kept = {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()}
    monkeypatch.undo()
    assert generate(manifest, bank, model, out) == 1
    assert open_results(str(out)).reasons == {"out_of_memory": 4}
    assert generate(manifest, bank, model, out, "--retry-failed", "out_of_memory") == 0
    whole(out, 8)
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()}.items()


def test_an_output_of_version_1_is_tried_again_and_merged(tmp_path, model, bank, monkeypatch) -> None:
    out, manifest = tmp_path / "out", manifest_of(tmp_path / "m.parquet", prompts=2, seeds=2)
    run_short_of_memory(monkeypatch)
    assert generate(manifest, bank, model, out) == 1
    monkeypatch.undo()
    for path in (out / "results").iterdir():
        table = pq.read_table(path).drop_columns(["identity_vector"])
        pq.write_table(table.replace_schema_metadata({"face0.schema": "results", "face0.version": "1"}), path)
    assert len(rows(open_results(str(out)))) == 4
    assert generate(manifest, bank, model, out, "--retry-failed", "out_of_memory") == 0
    whole(out, 8)
    assert {pq.read_schema(path).metadata[b"face0.version"] for path in (out / "results").iterdir()} == {b"3"}


def test_on_any_file_system_with_any_format(root, tmp_path, model, bank) -> None:
    manifest = manifest_of(tmp_path / "m.parquet", prompts=2, seeds=1)
    assert generate(manifest, bank, model, f"{root}/out", "--image-format", "webp", "--quality", "80") == 0
    found = rows(open_results(f"{root}/out"))
    assert len(found) == 4
    for row in found:
        with fsspec.open(f"{root}/out/{row['image']}") as file:
            image = Image.open(file)
            assert image.format == "WEBP"
            exif = image.getexif()
        assert json.loads(exif[ExifTags.Base.ImageDescription])["request_id"] == row["request_id"]
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        assert comment[8:].decode("utf-16-be").startswith(row["prompt"])
    with fsspec.open(f"{root}/out/report.html") as file:
        assert b"a photo of 1" in file.read()


def test_prompts_that_are_cut_are_told(tmp_path, model, bank, capsys) -> None:
    pq.write_table(cross(["photo " * 80, "a cat"], ["anna"], [0], {"steps": 1}), tmp_path / "m.parquet")
    assert generate(tmp_path / "m.parquet", bank, model, tmp_path / "out") == 0
    assert "1 images have prompts that are too long" in capsys.readouterr().err
    assert sorted(row["tokens_lost"] for row in rows(open_results(str(tmp_path / "out")))) == [0, 8]


# --- What is measured


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP folder with random weights."""
    folder = tmp_path_factory.mktemp("clip") / "clip"
    tokenizer = word_tokenizer()
    parts = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    CLIPModel(
        CLIPConfig(
            text_config={**parts, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id},
            vision_config={**parts, "image_size": 32, "patch_size": 16},
            projection_dim=8,
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_clip_folder_as_it_is_saved_in_one_piece(clip, tmp_path) -> None:
    """The image processor within ``processor_config.json``, and weights in half precision alone."""
    folder = tmp_path / "clip"
    model, tokenizer = CLIPModel.from_pretrained(clip), word_tokenizer()
    processor = CLIPImageProcessor.from_pretrained(clip)
    CLIPProcessor(processor, tokenizer).save_pretrained(folder)
    model.half().save_pretrained(folder, variant="fp16")
    assert not (folder / "model.safetensors").exists()
    assert check_clip(str(folder)) == str(folder)
    image = np.full((40, 40, 3), 90, np.uint8)
    one, other = (Clip(str(place), "cpu").images([image])[0] for place in (clip, folder))
    assert one @ other > 0.999


@pytest.mark.parametrize("damaged", ["model", "clip"])
def test_weights_that_are_missing_end_the_job_before_an_image(damaged, model, bank, clip, tmp_path, capsys) -> None:
    copies = {"model": tmp_path / "model", "clip": tmp_path / "clip"}
    for name, folder in (("model", model), ("clip", clip)):
        shutil.copytree(folder, copies[name])
    file = {"model": "vae/diffusion_pytorch_model.safetensors", "clip": "model.safetensors"}[damaged]
    weights = load_file(copies[damaged] / file)
    (name, *_) = sorted(weights)
    save_file({key: held for key, held in weights.items() if key != name}, copies[damaged] / file, {"format": "pt"})
    manifest = manifest_of(tmp_path / "m.parquet", prompts=1, seeds=1)
    options = ("--clip", str(copies["clip"]))
    assert generate(manifest, bank, copies["model"], tmp_path / "out", *options) == 2
    said = capsys.readouterr().err
    assert f"1 missing ({name})" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "out").rglob("*.png"))


def test_the_papers_tables_come_from_the_results(tmp_path, model, bank, clip, capsys) -> None:
    manifest = manifest_of(tmp_path / "m.parquet", prompts=2, seeds=3)
    assert generate(manifest, bank, model, tmp_path / "out", "--clip", str(clip)) == 0
    found = rows(open_results(str(tmp_path / "out")))
    assert all(-1 <= row["text_alignment"] <= 1 for row in found)
    capsys.readouterr()
    assert main(["evaluate", "paper", str(tmp_path / "out"), "--json", str(tmp_path / "paper.json")]) == 0
    assert "best of 3" in capsys.readouterr().out
    validate(json.loads((tmp_path / "paper.json").read_text()), "evaluate-paper")


def ask(prompt: str, portrait: bytes | None, vector: np.ndarray | None = None) -> Request:
    (row,) = cross([prompt], ["anna"], [0]).to_pylist()
    return Request(**row, request_id="0", vector=vector, portrait=portrait)


def test_metrics_of_photographs(augmenter, clip) -> None:
    """Of real photographs, as if they had been generated; the embedder is its own judge."""
    embedder = augmenter._embedder
    photographs = {name: picture(name) for name in ("astronaut", "admiral", "coffee")}
    images = [decode(data).pixels for data in photographs.values()]
    metrics = ImageMetrics("cpu", embedder, embedder, Clip(str(clip), "cpu"))
    blank = metrics(images, [ask("a cat", None)] * 3)
    astronaut = np.asarray(blank[0]["face_vector"], np.float32)
    seen = metrics(images, [ask("a cat", photographs["astronaut"], astronaut)] * 3)
    assert [row["faces_found"] for row in seen] == [1, 1, 0]
    assert seen[0]["similarity"] == pytest.approx(1, abs=1e-3)
    identities = embedder.identity(np.stack([np.asarray(row["face_vector"], np.float32) for row in seen[:2]]))
    assert np.allclose([row["identity_vector"] for row in seen[:2]], identities, atol=1e-3)
    assert seen[1]["similarity"] == pytest.approx(float(identities[0] @ identities[1]), abs=1e-4)
    assert seen[1]["similarity"] < seen[0]["similarity"]
    assert seen[0]["judge_similarity"] == pytest.approx(1, abs=1e-3)
    assert seen[0]["face_alignment"] == pytest.approx(1, abs=1e-3)
    assert all(-1 <= row["text_alignment"] <= 1 for row in seen)
    # No face is no zero.
    vectors = ("face_vector", "identity_vector", "judge_vector")
    empty = ("box", "landmarks", *vectors, "similarity", "judge_similarity", "face_alignment")
    assert [seen[2][name] for name in empty] == [None] * len(empty)
    x0, y0, x1, y1 = seen[0]["box"]
    assert 0 < x0 < x1 < images[0].shape[1]
    assert 0 < y0 < y1 < images[0].shape[0]
    left_eye, right_eye, nose, *mouth = np.reshape(seen[0]["landmarks"], (5, 2))
    assert x0 < left_eye[0] < nose[0] < right_eye[0] < x1
    assert y0 < left_eye[1] < nose[1] < min(mouth, key=lambda corner: corner[1])[1] < y1
    # Without a reference there is nothing to compare with.
    assert [blank[0][name] for name in ("similarity", "judge_similarity", "face_alignment")] == [None] * 3


def test_small_images_are_enlarged_and_boxes_are_theirs(augmenter) -> None:
    small = np.asarray(Image.fromarray(decode(picture("astronaut")).pixels).resize((96, 96)))
    assert enlarged(small).shape == (256, 256, 3)
    (row,) = ImageMetrics("cpu", None, None, None)([small], [ask("a cat", None)])
    assert row["faces_found"] == 1
    assert max(row["box"]) < 96
    assert max(row["landmarks"]) < 96
    assert row["face_vector"] is None


def test_parameters_are_in_the_form_that_other_tools_read() -> None:
    text = parameters(ask("a cat, sitting", None), {"model": "0123456789abcdef", "version": "1"})
    prompt, settings = text.split("\n")
    assert prompt == "a cat, sitting"
    pairs = dict(re.fullmatch(r"([^:]+): (.+)", part).groups() for part in settings.split(", "))
    assert pairs["Steps"] == "50"
    assert pairs["Size"] == "0x0"
    assert pairs["Model hash"] == "0123456789"
    pixels = np.zeros((8, 8, 3), np.uint8)
    assert b"parameters" in encode_image(pixels, "png", 90, ask("é 漢", None), {})


# --- Other workers


def command(manifest: Path, bank: Path, model: Path, output: Path, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "jobs.main", "generate", str(manifest), "--faces", str(bank), "--model", str(model),
        "--output", str(output), "--threads", "1", "--requests-per-task", "5", "--batch", "4", *options,
    ]  # fmt: skip


@pytest.mark.long
def test_other_workers_make_the_same_images(tmp_path, model, bank) -> None:
    manifest = manifest_of(tmp_path / "m.parquet", prompts=4, seeds=3)
    assert generate(manifest, bank, model, tmp_path / "one") == 0
    options = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run = subprocess.run(command(manifest, bank, model, tmp_path / "two", *options), cwd=ROOT, check=False)
    assert run.returncode == 0
    whole(tmp_path / "two", 24)
    one, two = ({k: v for k, v in files(tmp_path / each).items() if k.startswith("images/")} for each in ("one", "two"))
    assert one == two
