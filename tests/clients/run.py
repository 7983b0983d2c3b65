"""Asks every client of this folder, each in its own environment, and compares its answers with pyarrow's here.

Prints a table, and writes it into docs/reference/clients.md. Exits with 1 if a client reads other than is promised.
"""

import ast
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from face0.shards.columns import all_embeddings
from face0.shards.files import iter_columns, open_shards
from tests.fixtures.pictures import augment, captioned, people, write_tar

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "clients.md"
BEGIN, END = "<!-- begin: make test-clients -->\n", "<!-- end -->\n"
ROWS, NEAREST, SECONDS = 40, 5, 600
ALL = ("key", "caption", "width", "height", "source", "sha256", "faces", "embeddings", "embedding")


@dataclass(frozen=True, kw_only=True)
class Client:
    """A tool that reads shards.

    Attributes:
        name: for a person.
        script: in this folder.
        environment: that it runs in.
        needs: programs that it cannot do without.
        columns: that it is to read.
        writes: whether it writes the rows again: as Parquet, in a format of its own, or not.
        search: by whose function it finds the nearest.
    """

    name: str
    script: str
    environment: str = "python"
    needs: Sequence[str] = ()
    columns: Sequence[str] = ALL
    writes: str = "Parquet"
    search: str = "its own function"


