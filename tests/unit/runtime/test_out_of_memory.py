"""Batches that shrink until they fit."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from face0.detection.detections import Detections
from face0.detection.mtcnn import Detector
from face0.runtime.out_of_memory import FittingBatches
from tests.fixtures.pictures import augment, captioned, original, rows, success, write_tar


class Memory:
    """Room for so many units; doubles what it is given."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(len(items))
        if sum(items) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return [2 * item for item in items]


def test_what_fits_runs_whole() -> None:
    memory = Memory(room=100)
    assert FittingBatches(memory, 4)([1, 2, 3, 4, 5]) == [2, 4, 6, 8, 10]
    assert memory.batches == [4, 1]


def test_a_batch_is_halved_and_the_size_that_fits_is_remembered() -> None:
    memory = Memory(room=3)
    batches = FittingBatches(memory, 8)
    assert batches([1] * 8) == [2] * 8
    assert memory.batches == [8, 4, 2, 2, 2, 2]
    assert batches.size == 2
    batches([1] * 4)
    assert memory.batches[6:] == [2, 2]


def test_only_the_item_that_cannot_fit_fails() -> None:
    results = FittingBatches(Memory(room=3), 4)([1, 9, 1, 1])
    assert [isinstance(result, MemoryError) for result in results] == [False, True, False, False]
    assert "20 GiB" in str(results[1])


def test_an_item_that_never_fits_does_not_make_the_next_batches_small() -> None:
    batches = FittingBatches(Memory(room=3), 2)
    batches([1, 9, 1, 1])
    assert batches.size == 2


def test_an_item_that_did_not_fit_beside_others_is_tried_again_alone() -> None:
    running = 0
    lock = threading.Lock()

    def crowded(items: Sequence[int]) -> list[int]:
        nonlocal running
        with lock:
            running += 1
        try:
            time.sleep(0.02)
            if running > 1:
                raise RuntimeError("CUDA error: out of memory")
            return list(items)
        finally:
            with lock:
                running -= 1

    batches = FittingBatches(crowded, 1)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(batches, [[i] for i in range(12)])) == [[i] for i in range(12)]


def test_an_error_is_of_the_one_item_that_raises_it() -> None:
    def broken(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise RuntimeError("shapes do not match")
        return [2 * item for item in items]

    batches = FittingBatches(broken, 4)
    *others, of_three = batches([1, 2, 4, 5, 3])
    assert others == [2, 4, 8, 10]
    assert isinstance(of_three, RuntimeError)
    assert str(of_three) == "shapes do not match"
    assert batches.size == 4


def test_a_failed_gpu_ends_the_work() -> None:
    def broken(_items: Sequence[int]) -> list[int]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="device-side"):
        FittingBatches(broken, 2)([1])


def test_torchs_own_refusal_on_a_cpu_is_known() -> None:
    (result,) = FittingBatches(lambda items: [torch.empty(2**60) for _ in items], 1)([1])
    assert isinstance(result, MemoryError)


def test_the_image_that_does_not_fit_is_a_failure_row(tmp_path, monkeypatch) -> None:
    astronaut = {"astronaut.png": original("astronaut")}
    tar = write_tar(tmp_path / "in.tar", captioned([*astronaut.items(), ("coffee.png", original("coffee"))]))
    detect = Detector.detect

    def small_memory(self: Detector, images: Sequence[np.ndarray]) -> list[Detections]:
        if any(image.shape[0] < 512 for image in images):  # the coffee
            raise torch.OutOfMemoryError("CUDA out of memory")
        return detect(self, images)

    monkeypatch.setattr(Detector, "detect", small_memory)
    assert augment(tar, tmp_path / "out", "--max-failures", "1") == 0
    assert (success(tmp_path / "out")["ledger"]["written"], success(tmp_path / "out")["ledger"]["failed"]) == (1, 1)
    (failure,) = rows(tmp_path / "out", "failures")
    assert (failure["key"], failure["stage"], failure["reason"]) == ("coffee", "faces", "out_of_memory")
