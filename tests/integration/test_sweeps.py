"""``face0 characters`` and ``face0 audit`` from command line to report, on a model that draws no faces."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from face0.faces.bank import read_bank, write_bank
from face0.faces.space import FaceSpace
from jobs.main import main
from pipelines.flags import split_flags
from tests.fixtures.json_schemas import validate
from tests.fixtures.models import tiny_pipeline, write_model
from tests.fixtures.pictures import contents, people


@pytest.fixture(scope="module")
def model(space: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = FaceSpace.load(str(space)).record
    return write_model(tmp_path_factory.mktemp("model") / "model", tiny_pipeline(dim=record.dim), record.embedder)


def job(name: str, model: Path, output: Path, *options: object) -> int:
    """Runs the job in this process."""
    usual = ("--embedder", "random:0", "--steps", 1, "--threads", 1, "--batch", 16, "--worker-processes", 0)
    return main([name, *map(str, ("--model", model, "--output", output, *usual, *options))])


def audit(model: Path, space: Path, output: Path, *options: object) -> int:
    """With few permutations, for its figures are not looked at."""
    effort = ("--resamples", 99, "--permutations", 99)
    return job("audit", model, output, "--space", space, *effort, *options)


def asked(output: Path) -> dict[tuple[str, str], int]:
    """Requests of each arm and its settings."""
    summary = json.loads((output / "summary.json").read_text())
    validate(summary, "audit-summary")
    return {(arm["arm"], arm["settings"]): arm["requested"] for arm in summary["arms"]}


def test_an_audit_of_a_template_over_a_grid_with_groups(model, space, tmp_path, capsys):
    (tmp_path / "words.txt").write_text("cook\njudge\n")
    assert main(["faces", "sample", str(space), "--n", "12", "--output", str(tmp_path / "labelled.parquet")]) == 0
    names = list(read_bank(str(tmp_path / "labelled.parquet")).faces)
    labels = [f"{name},{'ab'[i % 2]}" for i, name in enumerate(names)]
    (tmp_path / "hats.csv").write_text("\n".join(["face_id,group", *labels]))
    options = ("--template", "a photo of a {x}", "--words", tmp_path / "words.txt", "--random", 2)
    grid = ("--grid", "0.4,0", "--grid", "1.4,1")
    known = ("--groups", tmp_path / "hats.csv", "--group-faces", tmp_path / "labelled.parquet")
    assert audit(model, space, tmp_path / "out", *options, *grid, *known) == 0
    assert "requested 24 = generated 24 + failed 0" in capsys.readouterr().out
    assert asked(tmp_path / "out") == {
        ("base", "c 1, a 0"): 4,
        ("zero", "c 1, a 0"): 4,
        ("random", "c 0.4, a 0"): 4,
        ("random", "c 1.4, a 1"): 4,
        ("fixed", "c 0.4, a 0"): 4,
        ("fixed", "c 1.4, a 1"): 4,
    }
    assert "a photo of a judge" in (tmp_path / "out" / "report.html").read_text()
    (tmp_path / "hats.csv").write_text("face_id,group\nzoe,a\n")
    assert audit(model, space, tmp_path / "out", *options, *grid, *known) == 2
    assert "labels 'zoe'" in capsys.readouterr().err


def test_a_sweep_may_grow_and_another_one_is_refused(model, space, tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("a cook\na judge\n")
    out, prompts = tmp_path / "out", ("--prompts", tmp_path / "prompts.txt")
    assert audit(model, space, out, *prompts, "--random", 2) == 0
    (fixed, *_) = read_bank(str(out / "faces.parquet")).faces
    assert audit(model, space, out, *prompts, "--random", 3) == 0
    assert asked(out) == dict.fromkeys([(arm, "") for arm in ("base", "zero", "random", "fixed")], 6)
    assert next(iter(read_bank(str(out / "faces.parquet")).faces)) == fixed
    before = contents(out)
    capsys.readouterr()
    for others, number in ((("--random", 2), 8), (("--random", 3, "--draw-seed", 1), 12)):
        assert audit(model, space, out, *prompts, *others) == 2
        assert f"holds {number} requests that are not of this sweep" in capsys.readouterr().err
    assert contents(out) == before


def test_a_sweep_goes_on_after_a_face_was_forgotten(model, space, tmp_path, capsys):
    (tmp_path / "prompts.txt").write_text("a cook\na judge\n")
    out, sweep = tmp_path / "out", ("--prompts", tmp_path / "prompts.txt", "--random", 3)
    assert audit(model, space, out, *sweep) == 0
    bank = read_bank(str(out / "faces.parquet"))
    *_, last = bank.faces
    write_bank(str(tmp_path / "who.parquet"), [bank.faces[last]], bank.dim, bank.embedder)
    places = ("--in", str(out / "renders"), "--in", str(out / "faces.parquet"))
    who = ("--faces", str(tmp_path / "who.parquet"), "--threshold", "0.9999")
    assert main(["forget", *who, *places, "--apply"]) == 0
    before = contents(out / "renders" / "images")
    capsys.readouterr()
    assert audit(model, space, out, *sweep) == 0
    assert "requested 24 = generated 22 + failed 2" in capsys.readouterr().out
    assert asked(out) == {("base", ""): 6, ("zero", ""): 6, ("random", ""): 4, ("fixed", ""): 6}
    assert last not in read_bank(str(out / "faces.parquet")).faces
    assert contents(out / "renders" / "images") == before


def test_what_a_killed_sweep_did_not_come_to_is_not_counted(model, space, tmp_path):
    (tmp_path / "prompts.txt").write_text("a cook\na judge\n")
    out, sweep = tmp_path / "out", ("--prompts", tmp_path / "prompts.txt", "--random", 2, "--requests-per-task", 2)
    assert audit(model, space, out, *sweep) == 0
    (out / "renders" / "_SUCCESS").unlink()
    for path in (out / "renders" / "results").iterdir():
        if "a judge" in pq.read_table(path)["prompt"].to_pylist():
            (out / "renders" / "stats" / f"{path.stem}.json").unlink()
    (tmp_path / "prompts.txt").write_text("a cook\na pilot\n")
    assert audit(model, space, out, *sweep) == 0
    assert asked(out) == dict.fromkeys([(arm, "") for arm in ("base", "zero", "random", "fixed")], 4)
    assert "a judge" not in (out / "report.html").read_text()


def test_characters_beside_real_people(model, space, tmp_path):
    for name, photograph in people(6):
        person = tmp_path / "album" / ("anna", "bert")[int(name[1:5]) % 2]
        person.mkdir(parents=True, exist_ok=True)
        (person / name).write_bytes(photograph)
    (tmp_path / "scenes.txt").write_text("in the park\non a boat\n")
    sweep = ("--random", 3, "--space", space, "--scenes", tmp_path / "scenes.txt", "--seeds", 2)
    assert job("characters", model, tmp_path / "out", *sweep, "--photos", tmp_path / "album") == 0
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    validate(found, "characters-summary")
    assert len(found["characters"]) == 3
    assert {each["name"] for each in found["characters"]} == set(read_bank(str(tmp_path / "out/faces.parquet")).faces)
    (real,) = found["real"]
    assert (real["encoder"], real["auc"]) == ("conditioning", pytest.approx(1))
    assert (real["same"]["count"], real["different"]["count"]) == (6, 9)


@pytest.mark.parametrize("command", ["augment", "generate", "characters", "audit", "faces fit"])
def test_no_option_of_a_job_is_one_of_beams_which_would_take_it(command, capsys):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    options = sorted(set(re.findall(r"(?m)^  (--[a-z][a-z-]+)", capsys.readouterr().out)))
    assert len(options) > 4
    assert split_flags(options)[1] == options
