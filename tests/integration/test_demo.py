"""The whole loop, as the README walks it: photographs to shards, model, bank, images, and the two reports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from face0.errors import UsageError
from face0.evaluation.audit.arms import Cell
from face0.generation.results import open_results
from jobs.demo import main

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_the_demo_walks_the_whole_loop_offline(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere}
    run = subprocess.run(
        [sys.executable, "-m", "jobs.main", "demo", "--output", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    # 3 photographs of people, 24 crops; 2 pictures without a face; 4 broken rows.
    assert "read 33 = written 27 + no_face 2 + failed 4" in run.stdout
    assert "requested 12 = generated 12 + failed 0" in run.stdout  # 3 scenes x 2 faces x 2 seeds
    assert "requested 48 = generated 48 + failed 0" in run.stdout  # 4 arms x 3 scenes x 4 faces
    assert (tmp_path / "contact_sheet.png").stat().st_size > 10_000
    for name in ("renders", "characters", "audit"):
        page = (tmp_path / name / "report.html").read_text()
        assert "a statue of a person in the park" in page
        assert "http://" not in page.replace("http://www.w3.org/", "")
        assert "https://" not in page
    for name in ("characters", "audit"):
        renders = open_results(str(tmp_path / name / "renders"))
        assert renders.finished
        assert json.loads((tmp_path / name / "summary.json").read_text())
    arms = json.loads((tmp_path / "audit" / "summary.json").read_text())["arms"]
    assert {Cell(**{**arm, "prompt": ""}).arm: arm["requested"] for arm in arms} == dict.fromkeys(
        ("base", "zero", "random", "fixed"), 12
    )


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    with pytest.raises(UsageError, match="holds other things than a demo"):
        main(["--output", str(tmp_path)])
    assert (tmp_path / "shards").is_dir()
