"""Training, whole: command lines in, models out."""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from face0.embedders.specification import embedder_config
from face0.errors import TrainingError, UsageError
from face0.model.base_models import base_model, load_base
from face0.model.pipeline import Face0Pipeline
from face0.model.presets import BASE_PRESETS
from face0.model.projection import FaceProjection
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout
from face0.tasks.output_folder import OutputFolder
from face0.training.checkpoints import STATE, Checkpoints
from face0.training.config import RunOptions, TrainConfig
from face0.training.encoder import Encoder
from face0.training.trainer import Trainer
from jobs.main import main
from tests.fixtures.json_schemas import validate
from tests.fixtures.pictures import augment, captioned, people, write_tar
from tests.fixtures.shards import restate

USUAL = ("--batch", "8", "--resolution", "64", "--learning-rate", "1e-3", "--holdout", "4", "--holdout-similarity", "1",
         "--evaluate-every", "0", "--precision", "fp32")  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    tar = write_tar(folder / "people.tar", captioned(people(40)))
    assert augment(tar, folder / "out") == 0
    return folder / "out"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "base"
    assert main(["init", "--preset", "tiny", "--output", str(folder)]) == 0
    return folder


def train(shards: Path | str, base: Path | str, output: Path | str, steps: int, *options: str) -> int:
    """Runs the job in this process."""
    return main(["train", *arguments(shards, base, output, steps, *options)])


def arguments(shards: Path | str, base: Path | str, output: Path | str, steps: int, *options: str) -> list[str]:
    named = ["--shards", str(shards), "--base", str(base), "--output", str(output), "--steps", str(steps)]
    return [*named, *USUAL, *options]


def state(output: Path, step: int) -> dict[str, torch.Tensor]:
    """Weights, averages and moments at a step."""
    return load_file(output / "checkpoints" / f"step-{step:08d}" / STATE / "state.safetensors")


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different


