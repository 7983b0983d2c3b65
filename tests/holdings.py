"""A small world made by hand: shards, banks and renders with three people in them, by vectors of four values.

Anna, Bob and Cora look like the first three axes. Anna is on ``a1`` alone, and on ``group`` behind Bob.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from renders import row, thumbnail

from face0.detection.detections import Faces
from face0.faces.bank import Face, write_bank
from face0.io import storage
from face0.reports.generation import write_report
from face0.shards.rows import FaceRow, to_batch
from face0.tasks.output_folder import OutputFolder
from face0.tasks.totals import result_totals, shard_totals
from schemas.face_bank import Kind
from schemas.face_shard import face_shard
from schemas.failures import Failure, Reason, Stage
from schemas.requests import REQUESTS, RESULTS

DIM = 4
EMBEDDER = {"name": "onnx:test.onnx", "sha256": "00", "crop": "five points 112", "normalisation": "0"}
ANNA, BOB, CORA = np.eye(DIM, dtype=np.float32)[:3]
MANY = 300  # rows of nobody in particular: more than a row group


@dataclass(frozen=True, kw_only=True)
class Part:
    """A task of augment or of generate."""

    task_id: str
    uri: str
    row_group: int = 0


@dataclass(frozen=True)
class World:
    """Where the things are."""

    root: str

    @property
    def shards(self) -> str:
        return f"{self.root}/shards"

    @property
    def people(self) -> str:
        return f"{self.root}/people.parquet"

    @property
    def made(self) -> str:
        return f"{self.root}/made.parquet"

    @property
    def renders(self) -> str:
        return f"{self.root}/renders"

    @property
    def wanted(self) -> str:
        """A bank of Anna alone, which is no part of the rest."""
        return f"{self.root}/wanted.parquet"

    @property
    def places(self) -> list[str]:
        return [self.shards, self.people, self.made, self.renders]


def like(*parts: tuple[float, np.ndarray]) -> np.ndarray:
    return np.sum([share * vector for share, vector in parts], axis=0).astype(np.float32)


def digest(name: str) -> str:
    """Of the photograph that a key names."""
    return hashlib.sha256(name.encode()).hexdigest()


def build(root: str) -> World:
    world = World(root)
    alone = {f"n{i:03d}": [like((1, np.eye(DIM)[3]), (0.1, BOB))] for i in range(MANY)}
    commit_shard(world.shards, "t0", {"a1": [ANNA], "b1": [BOB], "group": [2 * BOB, like((0.9, ANNA), (0.3, CORA))]})
    commit_shard(world.shards, "t1", {**alone, "a2": [like((1, ANNA), (0.2, CORA))], "c1": [CORA]})
    commit_shard(world.shards, "t2", {"b2": [BOB], "empty": []})
    assert OutputFolder(world.shards).succeed(["t0", "t1", "t2"])

    photograph = {"uri": f"{root}/photos/anna.jpg", "sha256": digest("a1"), "box": [0, 0, 9, 9], "weight": 1.0}
    bank(world.wanted, face("anna", ANNA, Kind.PHOTOS, [photograph]))
    bank(
        world.people,
        face("anna", like((1, ANNA), (0.1, BOB)), Kind.PHOTOS, [photograph]),
        face("bob", BOB, Kind.SHARD, [{"key": "b1", "source": "in/t0.tar#b1.jpg", "sha256": digest("b1")}]),
        face("cora", CORA, Kind.PHOTOS, [{"uri": f"{root}/photos/cora.jpg", "sha256": digest("c1")}]),
    )
    mix = face("mix", like((0.1, ANNA), (1, BOB)), Kind.MIX, [{"face_id": each} for each in ("anna", "bob")])
    liked = face("liked", like((1, BOB), (0.3, CORA)), Kind.RESULT, [{"request_id": request("mix")}])
    bank(world.made, mix, liked)
    faces = {"anna": like((1, ANNA), (0.1, BOB)), "bob": BOB, "cora": CORA, "mix": mix.vector, "liked": liked.vector}
    commit_renders(world.renders, faces, looks={"cora": like((1, ANNA), (0.2, BOB)), "bob": None})
    return world


def face(name: str, vector: np.ndarray | None, kind: Kind, sources: Sequence[dict[str, Any]]) -> Face:
    portrait = thumbnail() if kind == Kind.PHOTOS else None
    return Face(face_id=name, vector=vector, kind=kind, provenance={"sources": list(sources)}, portrait=portrait)


def bank(uri: str, *faces: Face, embedder: dict[str, str] | None = None) -> str:
    write_bank(uri, faces, DIM, embedder or EMBEDDER)
    return uri


def commit_shard(uri: str, task_id: str, rows: dict[str, list[np.ndarray]], embedder: Any = EMBEDDER) -> None:
    """One task: a row for each key, with a face for each vector; and a row that failed."""
    folder, schema = OutputFolder(uri), face_shard(DIM, embedder)
    folder.prepare("augment", {})
    with folder.commit(Part(task_id=task_id, uri=f"in/{task_id}.tar")) as output:
        shard = output.table("shards", schema)
        for key, vectors in rows.items():
            batch = to_batch([_row(key, f"in/{task_id}.tar#{key}.jpg", vectors)], schema)
            output.totals.update(shard_totals(batch))
            shard.write(batch)
        output.ledger.read += len(rows) + 1
        output.ledger.written += len(rows)
        output.fail(Failure(key="bad", source="in#bad", stage=Stage.DECODE, reason=Reason.EMPTY, message="no bytes"))


def commit_renders(uri: str, faces: dict[str, np.ndarray], looks: dict[str, np.ndarray | None]) -> None:
    """Two tasks: an image of each face, and a request of Anna that failed. ``looks``: what came of it, where it is
    not the face asked for."""
    folder = OutputFolder(uri)
    folder.prepare("generate", {"embedder": EMBEDDER})
    names = [*faces, "anna failed"]
    groups = [names[:3], names[3:]]
    requests = storage.join(uri, "requests", "abc.parquet")
    with storage.write_whole(uri, "requests/abc.parquet") as file, pq.ParquetWriter(file, REQUESTS) as writer:
        for group in groups:
            rows = [_request(name, faces[name.split()[0]]) for name in group]
            writer.write_table(pa.Table.from_pylist(rows, schema=REQUESTS), row_group_size=len(group))
    for i, group in enumerate(groups):
        with folder.commit(Part(task_id=f"abc-{i:05d}", uri=requests, row_group=i)) as output:
            table = output.table("results", RESULTS)
            for name in group:
                output.ledger.read += 1
                if "failed" in name:
                    output.fail(
                        Failure(
                            key=request(name),
                            source=requests,
                            stage=Stage.RENDER,
                            reason=Reason.OUT_OF_MEMORY,
                            message="too large",
                        )
                    )
                    continue
                batch = pa.RecordBatch.from_pylist([_result(uri, name, looks.get(name, faces[name]))], schema=RESULTS)
                output.ledger.written += 1
                output.totals.update(result_totals(batch))
                table.write(batch)
    assert folder.succeed(["abc-00000", "abc-00001"])
    write_report(uri)


def request(name: str) -> str:
    """The id of the request that is named after its face."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _row(key: str, source: str, vectors: list[np.ndarray]) -> FaceRow:
    n = len(vectors)
    boxes = np.tile(np.array([[10, 10, 60, 60]], np.float32), (n, 1))
    faces = Faces(boxes=boxes, scores=np.ones(n, np.float32), landmarks=np.zeros((n, 5, 2), np.float32))
    return FaceRow(
        key=key,
        caption=f"a photo of {key}",
        image=f"pixels of {key}".encode(),
        width=64,
        height=64,
        source=source,
        sha256=digest(key),
        faces=faces,
        embeddings=np.array(vectors, np.float32).reshape(n, DIM),
    )


def _request(name: str, vector: np.ndarray) -> dict[str, Any]:
    result = {key: value for key, value in row(7).items() if key in REQUESTS.names}
    face_id = name.split()[0]
    return {
        **dict.fromkeys(REQUESTS.names),
        **result,
        "request_id": request(name),
        "face_id": face_id,
        "prompt": f"prompt of {name}",
        "label": f"label of {name}",
        "vector": vector,
        "portrait": b"portrait of " + name.encode(),
    }


def _result(uri: str, name: str, looks: np.ndarray | None) -> dict[str, Any]:
    image = f"images/{request(name)}.png"
    with storage.write_whole(uri, image) as file:
        file.write(b"pixels of " + name.encode())
    return row(
        7,
        request_id=request(name),
        face_id=name,
        prompt=f"prompt of {name}",
        label=f"label of {name}",
        image=image,
        faces_found=int(looks is not None),
        face_vector=None if looks is None else looks.astype(np.float16),
        thumbnail=b"thumbnail of " + name.encode(),
    )
