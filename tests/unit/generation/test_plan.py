"""What is left to render: manifests joined with banks, and cut into tasks."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from face0.errors import UsageError
from face0.generation.manifest import cross
from face0.generation.plan import PROBLEMS, join_requests, plan_requests
from face0.generation.requests import Request, read_requests
from face0.tasks.output_folder import OutputFolder
from schemas.failures import Reason
from tests.fixtures.requests import BANK, MODEL, asked


def test_a_denied_face_is_not_rendered() -> None:
    manifest = cross(["a cat"], ["anna", "berta", ""], [0])
    requests, _ = join_requests(manifest, BANK, MODEL, portraits=False, denied={"anna"})
    assert [request.reason for request in requests] == [Reason.DENIED, None, None]
    assert requests[0].vector is None


def test_a_bank_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match="8 values, the model takes 16"):
        join_requests(cross(["a"], ["anna"], [0]), BANK, replace(MODEL, dim=16), portraits=False)


def test_a_repeated_request_is_made_once() -> None:
    manifest = pa.concat_tables([cross(["a", "b"], ["anna"], [0]), cross(["b"], ["twin"], [0, 1])])
    requests, repeated = join_requests(manifest, BANK, MODEL, portraits=False)
    assert [(request.prompt, request.seed) for request in requests] == [("a", 0), ("b", 0), ("b", 1)]
    assert repeated == 1


def test_a_face_is_found_in_either_unicode_form() -> None:
    bank = replace(BANK, faces={"Jose\u0301": replace(BANK.faces["anna"], face_id="Jose\u0301")})
    (request,), _ = join_requests(cross(["a"], ["Jos\u00e9"], [0]), bank, MODEL, portraits=False)
    assert request.reason is None
    assert request.face_id == "Jose\u0301"


def test_a_request_keeps_no_content_in_its_names() -> None:
    photograph = "data:image/jpeg;base64," + "aB3/" * 1000
    manifest = cross(["a"], [photograph], [0], {"label": photograph})
    (request,), _ = join_requests(manifest, BANK, MODEL, portraits=False)
    assert request.reason == Reason.UNKNOWN_FACE
    for text in (request.face_id, request.label, request.message):
        assert len(text) < 400
        assert "aB3/aB3/" not in text


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
