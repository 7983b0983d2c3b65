"""Finding people in all that jobs have made of their pictures, and taking them out of it.

A row of a face shard goes if one of its faces is like one of the people's, or if it was made of the very photograph
that a face of theirs was made of. A face of a bank goes if it is like one of theirs. An image goes if the face asked
for, or the one that came of it, is. And with them goes all that was made of them: faces of photographs whose largest
face is theirs, mixes and variations in which their faces have a share, images of these, faces of these images; pictures
that trainings keep of such rows; and vectors that face spaces keep.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.embedders.metadata import refuse_other_embedder
from face0.faces.strangers import PhotographSample, refuse_strangers
from face0.generation.plan import image_id
from face0.io.folder import Folder
from face0.privacy.locations import Locations, OutputLocation
from face0.privacy.matches import LocationMatches, Match, share_in_words
from face0.privacy.people import Subjects
from face0.privacy.provenance import SCANNERS, Graph, Node, NodeKind, read_graph
from face0.privacy.removal import (
    RESULTS,
    SHARDS,
    blank_requests,
    clean_names,
    leftovers,
    remove_faces,
    remove_rows,
    tidy,
)
from face0.reports.augmentation.page import write_augmentation
from face0.reports.generation.page import write_report_of
from face0.reports.pages import PAGE
from face0.reports.sweeps import sweep_files
from face0.runtime.concurrency import ordered_map
from face0.runtime.progress import tracked
from face0.shards.columns import EMBEDDINGS, all_embeddings
from face0.shards.files import scan_shard, shard_files
from face0.tasks.kept_names import without_content
from face0.tasks.lease import Lease
from schemas.failures import Reason
from schemas.job import DataFile

REPORT_NOTE = "its report, which shows a sample of them, is written anew, without pictures of rows that failed"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that is to go. Made by ``look_for``.

    Attributes:
        people: who was looked for.
        locations: where they were looked for, with what is remembered of it.
        places: what is to go, from each place of these.
        generations: what was found, what was made of that, and so on.
        graph: what was made of what.
    """

    people: Subjects
    locations: Locations
    places: Sequence[LocationMatches]
    generations: Sequence[Sequence[Node]]
    graph: Graph

    def to_dict(self) -> dict[str, Any]:
        """What is to go from each place, as JSON values: the report of ``face0 forget --json``."""
        return {
            "people": list(self.people.faces),
            "threshold": self.people.like.threshold,
            "places": [{**asdict(place), "to_go": len(place.found)} for place in self.places],
        }


def look_for(people: Subjects, locations: Locations, *, mostly_theirs: bool = False) -> Findings:
    """Finds people; changes nothing.

    Reads each file once, a part at a time, and holds in memory the names of all faces and requests.

    Args:
        people: who is looked for.
        locations: where, as ``classify`` has just opened it.
        mostly_theirs: whether most of the photographs there show the people, so that it says nothing of the threshold
            if these are like each other.

    Raises:
        UsageError: a place cannot be read, or holds vectors of another embedder; or strangers pass the threshold.
    """
    alike: dict[Node, tuple[str, float]] = {}  # whose vector it is in words, and the similarity
    of_banks = PhotographSample()

    def look(nodes: Sequence[Node], vectors: pa.Array, whose: str) -> None:
        nonlocal of_banks
        of_banks += _sample_of_bank(people, nodes, vectors)
        alike.update((nodes[i], (whose, similarity)) for i, similarity in _alike_vectors(people, vectors))

    graph = read_graph(locations, look)
    _refuse_other_embedders(people, locations)
    matched = {node: _match(graph, node, whose, similarity) for node, (whose, similarity) in alike.items()}
    photographs = {Node(NodeKind.PHOTOGRAPH, "", digest) for digest in people.photographs}
    shards, of_shards = [], PhotographSample()
    for place in locations.shards:
        matches, sample = _look_through_shards(people, place, photographs)
        shards.append(matches)
        of_shards += sample
    for sample in (of_shards, of_banks) if not mostly_theirs else ():
        refuse_strangers(f"--threshold {people.like.threshold:g}", people.like, sample, people.identity)
    banks = [LocationMatches(kind="bank", uri=bank.uri, size=bank.size) for bank in locations.banks]
    renders = [_look_through_renders(place, graph, matched) for place in locations.renders]
    gone = [Node(NodeKind.IMAGE, place.uri, name) for place in locations.renders for name in place.forgotten]
    generations = graph.generations([*photographs, *matched, *gone])
    _add_made(graph, generations, matched, set(gone))
    for matches in (*banks, *renders):
        matches.found = [match for node, match in sorted(matched.items()) if node.place == matches.uri]
    for place, matches in zip(locations.renders, renders, strict=True):
        matches.found = _with_strays(place, matches.found)
    looked_through = {place.uri for place in locations.shards}
    holding = {place.uri for place in shards if place.found} | {p.uri for p in locations.shards if p.forgotten}
    trainings = [training.look(looked_through, holding) for training in locations.trainings]
    spaces = [space.look(people, holding) for space in locations.spaces]
    places = [*shards, *banks, *renders, *trainings, *spaces]
    return Findings(people=people, locations=locations, places=places, generations=generations, graph=graph)


