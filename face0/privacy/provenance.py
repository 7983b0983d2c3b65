"""What was made of what: photographs, faces in banks and generated images, across the places that hold them.

Photographs are told by the SHA-256 of their bytes, which face shards and banks both record. A face's sources stand in
its bank (``schemas.face_bank``); an image's face is the one with the vector of its request, or, where requests are not
kept, with its id.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.embedders.metadata import VectorMetadata
from face0.faces.edits import source_weights
from face0.generation.plan import request_files
from face0.io import storage
from face0.io.secrets import public
from face0.privacy.locations import SCAN_ROWS, BankLocation, Locations, OutputLocation
from face0.runtime.concurrency import ordered_map
from face0.runtime.progress import tracked
from face0.shards.files import scan_shard, shard_files
from schemas.job import DataFile

SCANNERS = 16  # threads that read the light columns of shards, mostly waiting for storage
PREFIX = 8  # characters of a SHA-256 that are remembered of each row
NOTHING = 1e-9  # shares below it are rounding


class NodeKind(StrEnum):
    """What a node is."""

    PHOTOGRAPH = "photograph"
    FACE = "face"
    IMAGE = "image"


@dataclass(frozen=True, order=True)
class Node:
    """A photograph, a face of a bank, or a generated image (or a request of one).

    Attributes:
        kind: which of these it is.
        place: URI of the bank or of the output folder; empty for a photograph, which may lie in several.
        name: SHA-256, face_id or request_id.
    """

    kind: NodeKind
    place: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" in {self.place}" if self.place else "")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a face shard.

    Attributes:
        folder: URI of the output of augment.
        file: of the shard, relative to the folder.
        key: of the sample.
        source: of the sample.
        sha256: of the photograph.
    """

    folder: str
    file: str
    key: str
    source: str
    sha256: str


@dataclass
class Graph:
    """Nodes, what is known of each, and what each was made from. Made by ``read_graph``.

    A face's vector is a sum of those of its sources, each times a weight (``face0.faces.edits.source_weights``). So a
    node has a share of each node before it: the sum, over the ways that lead from one to the other, of the product of
    the weights. A node is made of another if its share of it is more than 0: the end of a mix is not made of the face
    that it has left. What shows a node as it is, has all of it.

    Attributes:
        facts: what is known of each node.
        sources: what each node was made from, with the weight of each.
        made: the same the other way round: what was made of each node, with its weight therein.
    """

    facts: dict[Node, dict[str, Any]] = field(default_factory=dict)
    sources: dict[Node, dict[Node, float]] = field(default_factory=dict)
    made: dict[Node, dict[Node, float]] = field(default_factory=dict)

    def add(self, node: Node, sources: Iterable[Node] | Mapping[Node, float] = (), **facts: Any) -> None:
        """Adds a node, or to what is known of it. Sources without weights count whole; those of weight 0 are none."""
        self.facts.setdefault(node, {}).update(facts)
        weights = sources if isinstance(sources, Mapping) else dict.fromkeys(sources, 1.0)
        for source, weight in weights.items():
            if abs(weight) > NOTHING:
                self.sources.setdefault(node, {})[source] = weight
                self.made.setdefault(source, {})[node] = weight

    def made_of(self, start: Iterable[Node]) -> dict[Node, float]:
        """Some nodes, and what was made of them, directly or not, with their share in each: over 0, their own is 1."""
        return _shares(self.made, self.sources, start)

    def made_from(self, start: Iterable[Node]) -> dict[Node, float]:
        """Some nodes, and what they were made from, directly or not, with the share of each in them."""
        return _shares(self.sources, self.made, start)

    def generations(self, start: Iterable[Node]) -> list[list[Node]]:
        """The nodes, then what was made of them, then what was made of that, and so on; each node once."""
        start = list(start)
        shares = self.made_of(start)
        generations = [[node for node in nodes if node in shares] for nodes in _generations(self.made, start)]
        return [nodes for nodes in generations if nodes]

    def ancestors(self, start: Iterable[Node]) -> list[Node]:
        """What some nodes were made from, directly or not, whatever its share; without the nodes."""
        return [node for generation in _generations(self.sources, start)[1:] for node in generation]

    def named(self, asked: str) -> list[Node]:
        """The nodes with this name: SHA-256, face_id or request_id, or the end of a file's path."""
        nodes = dict.fromkeys([*self.facts, *self.made])  # a source may lie elsewhere: then it is only made of
        return [node for node in nodes if node.name == asked or _is_called(node, self.facts.get(node, {}), asked)]


# Is given the nodes of some rows, the column with their vectors (null or float lists), and whose vectors these are, in
# words; empty: the face's own.
Look = Callable[[Sequence[Node], pa.Array, str], None]


