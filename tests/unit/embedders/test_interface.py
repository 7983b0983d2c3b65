"""Faces go through a net a batch at a time."""

import numpy as np
import pytest

from face0.embedders.interface import EMBEDDING_BATCH, in_batches


@pytest.mark.parametrize("always_full", [False, True])
@pytest.mark.parametrize("count", [0, 1, EMBEDDING_BATCH, 2 * EMBEDDING_BATCH + 3])
def test_vectors_come_in_the_order_of_the_crops(count, always_full):
    sizes = []

    def net(crops: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        return np.float32(crops.sum(axis=(1, 2))[:, None] * [1, 2])

    crops = np.arange(count, dtype=np.uint8)[:, None, None]
    vectors = in_batches(net, crops, 2, always_full)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[i, 2 * i] for i in range(count)]
    whole, rest = divmod(count, EMBEDDING_BATCH)
    last = [EMBEDDING_BATCH if always_full else rest] if rest else []
    assert sizes == [EMBEDDING_BATCH] * whole + last