def forget(findings: Findings) -> None:
    """Removes what was found; what is cut off goes on with the same call on what is found then.

    So nothing goes before what was made of it, and by which it could be found: images go first, with what trainings and
    spaces keep; then faces, those made of others before these; then the rows of photographs; last the bank of the
    people themselves, if it is among the places. Only files that are rewritten are read again, once; and what a report
    is made of anew.

    Raises:
        UsageError: a job is at work on one of the outputs, or was since they were looked through; nothing was changed.
    """
    with ExitStack() as leases:
        for place in (*findings.locations.renders, *findings.locations.shards):
            leases.enter_context(place.held())
        for training in findings.locations.trainings:
            leases.enter_context(Lease(Folder(training.uri), "forget"))
        _forget(findings)


def _forget(findings: Findings) -> None:
    matches = {place.uri: place for place in findings.places}
    own = matches.pop(findings.people.uri, None)
    banks = {bank.uri: bank.location for bank in findings.locations.banks}
    for place in findings.locations.renders:
        _forget_images(place, matches[place.uri])
    for training in findings.locations.trainings:
        training.remove(matches[training.uri].names)
    for space in findings.locations.spaces:
        space.remove(matches[space.uri].names)
    for uri, names in _removals(findings, {uri: place.names for uri, place in matches.items() if place.kind == "bank"}):
        if names:
            remove_faces(banks[uri], names)
    for place in findings.locations.shards:
        _forget_rows(place, matches[place.uri])
    if own is not None:
        remove_faces(banks[own.uri], own.names)


def _refuse_other_embedders(people: Subjects, locations: Locations) -> None:
    """Raises UsageError if the vectors of a bank or of generated images cannot be compared with the people's."""
    for bank in locations.banks:
        refuse_other_embedder(bank.uri, bank.metadata.embedder, people.uri, people.embedder)
    for place in locations.renders:
        for embedder in place.embedders:
            refuse_other_embedder(place.uri, embedder, people.uri, people.embedder)


def _removals(findings: Findings, banks: Mapping[str, set[str]]) -> Iterator[tuple[str, set[str]]]:
    """The faces to remove from banks, in turn: from each bank at once, before those of which its faces were made.

    Where banks have faces of each other, one generation after the other goes, so that a bank may come several times.
    """
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(banks, ()))
    for uri, names in banks.items():
        for source in findings.graph.ancestors(Node(NodeKind.FACE, uri, name) for name in names):
            if source.place != uri and source.name in banks.get(source.place, ()):
                order.add(source.place, uri)
    try:
        yield from ((uri, banks[uri]) for uri in [*order.static_order()])
    except CycleError:
        for generation in reversed(findings.generations):
            for uri, names in banks.items():
                yield uri, names & {node.name for node in generation if node.place == uri}