@pytest.fixture(scope="module")
def model(shards: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed training of 8 steps. Not to be written to."""
    output = tmp_path_factory.mktemp("model") / "model"
    assert train(shards, base, output, 8, "--evaluate-every", "4", "--save-every", "4", "--log-every", "1") == 0
    return output


def test_the_model_is_a_diffusers_folder_that_makes_pictures(model: Path) -> None:
    pipe = Face0Pipeline.from_pretrained(model)
    pipe.set_progress_bar_config(disable=True)
    face = np.random.default_rng(0).normal(size=1792).astype(np.float32)

    def picture(**options: object) -> np.ndarray:
        generator = torch.Generator().manual_seed(0)
        made = pipe("a photo", num_inference_steps=3, generator=generator, output_type="np", **options)
        return made.images[0]

    assert picture(face=face).shape == (64, 64, 3)
    np.testing.assert_array_equal(picture(face=face), picture(face=face))
    assert np.abs(picture(face=face) - picture()).max() > 0


def test_a_photograph_is_a_face(model: Path) -> None:
    pipe = Face0Pipeline.from_pretrained(model)
    pipe.set_progress_bar_config(disable=True)
    photograph = Image.open(io.BytesIO(people(1)[0][1]))
    with pytest.raises(UsageError, match="embedder"):
        pipe("a photo", face=photograph)
    pipe.embedder = embedder_config("random:0").load("cpu")
    assert pipe("a photo", face=photograph, num_inference_steps=2).images[0].size == (64, 64)
    with pytest.raises(UsageError, match="no face"):
        pipe("a photo", face=Image.new("RGB", (200, 200)))
    with pytest.raises(UsageError, match="128 values"):
        pipe("a photo", face=np.zeros(128))


def test_what_a_training_leaves(model: Path) -> None:
    lineage = json.loads((model / "lineage.json").read_text())
    assert lineage["step"] == 8
    assert lineage["embedder"]["name"] == "random:0"
    assert lineage["held_out_loss"] > 0
    assert {path.name for path in (model / "checkpoints").iterdir()} == {"step-00000004", "step-00000008"}
    assert not list(model.rglob("*.bin")) + list(model.rglob("*.pt")) + list(model.rglob("*.pkl"))
    width, height = Image.open(model / "samples" / "step-00000008.png").size
    assert (width, height) == (4 * 64, 2 * 64)
    assert list((model / "logs").iterdir())


def test_the_report_of_a_training_has_its_curves_and_grids(model: Path) -> None:
    page = (model / "report.html").read_text()
    assert "<title>Loss of the predicted noise</title>" in page
    assert "held out: " in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert (model / "report.html").stat().st_mode & 0o777 == 0o600


def test_the_report_goes_on_with_a_training_that_resumes(
    shards: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for steps in (2, 4):
        assert train(shards, base, tmp_path, steps, "--log-every", "1") == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"look at {tmp_path}/report.html"
    assert "at step 1" in (page := (tmp_path / "report.html").read_text())
    assert "<dt>steps</dt><dd>4</dd>" in page
    (tmp_path / "report.html").unlink()
    assert train(shards, base, tmp_path, 4) == 0  # with nothing left to do
    assert "<dt>steps</dt><dd>4</dd>" in (tmp_path / "report.html").read_text()


def test_stopped_and_resumed_the_weights_are_the_same(model: Path, shards: Path, base: Path, tmp_path: Path) -> None:
    for steps in (3, 5, 8):
        assert train(shards, base, tmp_path, steps) == 0
    assert_equal(state(tmp_path, 8), state(model, 8))


def test_shards_base_and_model_may_lie_on_an_object_store(
    bucket: str, model: Path, shards: Path, base: Path, tmp_path: Path
) -> None:
    fs, root = fsspec.core.url_to_fs(f"{bucket}/training")
    fs.put(f"{shards}/", f"{root}/shards/", recursive=True)
    fs.put(f"{base}/", f"{root}/base/", recursive=True)
    uri = f"{bucket}/training"
    for steps in (5, 8):
        assert train(f"{uri}/shards", f"{uri}/base", f"{uri}/model", steps) == 0
    assert max(Checkpoints(f"{uri}/model").records()) == 8
    fs.get(f"{root}/model/", f"{tmp_path}/", recursive=True)
    assert_equal(state(tmp_path, 8), state(model, 8))
    Face0Pipeline.from_pretrained(tmp_path)


def test_a_training_that_is_done_says_so(model: Path, shards: Path, base: Path, capsys) -> None:
    before = (model / "lineage.json").stat().st_mtime_ns
    assert train(shards, base, model, 8) == 0
    assert "already" in capsys.readouterr().out
    assert (model / "lineage.json").stat().st_mtime_ns == before


def test_half_a_checkpoint_is_never_picked_up(model: Path, shards: Path, base: Path, tmp_path: Path) -> None:
    assert train(shards, base, tmp_path, 4) == 0
    half = tmp_path / "checkpoints" / "step-00000006"
    (half / "unet").mkdir(parents=True)
    (half / "unet" / "config.json").write_text("{")
    assert train(shards, base, tmp_path, 8) == 0
    assert_equal(state(tmp_path, 8), state(model, 8))


def test_a_model_that_was_half_published_is_mended(model: Path, shards: Path, base: Path, tmp_path: Path) -> None:
    assert train(shards, base, tmp_path, 4) == 0
    lineage = json.loads((tmp_path / "lineage.json").read_text())
    (tmp_path / "lineage.json").write_text(json.dumps({**lineage, "step": 2}))
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    assert train(shards, base, tmp_path, 4) == 0
    Face0Pipeline.from_pretrained(tmp_path)


def test_another_configuration_is_refused(model: Path, shards: Path, base: Path, capsys) -> None:
    assert train(shards, base, model, 12, "--drop-face", "0.5") == 2
    assert "drop_face: 0.1, now 0.5" in capsys.readouterr().err


def test_a_base_is_known_by_its_weights_not_its_place(shards: Path, base: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(base, tmp_path / "base")
    assert train(shards, tmp_path / "base", tmp_path / "model", 1) == 0
    assert train(shards, base, tmp_path / "model", 2) == 0
    shutil.rmtree(tmp_path / "base")
    assert main(["init", "--preset", "tiny", "--seed", "1", "--output", str(tmp_path / "base")]) == 0
    assert train(shards, tmp_path / "base", tmp_path / "model", 3) == 2
    assert "another configuration (base: " in capsys.readouterr().err


def test_wandb_that_is_not_installed_is_told(shards: Path, base: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert train(shards, base, tmp_path / "model", 1, "--wandb", "faces") == 2
    assert "pip install wandb" in capsys.readouterr().err


def test_accumulation_is_the_same_training(shards: Path, base: Path, tmp_path: Path) -> None:
    # Where gradients are near 0, Adam's steps go by the sign of their rounding: they had better be small.
    rate = ("--learning-rate", "1e-4")
    parts = ("--accumulate", "2", "--gradient-checkpointing", "--cache-latents")
    assert train(shards, base, tmp_path / "parts", 8, *rate, *parts) == 0
    assert train(shards, base, tmp_path / "whole", 8, *rate) == 0
    assert train(shards, base, tmp_path / "half", 8, *rate, "--batch", "4") == 0
    in_parts, whole, half = (weights(tmp_path / name) for name in ("parts", "whole", "half"))
    assert (in_parts - whole).abs().mean() < 0.05 * (half - whole).abs().mean()


def weights(output: Path) -> torch.Tensor:
    """All weights after 8 steps, in one row."""
    return torch.cat(
        [value.flatten() for name, value in sorted(state(output, 8).items()) if name.startswith("weight.")]
    )


def test_cached_latents_are_the_same_training(model: Path, shards: Path, base: Path, tmp_path: Path) -> None:
    for steps in (6, 8):  # over an epoch, so that the cache is used
        assert train(shards, base, tmp_path, steps, "--cache-latents") == 0
    assert_equal(state(tmp_path, 8), state(model, 8))


def test_latents_on_disk_serve_the_next_training(
    model: Path, shards: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ("--cache-latents", str(tmp_path / "latents"), "--evaluate-every", "0")
    assert train(shards, base, tmp_path / "one", 8, *cache) == 0
    monkeypatch.setattr(Encoder, "_encode", None)
    assert train(shards, base, tmp_path / "other", 8, *cache) == 0
    for name in ("one", "other"):
        assert_equal(state(tmp_path / name, 8), state(model, 8))
    assert train(shards, base, tmp_path / "m", 1, "--cache-latents", "s3://bucket/latents") == 2


def test_a_lora_trains_few_weights_and_is_merged_into_the_model(shards: Path, base: Path, tmp_path: Path) -> None:
    assert train(shards, base, tmp_path, 2, "--lora", "4") == 0
    trained = [name for name in state(tmp_path, 2) if name.startswith("weight.unet")]
    assert trained
    assert all("lora" in name for name in trained)
    pipe = Face0Pipeline.from_pretrained(tmp_path)
    assert not any("lora" in name for name, _ in pipe.unet.named_parameters())
    assert train(shards, base, tmp_path, 3, "--lora", "4") == 0


def test_wrong_folders_are_told(shards: Path, base: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert train(shards, tmp_path / "empty", tmp_path / "m", 1) == 2
    assert "not a diffusers folder" in capsys.readouterr().err
    assert train(shards, tmp_path / "none", tmp_path / "m", 1) == 2
    assert "no folder" in capsys.readouterr().err
    assert train(tmp_path / "empty", base, tmp_path / "m", 1) == 2
    assert "no committed task" in capsys.readouterr().err
    assert train(shards, base, tmp_path / "m", 1, "--resolution", "60") == 2
    assert "multiple of 8" in capsys.readouterr().err


def test_a_loss_that_is_no_number_names_its_samples(shards: Path, base: Path) -> None:
    trainer = small_trainer(base, shards)
    batch = next(FaceShards([str(shards)], holdout=Holdout(count=0)).batches(batch=8, resolution=64, slots=1, seed=0))
    batch.faces[3] = float("nan")
    before = [parameter.clone() for parameter in trainer.pipe.unet.parameters()]
    with pytest.raises(TrainingError, match=batch.keys[3]) as caught:
        trainer.take_step(batch)
    assert batch.keys[2] not in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.pipe.unet.parameters(), strict=True))


def small_trainer(base: Path, shards: Path) -> Trainer:
    pipe = Face0Pipeline.from_base(load_base(base), FaceProjection(embedding_dim=1792, context_dim=32))
    config = TrainConfig(batch=8, resolution=64, drop_face=0.0, precision="fp32")
    return Trainer(pipe, config, RunOptions(), torch.device("cpu"))


def test_a_disk_that_is_full_costs_no_checkpoint(shards: Path, base: Path, tmp_path: Path) -> None:
    output = tmp_path / "model"
    assert train(shards, base, output, 2) == 0
    # No file may be larger than 1 MB, as if the disk ended there; the training state is larger.
    done = subprocess.run(
        [sys.executable, "-m", "jobs.main", "train", *arguments(shards, base, output, 4)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "could not be saved" in done.stderr
    assert list(Checkpoints(str(output)).records()) == [2]
    assert not (output / "checkpoints" / "step-00000004").exists()
    Face0Pipeline.from_pretrained(output)
    assert train(shards, base, output, 4) == 0


def test_a_broken_image_is_left_out_and_told(base: Path, tmp_path: Path, capsys) -> None:
    tar = write_tar(tmp_path / "people.tar", captioned(people(12)))
    assert augment(tar, tmp_path / "out") == 0
    (stats,) = OutputFolder(str(tmp_path / "out")).committed().values()
    path = tmp_path / "out" / next(file.name for file in stats.files if file.name.startswith("shards/"))
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    images[5] = b"\xff\xd8 no picture"
    column = table.schema.get_field_index("image")
    pq.write_table(table.set_column(column, table.schema.field("image"), pa.array(images, pa.binary())), path)
    restate(tmp_path / "out", path)
    assert train(tmp_path / "out", base, tmp_path / "m", 3, "--holdout", "0") == 0
    assert f"not trained on: {table['key'][5].as_py()}" in capsys.readouterr().err


def test_evaluate_conditioning_prints_a_table_and_writes_json(
    model: Path, shards: Path, tmp_path: Path, capsys
) -> None:
    command = ["evaluate", "conditioning", "--model", str(model), "--shards", str(shards), "--repeats", "2"]
    assert main([*command, "--json", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    validate(figures, "evaluate-conditioning")
    assert figures["samples"] == 4
    assert figures["loss"].keys() == {"true", "another", "none"}
    found = figures["difference"]["none"]
    assert found["low"] <= found["mean"] <= found["high"]
    assert "95 % interval" in capsys.readouterr().out


def test_evaluate_refuses_other_shards(model: Path, tmp_path: Path, capsys) -> None:
    tar = write_tar(tmp_path / "others.tar", captioned(people(6)))
    assert augment(tar, tmp_path / "out") == 0
    assert main(["evaluate", "conditioning", "--model", str(model), "--shards", str(tmp_path / "out")]) == 2
    assert "not the shards of the training" in capsys.readouterr().err


def test_v_prediction_and_several_slots(shards: Path, tmp_path: Path) -> None:
    command = ["init", "--preset", "tiny", "--output", str(tmp_path / "base"), "--prediction-type", "v_prediction"]
    assert main(command) == 0
    assert (
        train(shards, tmp_path / "base", tmp_path / "m", 2, "--slots", "2", "--min-snr", "5", "--drop-text", "0.1") == 0
    )
    assert Face0Pipeline.from_pretrained(tmp_path / "m").face_projection.config.slots == 2


def test_other_sizes_and_samplers_of_the_base(shards: Path, tmp_path: Path) -> None:
    base = base_model(BASE_PRESETS["tiny"], 0)
    base.scheduler = EulerDiscreteScheduler.from_config(base.scheduler.config)
    base.save_pretrained(tmp_path / "base")
    options = ("--resolution", "32", "--evaluate-every", "1", "--clip", "0")
    assert train(shards, tmp_path / "base", tmp_path / "m", 2, *options) == 0
    command = ["evaluate", "conditioning", "--model", str(tmp_path / "m"), "--shards", str(shards), "--repeats", "1"]
    assert main(command) == 0


def test_a_share_without_an_image_changes_nothing_but_the_count(shards: Path, base: Path) -> None:
    trainer = small_trainer(base, shards)
    batch = next(FaceShards([str(shards)], holdout=Holdout(count=0)).batches(batch=8, resolution=64, slots=1, seed=0))
    assert trainer.take_step(batch.take([])) == 0
    assert trainer.take_step(batch) > 0
    assert trainer.step == 2


def test_a_folder_with_other_things_is_not_written_into(shards: Path, base: Path, capsys) -> None:
    before = (base / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    assert train(shards, base, base, 1) == 2
    assert "other things" in capsys.readouterr().err
    assert (base / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == before


def test_init_never_overwrites(base: Path, capsys) -> None:
    assert main(["init", "--preset", "tiny", "--output", str(base)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_the_same_seed_makes_the_same_base() -> None:
    one, other = (base_model(BASE_PRESETS["tiny"], 3).unet.state_dict() for _ in range(2))
    assert_equal(one, other)


def start(shards: Path, base: Path, output: Path, steps: int, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs.main", "train", *arguments(shards, base, output, steps, *options)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_step(output: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not any(found >= step for found in Checkpoints(str(output)).records()):
        assert process.poll() is None or process.returncode == 0
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_killed_at_random_moments_the_weights_are_the_same(shards: Path, base: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    steps = 40
    # In a process of its own like the others: last bits depend on the number of torch's threads.
    assert start(shards, base, whole, steps, "--save-every", "5").wait() == 0
    rng = np.random.default_rng(0)
    kills = 0
    while not (records := Checkpoints(str(killed)).records()) or max(records) < steps:
        process = start(shards, base, killed, steps, "--save-every", "5")
        reached = max(records, default=0)
        if kills < 6:
            wait_for_step(killed, min(steps, reached + 5), process)
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == 6
    assert_equal(state(killed, steps), state(whole, steps))
    Face0Pipeline.from_pretrained(killed)


@pytest.mark.long
def test_asked_to_end_it_saves_and_exits_with_0(shards: Path, base: Path, tmp_path: Path) -> None:
    process = start(shards, base, tmp_path, 100_000, "--save-every", "5")
    wait_for_step(tmp_path, 5, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    step = max(Checkpoints(str(tmp_path)).records())
    assert step >= 5
    assert json.loads((tmp_path / "lineage.json").read_text())["step"] == step


@pytest.mark.long
def test_two_processes_are_one_training(shards: Path, base: Path, tmp_path: Path) -> None:
    # Where gradients are near 0, Adam's steps go by the sign of their rounding: they had better be small.
    options = ("--log-every", "1", "--learning-rate", "1e-4")
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = arguments(shards, base, tmp_path / "two", 5, *options)
    subprocess.run([*run, "-m", "jobs.main", "train", *command], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert train(shards, base, tmp_path / "two", 8, *options) == 0  # goes on as one
    assert train(shards, base, tmp_path / "one", 8, *options) == 0
    one, other = logged_losses(tmp_path / "two"), logged_losses(tmp_path / "one")
    assert one.keys() == other.keys() == set(range(1, 9))
    for step in one:
        assert one[step] == pytest.approx(other[step], rel=1e-4)


def logged_losses(output: Path) -> dict[int, float]:
    events = EventAccumulator(str(output / "logs")).Reload()
    return {event.step: event.value for event in events.Scalars("loss")}
