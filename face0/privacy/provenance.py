"""What was made of what: photographs, faces in banks and generated images, across the places that hold them.

Photographs are told by the SHA-256 of their bytes, which face shards and banks both record. A face's sources stand in
its bank (``schemas.face_bank``); an image's face is the one with the vector of its request, or, where requests are not
kept, with its id.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.generation.plan import request_files
from face0.generation.results import open_results
from face0.io import storage
from face0.runtime.concurrency import ordered_map
from face0.shards.files import Shard, iter_columns, open_shards

SCAN_ROWS = 1024  # rows read at a time
SCANNERS = 16  # threads that read the light columns of shards, mostly waiting for storage


@dataclass(frozen=True, kw_only=True)
class Locations:
    """The places that are looked through, as absolute URIs."""

    shards: Sequence[str] = ()  # outputs of augment
    banks: Sequence[str] = ()
    renders: Sequence[str] = ()  # outputs of generate


def classify(uris: Iterable[str]) -> Locations:
    """Sorts places by what they hold, told by their files.

    Raises:
        UsageError: one is neither an output of augment or generate nor a bank.
    """
    kinds: dict[str, list[str]] = {"augment": [], "generate": [], "bank": []}
    for uri in dict.fromkeys(map(storage.absolute, uris)):
        kinds[_kind(uri)].append(uri)
    return Locations(shards=kinds["augment"], banks=kinds["bank"], renders=kinds["generate"])


class NodeKind(StrEnum):
    """What a node is."""

    PHOTOGRAPH = "photograph"
    FACE = "face"
    IMAGE = "image"


@dataclass(frozen=True, order=True)
class Node:
    """A photograph, a face of a bank, or a generated image (or a request of one)."""

    kind: NodeKind
    place: str  # URI of the bank or of the output folder; empty for a photograph, which may lie in several
    name: str  # SHA-256, face_id or request_id

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" in {self.place}" if self.place else "")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a face shard."""

    folder: str  # the output of augment
    file: str  # relative to it
    key: str
    source: str
    sha256: str


@dataclass
class Graph:
    """Nodes, what is known of each, and what each was made from. Made by ``read_graph``."""

    facts: dict[Node, dict[str, Any]] = field(default_factory=dict)
    sources: dict[Node, list[Node]] = field(default_factory=dict)
    made: dict[Node, list[Node]] = field(default_factory=dict)  # the same the other way round

    def add(self, node: Node, sources: Iterable[Node] = (), **facts: Any) -> None:
        """Adds a node, or to what is known of it."""
        self.facts.setdefault(node, {}).update(facts)
        for source in sources:
            if source not in self.sources.setdefault(node, []):
                self.sources[node].append(source)
                self.made.setdefault(source, []).append(node)

    def generations(self, start: Iterable[Node]) -> list[list[Node]]:
        """The nodes, then what was made of them, then what was made of that, and so on; each node once."""
        return _generations(self.made, start)

    def ancestors(self, start: Iterable[Node]) -> list[Node]:
        """What some nodes were made from, directly or not; without the nodes."""
        return [node for generation in _generations(self.sources, start)[1:] for node in generation]

    def named(self, asked: str) -> list[Node]:
        """The nodes with this name: SHA-256, face_id or request_id, or the end of a file's path."""
        nodes = dict.fromkeys([*self.facts, *self.made])  # a source may lie elsewhere: then it is only made of
        return [node for node in nodes if node.name == asked or _is_called(node, self.facts.get(node, {}), asked)]