def _look_through_shards(
    people: Subjects, place: OutputLocation, photographs: set[Node]
) -> tuple[LocationMatches, PhotographSample]:
    """The rows with a face like one of theirs, or of one of their photographs; and a sample of all.

    Photographs whose largest face is theirs are added to ``photographs``: faces in banks are made of the largest.
    """
    digests = pa.array(sorted(people.photographs), pa.string())

    def scan(file: DataFile) -> tuple[int, list[tuple[Match, str | None]], PhotographSample]:
        size, rows, sample = 0, [], PhotographSample()
        for shard, table in scan_shard(place.folder, file, ["key", "source", "sha256", EMBEDDINGS]):
            refuse_other_embedder(place.uri, shard.embedder, people.uri, people.embedder)
            size += table.num_rows
            sample += PhotographSample.of(table)
            names = table.select(["key", "source"])
            if without_content(names) is not names:
                unclean.add(file.name)
            best, largest = _similarities(people, table)
            same = pc.is_in(table["sha256"], digests).to_numpy()
            like, theirs = best >= people.like.threshold, same | (largest >= people.like.threshold)
            for i in np.flatnonzero(like | same).tolist():
                digest = table["sha256"][i].as_py()
                row = Match(
                    name=table["key"][i].as_py(),
                    why=_alike(best[i]) if like[i] else "the same photograph",
                    similarity=_rounded(best[i]) if best[i] >= -1 else None,
                    file=file.name,
                )
                rows.append((row, digest if theirs[i] else None))
        return size, rows, sample

    unclean: set[str] = set()
    matches = LocationMatches(
        kind="shards",
        uri=place.uri,
        leftovers=leftovers(place),
        finished=place.folder.finished,
        note=REPORT_NOTE if place.folder.exists(PAGE) else "",
    )
    whole = PhotographSample()
    files = shard_files(place.folder, place.tasks)
    scanned = ordered_map(scan, files, SCANNERS, 2 * SCANNERS)
    for size, rows, sample in tracked(scanned, "shards looked through", len(files)):
        matches.size += size
        whole += sample
        matches.found += [row for row, _ in rows]
        photographs.update(Node(NodeKind.PHOTOGRAPH, "", digest) for _, digest in rows if digest)
    place.unclean.update(
        task_id for task_id, stats in place.tasks.items() if any(file.name in unclean for file in stats.files)
    )
    return matches, whole


def _look_through_renders(place: OutputLocation, graph: Graph, matched: dict[Node, Match]) -> LocationMatches:
    """What is known of a place, beside who is like one of the people; adds images that went without their requests."""
    for name in place.forgotten:
        node = Node(NodeKind.IMAGE, place.uri, name)
        if graph.facts.get(node, {}).get("reason", Reason.FORGOTTEN) != Reason.FORGOTTEN:
            matched[node] = _match_of(graph, node, "removed before, but for its request")
    return LocationMatches(
        kind="renders",
        uri=place.uri,
        size=sum(node.place == place.uri for node in graph.facts),
        leftovers=leftovers(place),
        sweep=sweep_files(place.folder.uri),
        finished=place.folder.finished,
        note="" if place.embedders else "nothing says which embedder made its vectors: compared by their length alone",
    )


def _with_strays(place: OutputLocation, images: Sequence[Match]) -> list[Match]:
    """Adds to requests without an image the files that a job which was killed has made of them, and not committed."""
    if all(match.file for match in images):
        return list(images)
    strays = {image_id(name): name for name in place.folder.files("images")}
    return [replace(match, file=match.file or strays.get(match.name)) for match in images]


def _add_made(graph: Graph, generations: Sequence[Sequence[Node]], matched: dict[Node, Match], gone: set[Node]) -> None:
    """Adds what was made of what was found; the source with the most of the people in it is the reason."""
    shares = graph.made_of(generations[0]) if generations else {}
    for generation in generations:
        for node in generation:
            if node in matched or node in gone or node.kind == NodeKind.PHOTOGRAPH:
                continue
            source = max(graph.sources[node], key=lambda other: graph.sources[node][other] * shares.get(other, 0.0))
            why = f"made from {source.kind} {source.name}{share_in_words(shares[node])}"
            matched[node] = _match_of(graph, node, why)


