"""Finding people in all that jobs have made of their pictures, and taking them out of it.

A row of a face shard goes if one of its faces is like one of the people's, or if it was made of the very photograph
that a face of theirs was made of. A face of a bank goes if it is like one of theirs. An image goes if the face asked
for, or the one that came of it, is. And with them goes all that was made of them: faces of photographs whose largest
face is theirs, mixes and variations of their faces, images of these, faces of these images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.embedders.metadata import refuse_other_embedder
from face0.generation.plan import request_files
from face0.generation.results import Results, open_results
from face0.io import storage
from face0.privacy.people import Subjects
from face0.privacy.provenance import SCANNERS, Graph, Locations, Node, NodeKind, read_graph, shards_of
from face0.privacy.removal import RESULTS, SHARDS, blank_requests, forgotten, leftovers, remove_faces, remove_rows, tidy
from face0.reports.generation.page import write_report
from face0.reports.pages import PAGE
from face0.reports.sweeps import sweep_files
from face0.runtime.concurrency import ordered_map
from face0.shards.files import EMBEDDER, FACE, Shard, iter_columns
from face0.tasks.output_folder import OutputFolder
from schemas.failures import Reason

SCAN_ROWS = 1024  # rows read at a time


@dataclass(frozen=True, kw_only=True)
class Match:
    """One thing that is to go."""

    name: str  # key, face_id or request_id
    why: str  # in words
    similarity: float | None = None  # the cosine; None if it was found in another way
    file: str | None = None  # the shard that holds the row, or the image; relative to the output folder


@dataclass(kw_only=True)
class LocationMatches:
    """What is to go from one place.

    Attributes:
        kind: "shards", "bank" or "renders".
        uri: of the output folder or bank.
        size: rows, faces or requests that were looked at.
        found: those that are to go.
        leftovers: files that an earlier removal, cut off, has left.
        sweep: report of the sweep whose images these are, and the files that go with it.
        finished: whether the job is; else what is left of it may bring more.
    """

    kind: str
    uri: str
    size: int = 0
    found: list[Match] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    sweep: list[str] = field(default_factory=list)
    finished: bool = True

    @property
    def names(self) -> set[str]:
        """Of what is to go."""
        return {found.name for found in self.found}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that is to go. Made by ``look_for``.

    Attributes:
        people: who was looked for.
        places: where they were looked for.
        generations: what was found, what was made of that, and so on.
    """

    people: Subjects
    places: Sequence[LocationMatches]
    generations: Sequence[Sequence[Node]]

    def as_json(self) -> dict[str, Any]:
        """The report."""
        return {
            "people": list(self.people.faces),
            "threshold": self.people.like.threshold,
            "places": [{**asdict(place), "to_go": len(place.found)} for place in self.places],
        }


def look_for(people: Subjects, holdings: Locations) -> Findings:
    """Finds people; changes nothing.

    Reads the vectors of all rows once, and holds in memory the names of all faces and requests.

    Raises:
        UsageError: a place cannot be read, or holds vectors of another embedder.
    """
    graph = read_graph(holdings)
    found: dict[Node, Match] = {}
    photographs = {Node(NodeKind.PHOTOGRAPH, "", digest) for digest in people.photographs}
    shards = [_look_through_shards(people, *each, photographs) for each in _by_folder(shards_of(holdings)).items()]
    banks = [_look_through_bank(people, uri, found) for uri in holdings.banks]
    renders = [_look_through_renders(people, open_results(uri), graph, found) for uri in holdings.renders]
    gone = [Node(NodeKind.IMAGE, uri, name) for uri in holdings.renders for name in _forgotten(uri)]
    generations = graph.generations([*photographs, *found, *gone])
    _add_made(graph, generations, found, set(gone))
    for place in (*banks, *renders):
        place.found = [each for node, each in sorted(found.items()) if node.place == place.uri]
    return Findings(people=people, places=[*shards, *banks, *renders], generations=generations)