def read_graph(holdings: Locations) -> Graph:
    """The faces of all banks and the requests of all outputs of generate, with what they were made from.

    A face's source in another bank is looked for where its provenance says; if that is not among the places, in all
    banks that are, by its id.

    Raises:
        UsageError: a place cannot be read.
    """
    graph = Graph()
    banks = {uri: _read_faces(uri) for uri in holdings.banks}
    images = {uri: _read_images(uri) for uri in holdings.renders}
    for uri, faces in banks.items():
        for face_id, face in faces.items():
            sources = [
                node
                for source in face["provenance"].get("sources", ())
                for node in _source(graph, source, face["provenance"], uri, banks, images)
            ]
            graph.add(Node(NodeKind.FACE, uri, face_id), sources, made_by=face["kind"])
    named = _by_vector(banks)
    for uri, requests in images.items():
        for request_id, request in requests.items():
            vector, face_id = request.pop("vector", None), request["face_id"]
            sources = named.get(vector, []) if vector else []
            if face_id and not sources:
                sources = _located(NodeKind.FACE, face_id, {} if vector else banks, None)
            graph.add(Node(NodeKind.IMAGE, uri, request_id), sources, **request)
    return graph


def shards_of(holdings: Locations) -> list[tuple[str, Shard]]:
    """The committed shards of each output of augment, as (folder, shard)."""
    return [(folder, shard) for folder in holdings.shards for shard in open_shards([folder])]


def rows_of_photographs(shards: Sequence[tuple[str, Shard]], digests: Iterable[str]) -> list[Row]:
    """The rows of face shards that were made of photographs, by their SHA-256."""
    wanted = pa.array(sorted(digests), pa.string())
    return _rows(shards, lambda table: pc.is_in(table["sha256"], wanted)) if len(wanted) else []


def rows_named(shards: Sequence[tuple[str, Shard]], asked: str) -> list[Row]:
    """The rows with this key or SHA-256, or whose source is or ends in this path."""

    def chosen(table: pa.Table) -> pa.ChunkedArray:
        found = pc.equal(table["source"], asked)
        for name in ("key", "sha256"):
            found = pc.or_(found, pc.equal(table[name], asked))
        for separator in "/#":
            found = pc.or_(found, pc.ends_with(table["source"], pattern=f"{separator}{asked}"))
        return found

    return _rows(shards, chosen)


def _rows(shards: Sequence[tuple[str, Shard]], chosen: Any) -> list[Row]:
    def scan(named: tuple[str, Shard]) -> list[Row]:
        folder, shard = named
        return [
            Row(folder=folder, file=shard.file.name, **row)
            for table in iter_columns(shard, ["key", "source", "sha256"])
            for row in table.filter(chosen(table)).to_pylist()
        ]

    return [row for rows in ordered_map(scan, shards, SCANNERS, 2 * SCANNERS) for row in rows]


def _kind(uri: str) -> str:
    """ "augment", "generate" or "bank". Raises UsageError."""
    remedy = "give the --output of face0 augment or face0 generate, or a bank of face0 faces"
    fs, path = storage.filesystem(uri)
    if fs.isfile(path):
        try:
            with storage.open_uri(uri) as file:
                metadata = pq.read_schema(file).metadata or {}
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{uri} is no bank ({error}): {remedy}") from error
        if metadata.get(b"face0.schema") != b"face_bank":
            raise UsageError(f"{uri} is no bank: {remedy}")
        return "bank"
    if not fs.exists(f"{path.rstrip('/')}/job.json"):
        raise UsageError(f"{uri} is no file, and no folder with a job.json: {remedy}")
    with storage.open_uri(storage.join(uri, "job.json")) as file:
        job: str = json.load(file)["job"]
    if job not in ("augment", "generate"):
        raise UsageError(f"{uri} is the output of face0 {job}: {remedy}")
    return job


def _read_faces(uri: str) -> dict[str, dict[str, Any]]:
    """NodeKind, provenance and digest of the vector of each face of a bank, by id."""
    faces = {}
    with storage.open_uri(uri) as file:
        columns = ["face_id", "kind", "provenance", "vector"]
        for batch in pq.ParquetFile(file).iter_batches(batch_size=SCAN_ROWS, columns=columns):
            digests = _digests(batch.column("vector"))
            for row, vector in zip(batch.select(columns[:3]).to_pylist(), digests, strict=True):
                faces[row.pop("face_id")] = {**row, "provenance": json.loads(row["provenance"]), "vector": vector}
    return faces