def read_graph(holdings: Locations, look: Look | None = None) -> Graph:
    """The faces of all banks and the requests of all outputs of generate, with what they were made from.

    Reads each bank, each file of requests and each file of results once.

    A face's source in another bank is looked for where its provenance says; if that is not among the places, in all
    banks that are, by its id.

    Args:
        holdings: the places.
        look: sees all vectors on the way: of banks' faces, of requests the face asked for, of images the face made.

    Raises:
        UsageError: a place cannot be read.
    """
    graph = Graph()
    banks = {bank.uri: _read_faces(bank, look) for bank in holdings.banks}
    images = {renders.uri: _read_images(renders, look) for renders in holdings.renders}
    for uri, faces in banks.items():
        for face_id, face in faces.items():
            sources: dict[Node, float] = {}
            provenance = face["provenance"]
            weights = source_weights(face["kind"], provenance)
            for source, weight in zip(provenance.get("sources", ()), weights, strict=True):
                for node in _source(graph, source, provenance, uri, banks, images):
                    sources[node] = sources.get(node, 0) + weight
            graph.add(Node(NodeKind.FACE, uri, face_id), sources, made_by=face["kind"])
    by_vector = _by_vector(banks)
    for uri, requests in images.items():
        for request_id, request in requests.items():
            vector, face_id = request.pop("vector", None), request["face_id"]
            shown = by_vector.get(vector, []) if vector else []
            if face_id and not shown:
                shown = _located(NodeKind.FACE, face_id, {} if vector else banks, None)
            graph.add(Node(NodeKind.IMAGE, uri, request_id), shown, **request)
    return graph


@dataclass(frozen=True, kw_only=True)
class _ScannedShard:
    """What is remembered of a shard: some of its rows, those of them that have the name, and who else is there."""

    rows: list[Row]
    matching: list[Row]
    prefixes: np.ndarray  # of the SHA-256 of all rows, bytes [n]


def find_rows(
    places: Sequence[OutputLocation], asked: str, photographs: Collection[str]
) -> tuple[list[Row], list[Row]]:
    """The rows of face shards that have a name; and all that hold a photograph of these, or one of some others.

    Reads each shard once, and holds 8 bytes for each row. Only a shard with further rows of a photograph that turns
    out to have the name is read again.

    Args:
        places: outputs of augment.
        asked: a row has this name if it is its key or SHA-256, or if its source is or ends in this path.
        photographs: SHA-256 of the others.

    Raises:
        UsageError: a place has no shards, or one is not what its stats say.
    """
    files = [(place, file) for place in places for file in shard_files(place.folder, place.tasks)]
    scanned = ordered_map(
        lambda place_and_file: _scan_shard(*place_and_file, asked, photographs), files, SCANNERS, 2 * SCANNERS
    )
    shards = list(tracked(scanned, "shards looked through", len(files)))
    new = {row.sha256 for shard in shards for row in shard.matching}.difference(photographs)
    prefixes = np.array([digest[:PREFIX] for digest in new], f"S{PREFIX}")
    rows = []
    for (place, file), shard in tracked(zip(files, shards, strict=True), "shards compared", len(files)):
        if np.isin(shard.prefixes, prefixes).sum() > sum(row.sha256 in new for row in shard.rows):
            shard = _scan_shard(place, file, asked, new.union(photographs))
        rows += shard.rows
    return [row for shard in shards for row in shard.matching], rows


def _scan_shard(place: OutputLocation, file: DataFile, asked: str, photographs: Collection[str]) -> _ScannedShard:
    wanted = pa.array(sorted(photographs), pa.string())
    rows: list[Row] = []
    matching: list[Row] = []
    prefixes = [np.empty(0, f"S{PREFIX}")]
    for _, table in scan_shard(place.folder, file, ["key", "source", "sha256"]):
        has_name = _has_name(table, asked)
        for kept, chosen in ((matching, has_name), (rows, pc.or_(has_name, pc.is_in(table["sha256"], wanted)))):
            kept += [Row(folder=place.uri, file=file.name, **row) for row in table.filter(chosen).to_pylist()]
        digests = pc.utf8_slice_codeunits(table["sha256"], 0, PREFIX)
        prefixes.append(np.array(digests.to_pylist(), f"S{PREFIX}"))
    return _ScannedShard(rows=rows, matching=matching, prefixes=np.concatenate(prefixes))


def _has_name(rows: pa.Table, asked: str) -> pa.ChunkedArray:
    matches = pc.equal(rows["source"], asked)
    for name in ("key", "sha256"):
        matches = pc.or_(matches, pc.equal(rows[name], asked))
    for separator in "/#":
        matches = pc.or_(matches, pc.ends_with(rows["source"], pattern=f"{separator}{asked}"))
    return matches


def _read_faces(bank: BankLocation, look: Look | None) -> dict[str, dict[str, Any]]:
    """Kind, provenance and digest of the vector of each face of a bank, by id."""
    faces = {}
    for batch in bank.batches(["face_id", "kind", "provenance", "vector"]):
        vectors = batch.column("vector")
        rows = batch.drop_columns(["vector"]).to_pylist()
        if look:
            look([Node(NodeKind.FACE, bank.uri, row["face_id"]) for row in rows], vectors, "")
        for row, digest in zip(rows, _digests(vectors), strict=True):
            faces[row.pop("face_id")] = {**row, "provenance": json.loads(row["provenance"]), "vector": digest}
    return faces