CLIENTS = [
    Client(name="pandas", search="NumPy", script="with_pandas.py"),
    Client(name="polars", search="NumPy", script="with_polars.py"),
    Client(name="DuckDB", script="with_duckdb.py"),
    Client(name="datasets", search="NumPy", script="with_datasets.py"),
    Client(name="pyarrow.dataset", search="NumPy", script="with_pyarrow.py"),
    Client(name="Spark", search="SQL", script="with_spark.py", needs=["java"]),
    Client(name="Spark 3", search="SQL", script="with_spark.py", environment="spark35", needs=["java"]),
    Client(name="Daft", script="with_daft.py"),
    Client(name="Ray Data", search="NumPy", script="with_ray.py"),
    Client(name="Dask", search="NumPy", script="with_dask.py"),
    Client(name="Delta Lake", script="with_delta.py"),
    Client(name="Iceberg", search="DuckDB", script="with_iceberg.py", writes=""),
    Client(name="ClickHouse (chdb)", script="with_clickhouse.py"),
    Client(name="DataFusion", script="with_datafusion.py"),
    Client(name="Lance", script="with_lance.py", writes="own"),
    Client(name="LanceDB", script="with_lancedb.py", writes="own"),
    Client(
        name="fastparquet",
        script="with_fastparquet.py",
        columns=("key", "caption", "width", "embedding"),
        search="NumPy",
        writes="",
    ),
    Client(
        name="hyparquet",
        search="JavaScript",
        script="with_hyparquet.mjs",
        environment="node",
        needs=["node", "npm"],
        writes="",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Shards, and what is right.

    Attributes:
        work: has ``output``, and ``query.json``.
        rows: of the shards, by key, as pyarrow has them.
        nearest: keys of those most like the query.
    """

    work: Path
    rows: dict[str, dict[str, Any]]
    nearest: list[str]


def main(environments: Path, chosen: Sequence[str]) -> int:
    """Asks the clients; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        question = ask(Path(folder))
        answers: list[Answer] = []
        for client in CLIENTS:
            if not chosen or client.name in chosen:
                answers.append(answer_of(client, environments, question))
                print(f"{client.name}: {answers[-1].fault or answers[-1].skipped or 'as promised'}", flush=True)
        size = sum(file.stat().st_size for file in (question.work / "output" / "shards").iterdir())
    table = "".join(f"{line}\n" for line in lines(answers, size))
    print(table)
    if not chosen and not any(answer.fault or answer.skipped for answer in answers):
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}")
    return int(any(answer.fault for answer in answers))


def ask(work: Path) -> Question:
    """Makes an output of augment, of which a row has failed."""
    tar = write_tar(work / "people.tar", captioned([*people(ROWS), ("page.jpg", b"<html>404</html>")]))
    assert augment(tar, work / "output", "--max-failures", "1") == 0
    rows = [row for file in sorted((work / "output" / "shards").iterdir()) for row in pq.read_table(file).to_pylist()]
    assert len(rows) == ROWS
    query = rows[ROWS // 2]["embedding"]
    (work / "query.json").write_text(json.dumps(query))
    vectors = np.array([row["embedding"] for row in rows])
    order = np.argsort(-(vectors @ query) / np.linalg.norm(vectors, axis=1))
    return Question(
        work=work, rows={row["key"]: row for row in rows}, nearest=[rows[i]["key"] for i in order[:NEAREST]]
    )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a client made of it.

    Attributes:
        client: that was asked.
        skipped: why it was not; empty: it was.
        fault: what is other than promised; empty: nothing.
        version: of the client.
        kind: what it calls the type of ``embedding``.
        written: bytes of the rows as it writes them; None: it does not.
    """

    client: Client
    skipped: str = ""
    fault: str = ""
    version: str = ""
    kind: str = ""
    written: int | None = None


def answer_of(client: Client, environments: Path, question: Question) -> Answer:
    """Runs a client's script and compares."""
    if missing := [program for program in client.needs if shutil.which(program) is None]:
        return Answer(client=client, skipped=f"skipped: there is no {missing[0]} here")
    written = question.work / "written" / client.name.replace(" ", "-")
    written.mkdir(parents=True)
    if client.environment == "node":
        command = ["node", str(shutil.copy(HERE / client.script, environments / "node"))]
    else:
        command = [str(environments / client.environment / "bin" / "python"), str(HERE / client.script)]
    try:
        ran = subprocess.run(
            [*command, str(question.work), str(written)], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer(client=client, fault=f"no answer in {SECONDS} s")
    found = [line.partition(" ")[2] for line in ran.stdout.splitlines() if line.startswith("ANSWER ")]
    if ran.returncode or not found:
        return Answer(client=client, fault=(ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1])
    answer = json.loads(found[-1])
    wrong = [*faults(client, answer, question), *(read_back(written, question) if client.writes == "Parquet" else [])]
    return Answer(
        client=client,
        fault="; ".join(wrong),
        version=answer["version"],
        kind=str(answer["types"]["embedding"]),
        written=sum(file.stat().st_size for file in written.rglob("*") if file.is_file()) if client.writes else None,
    )


def faults(client: Client, answer: dict[str, Any], question: Question) -> Iterator[str]:
    """What a client has read, or found, that is not so."""
    found = {row["key"]: row for row in answer["rows"]}
    if found.keys() != question.rows.keys() or len(answer["rows"]) != ROWS:
        yield f"{len(answer['rows'])} rows, and not the {ROWS} of the shards"
        return
    for column in client.columns:
        if wrong := [key for key, row in found.items() if not same(row[column], question.rows[key][column])]:
            yield f"{column} of {len(wrong)} rows is another, as of {wrong[0]}"
    if answer["nearest"] != question.nearest:
        yield f"the nearest are {question.nearest}, and not {answer['nearest']}"


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal; numbers as float32, which some write in fewer digits."""
    if isinstance(one, float) or isinstance(other, float):
        return bool(np.float32(one) == np.float32(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def read_back(written: Path, question: Question) -> Iterator[str]:
    """What this library reads otherwise in the rows as a client has written them again."""
    keys: list[str] = []
    for shard in open_shards([str(written)], str(question.work / "output")):
        for table in iter_columns(shard, ["key", "image", "embeddings"]):
            vectors, rows = all_embeddings(table)
            keys += (names := table["key"].to_pylist())
            for row, (key, image) in enumerate(zip(names, table["image"].to_pylist(), strict=True)):
                expected = question.rows[key]
                if image != expected["image"] or not np.array_equal(vectors[rows == row], expected["embeddings"]):
                    yield f"what it writes has another {key}"
    if sorted(keys) != sorted(question.rows):
        yield f"what it writes has {len(keys)} rows"


def lines(answers: Sequence[Answer], size: int) -> Iterator[str]:
    """The table, and how each searches, in Markdown."""
    yield "| client | version | opens | type of `embedding` | cosine search in one line | kB as it writes them |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for answer in answers:
        state = answer.fault or answer.skipped
        columns = "yes" if answer.client.columns == ALL else f"only {', '.join(answer.client.columns)}"
        searches = "" if state else f"yes, by {answer.client.search}"
        written = "" if answer.written is None else f"{answer.written / 1000:,.0f}"
        kind = f"`{answer.kind}`" if answer.kind else ""
        yield f"| {answer.client.name} | {answer.version} | {state or columns} | {kind} | {searches} | {written} |"
    yield ""
    yield f"The shards have {size / 1000:,.0f} kB, of {ROWS} images with as many faces, and vectors of 1,792 numbers."
    yield ""
    for answer in answers:
        yield f"{answer.client.name}:"
        yield ""
        yield f"```{'js' if answer.client.script.endswith('.mjs') else 'python'}"
        yield search_of(answer.client)
        yield "```"
        yield ""


def search_of(client: Client) -> str:
    """The statement of a client's script by which it finds the nearest."""
    source = (HERE / client.script).read_text()
    if client.script.endswith(".mjs"):
        return source[source.index("const nearest = ") : source.index("console.log")].rstrip()
    statements = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    (nearest,) = [node for node in statements if ast.unparse(node.targets[0]) == "nearest"]
    return ast.get_source_segment(source, nearest) or ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [name for name in sys.argv[2].split(",") if name]))
