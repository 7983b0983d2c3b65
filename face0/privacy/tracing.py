"""Where something comes from, and what was made of it: the answer of ``face0 trace``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from face0.errors import UsageError
from face0.io.secrets import public
from face0.privacy.locations import Locations
from face0.privacy.matches import Match, share_in_words
from face0.privacy.provenance import Graph, Node, NodeKind, Row, find_rows, read_graph


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a name stands for, what that was made from, and what was made of it.

    Attributes:
        asked: the name.
        found: what has it.
        sources: what that was made from, directly or not, with the share of each therein.
        made: what was made of it, directly or not, with its share in each.
        rows: the rows of face shards that hold one of the photographs, by its SHA-256.
        copies: files of trainings that may show these rows.
        graph: of all that was looked through.
    """

    asked: str
    found: Sequence[Node]
    sources: Mapping[Node, float]
    made: Mapping[Node, float]
    rows: Mapping[str, Sequence[Row]]
    copies: Sequence[Match]
    graph: Graph

    def to_dict(self) -> dict[str, Any]:
        """Photographs, faces and images, each with its part in the answer and what it was made from."""
        parts = {"asked for": dict.fromkeys(self.found, 1.0), "source": self.sources, "made of it": self.made}
        record: dict[str, Any] = {"asked": self.asked, "photographs": [], "faces": [], "images": []}
        for part, shares in parts.items():
            for node, share in shares.items():
                record[f"{node.kind}s"].append({"part": part, "share": round(share, 4), **self._described(node)})
        return {**record, "copies": [asdict(copy) for copy in self.copies]}

    def as_text(self) -> str:
        """The trace as trees, for a person."""
        lines: list[str] = []
        for node in self.found:
            lines += [*self._headed(node, "")]
            for title, following, shares in (
                ("made from", self.graph.sources, self.sources),
                ("made of it", self.graph.made, self.made),
            ):
                if tree := [*self._tree(node, following, shares, "    ", {node})]:
                    lines += [f"  {title}:", *tree]
        if self.copies:
            lines.append("pictures of such rows, or what was made of these, are in:")
            lines += [f"  {copy.name}  {copy.why}" for copy in self.copies]
        return "\n".join(lines)

    def _described(self, node: Node) -> dict[str, Any]:
        facts = self.graph.facts.get(node, {})
        sources = [
            {"kind": str(source.kind), "in": source.place, "name": source.name}
            for source in self.graph.sources.get(node, ())
        ]
        if node.kind == NodeKind.PHOTOGRAPH:
            return {"sha256": node.name, **facts, "rows": [asdict(row) for row in self.rows.get(node.name, ())]}
        name = "face_id" if node.kind == NodeKind.FACE else "request_id"
        return {"in": node.place, name: node.name, **facts, "known": node in self.graph.facts, "sources": sources}

    def _tree(
        self,
        node: Node,
        following: Mapping[Node, Iterable[Node]],
        shares: Mapping[Node, float],
        indent: str,
        shown: set[Node],
    ) -> Iterator[str]:
        for child in following.get(node, ()):
            if child not in shares:
                continue
            if child in shown:
                yield f"{indent}{child}: see above"
                continue
            shown.add(child)
            yield from self._headed(child, indent, shares[child])
            yield from self._tree(child, following, shares, indent + "  ", shown)

    def _headed(self, node: Node, indent: str, share: float = 1.0) -> Iterator[str]:
        facts = self.graph.facts.get(node)
        if facts is None:
            more = ", which is not in the places given"
        elif node.kind == NodeKind.PHOTOGRAPH:
            more = f" ({', '.join(facts['uris'])})" if facts.get("uris") else ""
        elif node.kind == NodeKind.FACE:
            more = f" (made by {facts['made_by']})"
        else:
            more = f" ({facts.get('image') or 'no image'}, seed {facts['seed']}: {facts['prompt']})"
        yield f"{indent}{node}{more}{share_in_words(share)}"
        if node.kind == NodeKind.PHOTOGRAPH:
            for row in self.rows.get(node.name, ()):
                yield f"{indent}  row {row.key} in {row.folder}, {row.file} (from {row.source})"


def trace(asked: str, locations: Locations) -> Trace:
    """Finds what has a name, what it was made from, and what was made of it.

    Args:
        asked: of a photograph its SHA-256, file name or key in the shards; of a face its id; of an image its request's
            id or file name. Of a file also the whole URI, or the end of its path.
        locations: where to look, each file once.

    Raises:
        UsageError: nothing has this name, or a place cannot be read.
    """
    asked = public(asked)
    graph = read_graph(locations)
    matches = graph.named(asked)
    photographs = [node for node in (*matches, *graph.ancestors(matches)) if node.kind == NodeKind.PHOTOGRAPH]
    matching_rows, rows = find_rows(locations.shards, asked, {node.name for node in photographs})
    for row in matching_rows:
        photograph = Node(NodeKind.PHOTOGRAPH, "", row.sha256)
        if photograph not in matches:
            graph.add(photograph)
            matches.append(photograph)
    if not matches:
        raise UsageError(
            f"nothing in {', '.join(locations.uris)} is called {asked!r}: give a photograph's file name, key or "
            "SHA-256, a face_id, or the request_id or file name of an image"
        )
    sources, made = (
        {node: share for node, share in shares.items() if node not in matches}
        for shares in (graph.made_from(matches), graph.made_of(matches))
    )
    by_photograph: dict[str, list[Row]] = {}
    for row in rows:
        by_photograph.setdefault(row.sha256, []).append(row)
    holding = {row.folder for row in rows}
    copies = [
        match
        for training in locations.trainings
        for match in training.look({place.uri for place in locations.shards}, holding).found
    ]
    return Trace(asked=asked, found=matches, sources=sources, made=made, rows=by_photograph, copies=copies, graph=graph)