def _match(graph: Graph, node: Node, whose: str, similarity: float) -> Match:
    why = f"{whose}: {_alike(similarity)}" if whose else _alike(similarity)
    return _match_of(graph, node, why, _rounded(similarity))


def _match_of(graph: Graph, node: Node, why: str, similarity: float | None = None) -> Match:
    return Match(name=node.name, why=why, similarity=similarity, file=graph.facts.get(node, {}).get("image"))


def _forget_rows(place: OutputLocation, matches: LocationMatches) -> None:
    """Removes the rows of a place that is an output of augment."""
    by_file: dict[str | None, set[str]] = {}
    for row in matches.found:
        by_file.setdefault(row.file, set()).add(row.name)
    for task_id, stats in tracked([*place.tasks.items()], "shards rid of them"):
        names = set().union(*(by_file.get(file.name, ()) for file in stats.files))
        if names:
            remove_rows(place, task_id, SHARDS, names)
        elif task_id in place.unclean:
            clean_names(place, task_id)
    tidy(place)
    if place.folder.exists(PAGE):
        # Always: nobody can tell whom its pictures of failed rows show, and a removal may have been cut off here.
        write_augmentation(place.folder, place.tasks)


def _forget_images(place: OutputLocation, matches: LocationMatches) -> None:
    """Removes images and their requests. The requests go last: while they stand, the work is known to be unfinished."""
    names = matches.names
    for task_id, images in tracked(place.results.items(), "results rid of them", len(place.results)):
        if images & names:
            remove_rows(place, task_id, RESULTS, images & names)
    tidy(place, names)
    if (names or matches.leftovers) and place.folder.exists(PAGE):
        write_report_of(place.open_results())
    if names:
        for uri in matches.sweep:  # with names and thumbnails; the sweep's command writes them anew
            folder, name = Folder.of_file(uri)
            folder.remove(name)
        blank_requests(place, names)


def _similarities(people: Subjects, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """For each row of a face shard, how alike its most similar face is, and its largest; -inf without a face."""
    vectors, rows = all_embeddings(table)
    similarity = people.similarity(vectors)
    best, largest = np.full((2, table.num_rows), -np.inf, np.float32)
    np.fmax.at(best, rows, similarity)
    present, first = np.unique(rows, return_index=True)
    largest[present] = similarity[first]
    return best, largest


def _alike_vectors(people: Subjects, vectors: pa.Array) -> Iterator[tuple[int, float]]:
    """Which of some vectors, null or of any length, are like one of theirs, with the similarity."""
    usable = pc.fill_null(pc.equal(pc.list_value_length(vectors), people.dim), False)
    places = np.flatnonzero(usable.to_numpy(zero_copy_only=False))
    similarity = people.similarity(vectors.filter(usable).flatten().to_numpy().reshape(-1, people.dim))
    for i in np.flatnonzero(similarity >= people.like.threshold).tolist():
        yield int(places[i]), float(similarity[i])


def _sample_of_bank(people: Subjects, nodes: Sequence[Node], vectors: pa.Array) -> PhotographSample:
    """A sample of the faces of banks among some vectors, null or of any length; but for the people's own."""
    return PhotographSample.of_vectors(
        {
            f"{node.place} {node.name}": np.asarray(vector.values.to_numpy(), np.float32)
            for node, vector in zip(nodes, vectors, strict=True)
            if node.kind == NodeKind.FACE and node.place != people.uri
            if vector.is_valid and len(vector) == people.dim
        }
    )


def _alike(similarity: float) -> str:
    return f"similarity {similarity:.3f}"


def _rounded(similarity: float) -> float:
    return round(float(similarity), 4)
