"""Manifests, requests and their ids, and the plan of what is left to render."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.faces.bank import BankFace, FaceBank
from face0.generation.manifest import cross, read_manifest
from face0.generation.plan import PROBLEMS, join_requests, plan_requests
from face0.generation.prompts import read_prompts
from face0.generation.requests import Request, as_table, read_requests
from face0.model.folder import ModelFacts
from face0.tasks.output_folder import OutputFolder
from schemas.face_bank import Kind
from schemas.failures import Reason
from schemas.requests import MANIFEST
from tests.fixtures.models import DIM, EMBEDDER, vector

MODEL = ModelFacts(fingerprint="f", dim=DIM, multiple=8, side=64)
BANK = FaceBank(
    faces={
        "anna": BankFace(face_id="anna", vector=vector(0), kind=Kind.RANDOM),
        "berta": BankFace(face_id="berta", vector=vector(1), kind=Kind.RANDOM, portrait=b"a picture"),
        "twin": BankFace(face_id="twin", vector=vector(0), kind=Kind.RANDOM),
        "nobody": BankFace(face_id="nobody", vector=None, kind=Kind.PHOTOS, note="no face was found in 1.jpg"),
        "short": BankFace(face_id="short", vector=vector(0)[:4], kind=Kind.RANDOM),
    },
    dim=DIM,
    embedder=EMBEDDER,
)


def asked(**settings: object) -> Request:
    """The request of one row."""
    columns = {"prompts": ["a cat"], "faces": ["anna"], "seeds": [0]}
    for plural, name in (("prompts", "prompt"), ("faces", "face_id"), ("seeds", "seed")):
        if name in settings:
            columns[plural] = [settings.pop(name)]
    (request,), _ = join_requests(cross(**columns, settings=settings), BANK, MODEL, portraits=True)
    return request


CHANGES = [
    {"prompt": "a dog"}, {"negative_prompt": "blur"}, {"face_id": "berta"}, {"face_id": ""}, {"seed": 1}, {"w": 3.0},
    {"c": 0.5}, {"a": 0.5}, {"guide_from": 0.1}, {"guide_to": 0.9}, {"rescale": 0.5}, {"sigma": 0.1},
    {"sampler": "euler"}, {"steps": 20}, {"width": 128}, {"height": 128}, {"face_id": "", "bare": True},
]  # fmt: skip


def test_a_requests_id_is_of_all_that_determines_the_image_and_nothing_else() -> None:
    names = [asked(**change).request_id for change in CHANGES]
    assert len({*names, asked().request_id}) == len(CHANGES) + 1
    for same in ({}, {"label": "mine"}, {"face_id": "twin"}, {"width": 64, "height": 64}, {"w": 7.5}):
        assert asked(**same).request_id == asked().request_id
    other = replace(MODEL, fingerprint="g")
    (request,), _ = join_requests(cross(["a cat"], ["anna"], [0]), BANK, other, portraits=False)
    assert request.request_id != asked().request_id


def test_ids_do_not_change_between_versions() -> None:
    assert asked(face_id="", prompt="é").request_id == "ad24f80ee862d7f636d9d763ec9d3325"


@pytest.mark.parametrize(
    ("settings", "reason", "said"),
    [
        ({"face_id": "zoe"}, Reason.UNKNOWN_FACE, "no face 'zoe'; it has 5: 'anna'"),
        ({"face_id": "nobody"}, Reason.NO_VECTOR, "no face was found in 1.jpg"),
        ({"face_id": "short"}, Reason.NO_VECTOR, "has 4 values, the model takes 8"),
        ({"width": 60}, Reason.BAD_REQUEST, "width 60: give a multiple of 8"),
        ({"height": 8192}, Reason.BAD_REQUEST, "height 8192"),
        ({"width": -8}, Reason.BAD_REQUEST, "width -8"),
        ({"sampler": "plms"}, Reason.BAD_REQUEST, "sampler 'plms': give one of ddim"),
        ({"steps": 0}, Reason.BAD_REQUEST, "steps 0"),
        ({"seed": -1}, Reason.BAD_REQUEST, "seed -1"),
        ({"w": float("nan")}, Reason.BAD_REQUEST, "w nan"),
        ({"guide_to": 2.0}, Reason.BAD_REQUEST, "guide_to 2: give 0 to 1"),
        ({"sigma": -1.0}, Reason.BAD_REQUEST, "sigma -1"),
        ({"bare": True}, Reason.BAD_REQUEST, "leave face_id empty"),
    ],
)
def test_what_cannot_be_rendered_says_why(settings: dict[str, object], reason: Reason, said: str) -> None:
    request = asked(**settings)
    assert request.reason == reason
    assert said in (request.message or "")


def test_a_denied_face_is_not_rendered() -> None:
    manifest = cross(["a cat"], ["anna", "berta", ""], [0])
    requests, _ = join_requests(manifest, BANK, MODEL, portraits=False, denied={"anna"})
    assert [request.reason for request in requests] == [Reason.DENIED, None, None]
    assert requests[0].vector is None


def test_a_bank_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match="8 values, the model takes 16"):
        join_requests(cross(["a"], ["anna"], [0]), BANK, replace(MODEL, dim=16), portraits=False)


def test_requests_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    requests = [asked(), asked(face_id="berta"), asked(face_id=""), asked(face_id="zoe")]
    pq.write_table(as_table(requests), tmp_path / "r.parquet")
    back = read_requests(str(tmp_path / "r.parquet"), 0)
    for one, other in zip(requests, back, strict=True):
        assert {**vars(one), "vector": None} == {**vars(other), "vector": None}
        assert (one.vector is None) == (other.vector is None)
        assert one.vector is None or (one.vector == other.vector).all()
    assert back[1].portrait == b"a picture"


def test_a_repeated_request_is_made_once() -> None:
    manifest = pa.concat_tables([cross(["a", "b"], ["anna"], [0]), cross(["b"], ["twin"], [0, 1])])
    requests, repeated = join_requests(manifest, BANK, MODEL, portraits=False)
    assert [(request.prompt, request.seed) for request in requests] == [("a", 0), ("b", 0), ("b", 1)]
    assert repeated == 1


# --- Manifests


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl", "m.parquet"])
def test_a_manifest_of_ones_own_needs_prompts_only(tmp_path: Path, name: str) -> None:
    path, rows = tmp_path / name, [{"prompt": 'a "cat", sitting', "seed": 3}, {"prompt": "a dog", "seed": None}]
    if name.endswith("jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        mark = "," if name.endswith("csv") else "\t"
        path.write_text(f'prompt{mark}seed\n"a ""cat"", sitting"{mark}3\na dog{mark}\n')
    table = read_manifest(str(path))
    assert table.schema == MANIFEST
    assert table["prompt"].to_pylist() == ['a "cat", sitting', "a dog"]
    assert table["seed"].to_pylist() == [3, 0]
    assert table["w"].to_pylist() == [7.5, 7.5]
    assert table["sampler"].to_pylist() == ["ddim", "ddim"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face_id,seed\nanna,1\n", "has no column prompt, only face_id, seed"),
        ("prompt,seeds\na,1\n", "columns that a manifest does not: seeds"),
        ("prompt,seed\na,many\n", "the column seed is not int64"),
        ("prompt,seed\n", "has no rows"),
        ("", "cannot read"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_manifest(str(tmp_path / "m.csv"))


def test_prompts_are_lines_or_a_column_each_once(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a cat\n\n  a dog \na cat\n")
    (tmp_path / "p.tsv").write_text("Prompt\tCategory\na cat\tAnimals\na dog\tAnimals\n")
    assert read_prompts(str(tmp_path / "p.txt")) == read_prompts(str(tmp_path / "p.tsv")) == ["a cat", "a dog"]
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UsageError, match="holds no prompts"):
        read_prompts(str(tmp_path / "empty.txt"))


# --- The plan


def requests_of(*seeds: int, **settings: object) -> list[Request]:
    return [asked(seed=seed, **settings) for seed in seeds]


class Plans:
    """An output folder in which planned tasks are committed at will."""

    def __init__(self, root: str) -> None:
        self.root, self.folder = root, OutputFolder(root)

    def plan(self, requests: list[Request], commit: int = 0) -> list[list[int]]:
        """Plans, commits the first few of what is left; returns the seeds of the tasks that were left."""
        planned = plan_requests(self.folder, requests, self.folder.committed(), size=4)
        planned.prepare(self.folder)
        for stats in planned.stale:
            self.folder.take_back(stats)
        committed = self.folder.committed()
        left = [task for task in planned.tasks if task.task_id not in committed]
        for task in left[:commit]:
            with self.folder.commit(task):
                pass
        return [[request.seed for request in read_requests(f"{self.root}/{task.uri}", task.row_group)] for task in left]

    def files(self) -> list[str]:
        fs_root = Path(self.root)
        return sorted(path.name for path in (fs_root / "requests").glob("*"))


def test_a_manifest_that_has_grown_plans_what_is_new(tmp_path: Path) -> None:
    plans = Plans(str(tmp_path))
    assert plans.plan(requests_of(*range(8)), commit=2) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert plans.plan(requests_of(*range(11)), commit=1) == [[8, 9, 10]]
    assert plans.plan(requests_of(*range(11))) == []
    assert plans.plan(requests_of(3, 4)) == []


def test_tasks_that_were_not_done_are_planned_again_as_they_were(tmp_path: Path) -> None:
    plans = Plans(str(tmp_path))
    plans.plan(requests_of(*range(8)), commit=1)
    files = plans.files()
    assert plans.plan(requests_of(*range(8))) == [[4, 5, 6, 7]]
    assert plans.files() == files


def test_what_nobody_asks_for_any_more_goes_with_the_images_that_a_kill_left(tmp_path: Path) -> None:
    plans = Plans(str(tmp_path))
    before = requests_of(*range(8))
    plans.plan(before, commit=1)
    (tmp_path / "images").mkdir()
    for request in before:
        (tmp_path / "images" / f"{request.request_id}.png").write_bytes(b"")
    assert plans.plan(requests_of(0, 4, 5, 9)) == [[4, 5, 9]]
    left = {path.stem for path in (tmp_path / "images").iterdir()}
    assert left == {request.request_id for request in before[:6]}
    assert len(plans.files()) == 2  # the first stays for its committed task


def test_problems_are_planned_anew_each_time(tmp_path: Path) -> None:
    plans = Plans(str(tmp_path))
    assert plans.plan([*requests_of(0), *requests_of(1, face_id="zoe")], commit=2) == [[0], [1]]
    assert plans.plan([*requests_of(0), *requests_of(1, face_id="zoe")]) == []
    (failed,) = [name for name in plans.folder.committed() if PROBLEMS in name]
    assert plans.plan(requests_of(0, 1)) == [[1]]  # the bank has the face by now
    assert failed not in plans.folder.committed()
    assert not any(PROBLEMS in name for name in plans.files())


def test_alike_requests_meet(tmp_path: Path) -> None:
    mixed = [asked(seed=i, width=64 * (1 + i % 2), prompt=f"prompt {i % 4 // 2}") for i in range(8)]
    planned = plan_requests(OutputFolder(str(tmp_path)), mixed, {}, size=4)
    (groups,) = planned.files.values()
    assert [{request.width for request in group} for group in groups] == [{64}, {128}]
    assert [request.prompt[-1] for group in groups for request in group] == list("00110011")