def forget(findings: Findings) -> None:
    """Removes what was found; what is cut off goes on with the same call on what is found then.

    So nothing goes before what was made of it, and by which it could be found: images go first, then faces, those made
    of others before these; then the rows of photographs; last the bank of the people themselves, if it is among the
    places.
    """
    places = {place.uri: place for place in findings.places}
    own = places.pop(findings.people.uri, None)
    for place in places.values():
        if place.kind == "renders":
            _forget_images(place)
    for generation in reversed(findings.generations):
        for place in places.values():
            names = {node.name for node in generation if node.kind == NodeKind.FACE and node.place == place.uri}
            if place.kind == "bank" and names & place.names:
                remove_faces(place.uri, names & place.names)
    for place in places.values():
        if place.kind == "shards":
            _forget_rows(place)
    if own is not None:
        remove_faces(own.uri, own.names)


def _look_through_shards(
    people: Subjects, folder: str, shards: Sequence[Shard], photographs: set[Node]
) -> LocationMatches:
    """The rows with a face like one of theirs, or of one of their photographs.

    Photographs whose largest face is theirs are added to ``photographs``: faces in banks are made of the largest.
    """
    refuse_other_embedder(folder, shards[0].embedder, people.uri, people.embedder)
    digests = pa.array(sorted(people.photographs), pa.string())

    def scan(shard: Shard) -> list[tuple[Match, str | None]]:
        found = []
        for table in iter_columns(shard, ["key", "sha256", f"{FACE}embedding"]):
            best, largest = _similarities(people, table, shard.dim)
            same = pc.is_in(table["sha256"], digests).to_numpy()
            like, theirs = best >= people.like.threshold, same | (largest >= people.like.threshold)
            for i in np.flatnonzero(like | same).tolist():
                digest = table["sha256"][i].as_py()
                row = Match(
                    name=table["key"][i].as_py(),
                    why=_alike(best[i]) if like[i] else "the same photograph",
                    similarity=_rounded(best[i]) if best[i] >= -1 else None,
                    file=shard.file.name,
                )
                found.append((row, digest if theirs[i] else None))
        return found

    place = LocationMatches(kind="shards", uri=folder, leftovers=leftovers(folder), finished=_finished(folder))
    place.size = sum(sum(shard.group_sizes) for shard in shards)
    for row, digest in (each for rows in ordered_map(scan, shards, SCANNERS, 2 * SCANNERS) for each in rows):
        place.found.append(row)
        if digest:
            photographs.add(Node(NodeKind.PHOTOGRAPH, "", digest))
    return place


def _look_through_bank(people: Subjects, uri: str, found: dict[Node, Match]) -> LocationMatches:
    """The faces like one of theirs."""
    place = LocationMatches(kind="bank", uri=uri)
    with storage.open_uri(uri) as file:
        opened = pq.ParquetFile(file)
        metadata = {name.decode(): value.decode() for name, value in (opened.schema_arrow.metadata or {}).items()}
        embedder = {name.removeprefix(EMBEDDER): value for name, value in metadata.items() if name.startswith(EMBEDDER)}
        refuse_other_embedder(uri, embedder, people.uri, people.embedder)
        for batch in opened.iter_batches(batch_size=SCAN_ROWS, columns=["face_id", "vector"]):
            place.size += batch.num_rows
            for name, similarity in _alike_rows(people, batch, "face_id", "vector"):
                found[Node(NodeKind.FACE, uri, name)] = Match(
                    name=name, why=_alike(similarity), similarity=_rounded(similarity)
                )
    return place


def _look_through_renders(
    people: Subjects, results: Results, graph: Graph, found: dict[Node, Match]
) -> LocationMatches:
    """The requests of a face like one of theirs, and the images on which there is one."""
    uri = results.uri
    if embedder := results.job["config"].get("embedder"):
        refuse_other_embedder(uri, embedder, people.uri, people.embedder)
    place = LocationMatches(
        kind="renders", uri=uri, leftovers=leftovers(uri), sweep=sweep_files(uri), finished=results.finished
    )
    place.size = sum(node.place == uri for node in graph.facts)
    for face, column, batches in (
        ("asked for", "vector", _requests(uri)),
        ("made", "face_vector", results.batches(["request_id", "face_vector"])),
    ):
        for batch in batches:
            for name, similarity in _alike_rows(people, batch, "request_id", column):
                node = Node(NodeKind.IMAGE, uri, name)
                found[node] = _image(graph, node, f"the face {face}: {_alike(similarity)}", _rounded(similarity))
    for name in _forgotten(uri):
        node = Node(NodeKind.IMAGE, uri, name)
        if graph.facts.get(node, {}).get("reason", Reason.FORGOTTEN) != Reason.FORGOTTEN:
            found[node] = _image(graph, node, "removed before, but for its request")
    return place


