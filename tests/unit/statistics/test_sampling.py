"""Samples by the lowest hashes, in parts that merge."""

import numpy as np

from face0.statistics.sampling import LowestHashSample, name_hashes


def test_parts_in_any_order_make_the_sample_of_the_whole() -> None:
    hashes = name_hashes(f"row {i}" for i in range(1000))
    rows = np.empty(1000, [("place", np.int64), ("vector", np.float32, 3)])
    rows["place"], rows["vector"] = np.arange(1000), np.arange(3000).reshape(1000, 3)
    parts = [LowestHashSample.of(hashes[i::7], rows[i::7], 40) for i in range(7)]
    expected = rows[np.argsort(hashes)[:40]]
    for order in (range(7), reversed(range(7))):
        merged = LowestHashSample.of(hashes[:0], rows[:0], 40)
        for i in order:
            merged += parts[i]
            assert sum(len(part) for part, _ in merged.parts) <= 2 * 40
        np.testing.assert_array_equal(merged.rows, expected)


def test_fewer_rows_than_the_sample_are_all_in_it() -> None:
    sample = LowestHashSample.of(name_hashes(["b", "a"]), np.array([[1.0], [2.0]]), 5)
    assert sorted(sample.rows[:, 0]) == [1, 2]
    assert sample.rows.tolist() == sample.sorted().rows.tolist()


def test_hashes_stay_what_they_are() -> None:
    """A sample that is drawn again under another version is the same."""
    assert name_hashes(["", "a"]).tolist() == [13020603013274838756, 3405396810240292928]