def _read_images(place: OutputLocation, look: Look | None) -> dict[str, dict[str, Any]]:
    """Face, prompt, seed and file of each request, by id; and, where the requests are kept, why it cannot be rendered
    and the digest of its vector."""
    columns = ["request_id", "face_id", "prompt", "seed"]
    images: dict[str, dict[str, Any]] = {}

    def nodes(rows: Sequence[Mapping[str, Any]]) -> list[Node]:
        return [Node(NodeKind.IMAGE, place.uri, row["request_id"]) for row in rows]

    for name in request_files(place.folder):
        held = place.requests.setdefault(name, set())
        with place.folder.open(name) as file:
            parquet = pq.ParquetFile(file)
            if embedder := VectorMetadata.of(parquet.schema_arrow.metadata).embedder:
                place.embedders.append(embedder)
            for batch in parquet.iter_batches(SCAN_ROWS, columns=[*columns, "reason", "vector"]):
                vectors, rows = batch.column("vector"), batch.drop_columns(["vector"]).to_pylist()
                if look:
                    look(nodes(rows), vectors, "the face asked for")
                held.update(row["request_id"] for row in rows)
                for row, digest in zip(rows, _digests(vectors), strict=True):
                    images[row.pop("request_id")] = {**row, "vector": digest}
    read = [*columns, "image", *(["face_vector"] if look else [])]
    for task_id, batch in place.open_results().batches_by_task(read):
        rows = batch.select([*columns, "image"]).to_pylist()
        if look:
            look(nodes(rows), batch.column("face_vector"), "the face made")
        place.results.setdefault(task_id, set()).update(row["request_id"] for row in rows)
        for row in rows:
            images.setdefault(row.pop("request_id"), {}).update(row)
    return images


def _digests(vectors: pa.Array) -> Iterator[bytes | None]:
    for vector in vectors:
        yield hashlib.blake2b(vector.values.to_numpy().tobytes()).digest() if vector.is_valid else None


def _by_vector(banks: Mapping[str, Mapping[str, Any]]) -> dict[bytes, list[Node]]:
    """The faces with each vector, by its digest."""
    nodes: dict[bytes, list[Node]] = {}
    for uri, faces in banks.items():
        for face_id, face in faces.items():
            if face["vector"]:
                nodes.setdefault(face["vector"], []).append(Node(NodeKind.FACE, uri, face_id))
    return nodes


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
        return _located(NodeKind.FACE, source["face_id"], banks, public(source.get("bank") or "") or None, own)
    if "request_id" in source:
        return _located(NodeKind.IMAGE, source["request_id"], images, public(provenance.get("results") or "") or None)
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
    uri = public(source.get("uri") or source.get("source") or source.get("key", ""))
    node = Node(NodeKind.PHOTOGRAPH, "", source.get("sha256") or uri)
    graph.add(node, uris=sorted({uri, *graph.facts.get(node, {}).get("uris", ())}))
    return node


def _is_called(node: Node, facts: Mapping[str, Any], asked: str) -> bool:
    paths = facts.get("uris", [])
    if facts.get("image"):
        paths = [storage.join(node.place, facts["image"])]
    return any(path == asked or path.endswith((f"/{asked}", f"#{asked}")) for path in paths)


def _shares(
    following: Mapping[Node, Mapping[Node, float]],
    before: Mapping[Node, Mapping[Node, float]],
    start: Iterable[Node],
) -> dict[Node, float]:
    """The nodes that ``following`` leads to from some nodes, in this order, those with a share of these over 0."""
    shares = dict.fromkeys(start, 1.0)
    reached = [node for generation in _generations(following, shares) for node in generation]
    within = set(reached)
    order = TopologicalSorter({node: within & before.get(node, {}).keys() for node in within - shares.keys()})
    try:
        nodes = [*order.static_order()]
    except CycleError:  # provenance in circles is nothing that was made here: what is reached first counts
        nodes = reached
    for node in nodes:
        if node not in shares:
            parts = [weight * shares.get(other, 0.0) for other, weight in before[node].items()]
            # An image shows one face, which several banks may have
            share = max(parts) if node.kind == NodeKind.IMAGE else sum(parts)
            shares[node] = share if abs(share) > NOTHING else 0.0
    return {node: shares[node] for node in reached if shares[node] > 0}


def _generations(following: Mapping[Node, Iterable[Node]], start: Iterable[Node]) -> list[list[Node]]:
    generation = list(dict.fromkeys(start))
    reached, generations = set(generation), []
    while generation:
        generations.append(generation)
        generation = [
            node
            for node in dict.fromkeys(child for parent in generation for child in following.get(parent, ()))
            if node not in reached
        ]
        reached.update(generation)
    return generations
