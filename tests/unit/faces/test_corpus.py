"""What a corpus comes to in any order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from face0.faces.corpus import Corpus
from face0.shards.rows import FaceRow
from face0.statistics.sampling import name_hashes
from tests.fixtures.spaces import row, table


@st.composite
def splits(draw: st.DrawFn) -> tuple[list[FaceRow], int, list[list[int]]]:
    """Rows with no, one or two faces, some of them no numbers; and parts of their indices, in any order."""
    dim = draw(st.integers(1, 5))
    count = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    offset = draw(st.sampled_from([0.0, 100.0]))  # large beside the spread: where sums of squares would fail
    rows = []
    for i in range(count):
        vectors = (offset + rng.normal(size=(draw(st.sampled_from([0, 1, 1, 2])), dim))).astype(np.float16)
        if len(vectors) and draw(st.integers(0, 9)) == 0:
            vectors[0, 0] = np.inf
        rows.append(row(f"r{i}", *vectors, dim=dim))
    order = draw(st.permutations(range(count)))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=5)))
    parts = [list(order[a:b]) for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    return rows, dim, parts


@settings(deadline=None, max_examples=150)
@given(splits(), st.integers(1, 70))
def test_a_corpus_is_what_numpy_says_of_all_its_largest_faces_however_it_is_split(split, size):
    rows, dim, parts = split
    found = [Corpus.of(table([rows[i] for i in part], dim), size) for part in parts if part]
    half = len(found) // 2  # merged as a tree, not only one by one
    merged = sum(found[half:], Corpus.empty(dim, size)) + sum(found[:half], Corpus.empty(dim, size))
    largest = {each.key: each.embeddings[0] for each in rows if len(each.embeddings)}
    used = {key: vector for key, vector in largest.items() if np.isfinite(vector).all()}
    values = np.array(list(used.values()), np.float64).reshape(-1, dim)
    assert (merged.faces, merged.not_finite) == (len(used), len(largest) - len(used))
    assert merged.rows == len(rows)
    names = [f"{key} of {key}" for key in used]
    lowest = np.argsort(name_hashes(names))[:size]
    assert np.array_equal(merged.sample.rows, values[lowest].astype(np.float16))
    if len(used):
        assert np.allclose(merged.moments.mean, values.mean(axis=0), rtol=1e-12, atol=1e-12)
        assert np.array_equal(merged.low, values.min(axis=0))
        assert np.array_equal(merged.high, values.max(axis=0))
    if len(used) > 1:
        expected = np.cov(values.T).reshape(dim, dim)
        assert np.allclose(merged.moments.covariance(), expected, rtol=1e-9, atol=1e-9)