def _read_images(uri: str) -> dict[str, dict[str, Any]]:
    """Face, prompt, seed and file of each request, by id; and, where the requests are kept, why it cannot be rendered
    and the digest of its vector."""
    columns = ["request_id", "face_id", "prompt", "seed"]
    images: dict[str, dict[str, Any]] = {}
    for requests in request_files(uri):
        with storage.open_uri(requests) as file:
            for batch in pq.ParquetFile(file).iter_batches(
                batch_size=SCAN_ROWS, columns=[*columns, "reason", "vector"]
            ):
                digests = _digests(batch.column("vector"))
                for row, vector in zip(batch.drop_columns(["vector"]).to_pylist(), digests, strict=True):
                    images[row.pop("request_id")] = {**row, "vector": vector}
    for batch in open_results(uri).batches([*columns, "image"]):
        for row in batch.to_pylist():
            images.setdefault(row.pop("request_id"), {}).update(row)
    return images


def _digests(vectors: pa.Array) -> Iterator[bytes | None]:
    for vector in vectors:
        yield hashlib.blake2b(vector.values.to_numpy().tobytes()).digest() if vector.is_valid else None


def _by_vector(banks: Mapping[str, Mapping[str, Any]]) -> dict[bytes, list[Node]]:
    """The faces with each vector, by its digest."""
    found: dict[bytes, list[Node]] = {}
    for uri, faces in banks.items():
        for face_id, face in faces.items():
            if face["vector"]:
                found.setdefault(face["vector"], []).append(Node(NodeKind.FACE, uri, face_id))
    return found


def _source(
    graph: Graph,
    source: Mapping[str, Any],
    provenance: Mapping[str, Any],
    own: str,
    banks: Mapping[str, Mapping[str, Any]],
    images: Mapping[str, Mapping[str, Any]],
) -> list[Node]:
    """A source of a face in the bank ``own``, as nodes."""
    if "face_id" in source:
        return _located(NodeKind.FACE, source["face_id"], banks, source.get("bank"), own)
    if "request_id" in source:
        return _located(NodeKind.IMAGE, source["request_id"], images, provenance.get("results"))
    return [_add_photograph(graph, source)]


def _located(
    kind: NodeKind, name: str, places: Mapping[str, Mapping[str, Any]], said: str | None, own: str | None = None
) -> list[Node]:
    """Where a source lies: where it is said to, else where it is found; if nowhere, where it was."""
    for place in (said, own):
        if place is not None and name in places.get(place, ()):
            return [Node(kind, place, name)]
    return [Node(kind, place, name) for place, held in places.items() if name in held] or [Node(kind, said or "", name)]


def _add_photograph(graph: Graph, source: Mapping[str, Any]) -> Node:
    uri = source.get("uri") or source.get("source") or source.get("key", "")
    node = Node(NodeKind.PHOTOGRAPH, "", source.get("sha256") or uri)
    graph.add(node, uris=sorted({uri, *graph.facts.get(node, {}).get("uris", ())}))
    return node


def _is_called(node: Node, facts: Mapping[str, Any], asked: str) -> bool:
    paths = facts.get("uris", [])
    if facts.get("image"):
        paths = [storage.join(node.place, facts["image"])]
    return any(path == asked or path.endswith((f"/{asked}", f"#{asked}")) for path in paths)


def _generations(following: Mapping[Node, Sequence[Node]], start: Iterable[Node]) -> list[list[Node]]:
    generation = list(dict.fromkeys(start))
    seen, found = set(generation), []
    while generation:
        found.append(generation)
        generation = [
            node
            for node in dict.fromkeys(n for each in generation for n in following.get(each, ()))
            if node not in seen
        ]
        seen.update(generation)
    return found
