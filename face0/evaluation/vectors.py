"""The identity vectors of faces in generated images."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.embedders.identity import identity_of
from face0.generation.results import Results
from face0.statistics.vectors import as_stored, unit
from schemas.requests import RESULTS


def result_vectors(column: pa.ChunkedArray) -> np.ndarray | None:
    """A column of lists of numbers as unit vectors: float32 [n, d]; None if no row has any.

    NaN in rows without one, and in those whose vector is all zeros, for no face is like that.

    Args:
        column: ``identity_vector`` or ``judge_vector`` of ``schemas.requests.RESULTS``.
    """
    present = np.flatnonzero(column.is_valid().to_numpy())
    if not len(present):
        return None
    stored = unit(np.stack([np.asarray(vector, np.float32) for vector in column.drop_null().to_pylist()]))
    vectors = np.full((len(column), stored.shape[1]), np.nan, np.float32)
    vectors[present] = np.where(stored.any(axis=1, keepdims=True), stored, np.nan)
    return vectors


def read_identified(results: Results, columns: Sequence[str], weights: str | None = None) -> pa.Table:
    """Reads results, with the identity vectors that version 1 of the schema did not store.

    Args:
        results: of generate.
        columns: to read, ``identity_vector`` among them.
        weights: URI of the embedder's weights, where they are not in their usual place.

    Raises:
        UsageError: there are no results; or rows lack identity vectors, and the weights to compute them are not there.
    """
    table = results.table(columns)
    embedder = results.job.config.get("embedder")
    if embedder is None:
        return table
    vectors = _vectors_to_identify(results, table)
    if vectors is None:
        return table
    lacking = np.flatnonzero(vectors.is_valid().to_numpy())
    identity = identity_of(embedder, weights)
    computed = identity(np.stack([np.asarray(vector, np.float32) for vector in vectors.drop_null().to_pylist()]))
    place = table.schema.get_field_index("identity_vector")
    column = table["identity_vector"].to_pylist()
    for row, vector in zip(lacking.tolist(), as_stored(computed), strict=True):
        column[row] = vector
    field = RESULTS.field("identity_vector")
    return table.set_column(place, field, pa.array(column, field.type))


def _vectors_to_identify(results: Results, table: pa.Table) -> pa.ChunkedArray | None:
    """The face vectors of rows without an identity vector, null in the others; None if there are none.

    They are the largest column by far, and of rows of today none is read.
    """
    lacking = pc.and_(pc.is_null(table["identity_vector"]), pc.greater(table["faces_found"], 0))
    if not pc.any(lacking).as_py():
        return None
    vectors = results.table(["face_vector"])["face_vector"].combine_chunks()
    mask = pc.and_(lacking, vectors.is_valid()).combine_chunks()
    if not pc.any(mask).as_py():
        return None
    index = pc.if_else(mask, pa.array(range(len(vectors)), pa.int64()), None)
    return pa.chunked_array([vectors.take(index)])