def _add_made(graph: Graph, generations: Sequence[Sequence[Node]], found: dict[Node, Match], gone: set[Node]) -> None:
    """Adds what was made of what was found, with the nearest source as the reason."""
    reached: set[Node] = set()
    for generation in generations:
        for node in generation:
            if node in found or node in gone or node.kind == NodeKind.PHOTOGRAPH:
                continue
            source = next(each for each in graph.sources[node] if each in reached)
            found[node] = _image(graph, node, f"made from {source.kind} {source.name}")
        reached.update(generation)


def _image(graph: Graph, node: Node, why: str, similarity: float | None = None) -> Match:
    return Match(name=node.name, why=why, similarity=similarity, file=graph.facts.get(node, {}).get("image"))


def _forget_rows(place: LocationMatches) -> None:
    """Removes the rows of a place that is an output of augment."""
    by_file: dict[str | None, set[str]] = {}
    for row in place.found:
        by_file.setdefault(row.file, set()).add(row.name)
    for stats in OutputFolder(place.uri).committed().values():
        for file in stats.files:
            if names := by_file.get(file.name):
                remove_rows(place.uri, stats, SHARDS, names)
    tidy(place.uri)


def _forget_images(place: LocationMatches) -> None:
    """Removes images and their requests. The requests go last: while they stand, the work is known to be unfinished."""
    if place.found:
        folder = OutputFolder(place.uri)
        for stats in folder.committed().values():
            rows = {name for batch in folder.read_table(stats, "results") for name in batch["request_id"].to_pylist()}
            if rows & place.names:
                remove_rows(place.uri, stats, RESULTS, rows & place.names)
    tidy(place.uri)
    fs, path = storage.filesystem(storage.join(place.uri, PAGE))
    if (place.found or place.leftovers) and fs.exists(path):
        write_report(place.uri)
    if place.found:
        for uri in place.sweep:  # with names and thumbnails; the sweep's command writes them anew
            fs, path = storage.filesystem(uri)
            fs.rm_file(path)
        blank_requests(place.uri, place.names)
        if place.finished:
            storage.drop_partial(place.uri)


def _similarities(people: Subjects, table: pa.Table, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each row of a face shard the similarity of its most similar face, and of its largest; -inf without a face."""
    faces = table["faces"].combine_chunks()
    rows = pc.list_parent_indices(faces).to_numpy()
    vectors = pc.list_flatten(faces).field("embedding").flatten().to_numpy().reshape(-1, dim)
    similarity = people.similarity(vectors)
    best, largest = np.full((2, table.num_rows), -np.inf, np.float32)
    np.fmax.at(best, rows, similarity)
    present, first = np.unique(rows, return_index=True)
    largest[present] = similarity[first]
    return best, largest


def _alike_rows(people: Subjects, batch: pa.RecordBatch, name: str, column: str) -> Iterator[tuple[str, float]]:
    """The names of the rows whose vector is like one of theirs, with the similarity."""
    batch = batch.filter(pc.equal(pc.list_value_length(batch.column(column)), people.dim))
    vectors = batch.column(column).flatten().to_numpy().reshape(-1, people.dim)
    similarity = people.similarity(vectors)
    for i in np.flatnonzero(similarity >= people.like.threshold).tolist():
        yield batch.column(name)[i].as_py(), float(similarity[i])


def _requests(uri: str) -> Iterator[pa.RecordBatch]:
    for requests in request_files(uri):
        with storage.open_uri(requests) as file:
            yield from pq.ParquetFile(file).iter_batches(batch_size=SCAN_ROWS, columns=["request_id", "vector"])


def _forgotten(uri: str) -> set[str]:
    folder = OutputFolder(uri)
    return forgotten(folder, folder.committed().values())


def _by_folder(shards: Sequence[tuple[str, Shard]]) -> Mapping[str, list[Shard]]:
    folders: dict[str, list[Shard]] = {}
    for folder, shard in shards:
        folders.setdefault(folder, []).append(shard)
    return folders


def _finished(uri: str) -> bool:
    fs, path = storage.filesystem(storage.join(uri, "_SUCCESS"))
    return bool(fs.exists(path))


def _alike(similarity: float) -> str:
    return f"similarity {similarity:.3f}"


def _rounded(similarity: float) -> float:
    return round(float(similarity), 4)
