"""From a manifest and a bank to tasks: what is new is planned, what was rendered stays, and nothing is asked for twice.

``OUT/requests/<hash>.parquet`` holds requests with their vectors, a row group for each task. Requests that cannot be
rendered have files of their own, ``problems-<hash>.parquet``: they are planned anew each time, for the next bank may
have what they lack.
"""

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.embedders.metadata import with_embedder
from face0.errors import UsageError
from face0.faces.bank import FaceBank
from face0.generation.requests import Request, as_table, make_request, problem
from face0.io.folder import Folder
from face0.io.names import kept_key, kept_message
from face0.model.folder import ModelFacts
from face0.runtime.progress import tracked
from face0.tasks.totals import IMAGE_BYTES
from schemas.failures import Reason
from schemas.job import TaskStats
from schemas.requests import REQUESTS

logger = logging.getLogger(__name__)

PROBLEMS = "problems-"


@dataclass(frozen=True, kw_only=True)
class RequestTask:
    """A row group of a file of requests.

    Attributes:
        uri: of the file, relative to the output folder, which may move.
        row_group: its place in the file.
        task_id: names its commit.
    """

    uri: str
    row_group: int
    task_id: str


@dataclass(frozen=True, kw_only=True)
class RequestPlan:
    """What an output folder is to hold, and what to do for it.

    Attributes:
        tasks: all that are committed or to be.
        stale: commits to take back: problems of an earlier manifest or bank.
        files: to write: by name the requests of each row group.
        abandoned: files to remove, which no task needs.
        strays: ids of images that an earlier run may have left without a commit, and that nobody asks for now.
        unasked: committed requests that nobody asks for now, but for forgotten ones; they stay.
        forgotten: faces that are asked for, and whose requests ``face0 forget`` took away.
        committed: the commits that count, by task id: those whose images are there.
        embedder: what made the requests' vectors; the files say it.
    """

    tasks: Sequence[RequestTask]
    stale: Sequence[TaskStats]
    files: Mapping[str, Sequence[Sequence[Request]]]
    abandoned: Sequence[str]
    strays: Collection[str]
    unasked: int
    forgotten: Collection[str]
    committed: Mapping[str, TaskStats]
    embedder: Mapping[str, str]

    def prepare(self, output: Folder) -> None:
        """Writes the files, and removes what is left of requests that nobody asks for now."""
        schema = with_embedder(REQUESTS, self.embedder)
        for name, groups in self.files.items():
            with (
                output.write(name) as file,
                pq.ParquetWriter(file, schema, compression="zstd") as writer,
            ):
                for group in groups:
                    writer.write_table(as_table(group).cast(schema), row_group_size=len(group))
        output.drop_partial()
        strays = [name for name in output.files("images") if image_id(name) in self.strays] if self.strays else []
        for name in (*strays, *self.abandoned):
            output.remove(name)


def join_requests(
    manifest: pa.Table, bank: FaceBank, model: ModelFacts, portraits: bool, denied: Collection[str] = ()
) -> tuple[list[Request], int]:
    """The requests of a manifest, each once, with their vectors.

    Args:
        manifest: of the schema MANIFEST.
        bank: where its faces are.
        model: for which they are.
        portraits: whether measures need the bank's pictures.
        denied: faces of the bank that are not to be rendered.

    Returns:
        Requests, some of them with a reason why they cannot be rendered; and how many rows ask for an image that
        another one asks for too.

    Raises:
        UsageError: the bank's vectors are not of the model's length.
    """
    if bank.faces and bank.dim != model.dim:
        raise UsageError(
            f"the bank's vectors have {bank.dim} values, the model takes {model.dim}: "
            "make the bank with the embedder of the model's shards"
        )
    requests: dict[str, Request] = {}
    batches = manifest.to_batches(max_chunksize=1024)
    rows = (row for batch in batches for row in batch.to_pylist())
    for row in tracked(rows, "requests planned", manifest.num_rows):
        request = _joined(row, bank, model, portraits)
        if request.face_id in denied:
            request = _failed(request, Reason.DENIED, f"face {request.face_id!r} is like one of the bank --deny")
        requests.setdefault(request.request_id, request)
    return list(requests.values()), manifest.num_rows - len(requests)


def plan_requests(
    output: Folder,
    requests: Sequence[Request],
    committed: Mapping[str, TaskStats],
    size: int,
    embedder: Mapping[str, str] | None = None,
) -> RequestPlan:
    """Plans what is left of requests, around what an output folder holds already.

    Args:
        output: the folder.
        requests: each once.
        committed: its commits, by task id.
        size: requests of a task.
        embedder: what made the requests' vectors, as in the metadata of a bank; None: it is not known.
    """
    wanted = {request.request_id: request for request in requests if request.reason is None}
    problems = [request for request in requests if request.reason is not None]
    there = request_files(output)
    earlier = {name: list(_groups(output, name)) for name in there if PROBLEMS not in name}
    committed = _with_images(output, [group for groups in earlier.values() for group in groups], committed)
    kept = [group for groups in earlier.values() for group in groups if group.task.task_id in committed]
    done = {name for group in kept for name in group.requests}
    gone = {name for group in kept for name in group.forgotten}
    left = wanted.keys() - done
    strays: set[str] = set()
    for groups in earlier.values():
        for group in groups:
            if group.task.task_id in committed:
                continue
            if group.requests <= left:
                kept.append(group)
                left -= group.requests
            else:
                strays |= group.requests - wanted.keys() - done
    tasks = [group.task for group in kept]
    needed = {task.uri for task in tasks}
    files = {}
    new = sorted((wanted[name] for name in left), key=_order)
    for prefix, file_requests in (("", new), (PROBLEMS, problems)):
        if file_requests:
            name, chunks = _file(prefix, file_requests, size)
            files[name] = chunks
            tasks += [request_task(name, i) for i in range(len(chunks))]
    planned = {task.task_id for task in tasks}
    stale = [stats for stats in committed.values() if PROBLEMS in stats.task["uri"] and stats.task_id not in planned]
    abandoned = [name for name in there if name not in needed and name not in files]
    return RequestPlan(
        tasks=tasks,
        stale=stale,
        files=files,
        abandoned=abandoned,
        strays=strays,
        unasked=len(done - gone - wanted.keys()),
        forgotten={wanted[name].face_id for name in gone & wanted.keys()},
        committed=committed,
        embedder=embedder or {},
    )


def _with_images(
    output: Folder, groups: Sequence["_Group"], committed: Mapping[str, TaskStats]
) -> dict[str, TaskStats]:
    """The commits without those of which images are gone, or cut. (Version 0.2 and before kept no sizes.)"""
    sizes = {image_id(name): int(info["size"]) for name, info in output.file_infos("images").items()}
    whole = dict(committed)
    for group in groups:
        stats = committed.get(group.task.task_id)
        expected = stats.totals.get(IMAGE_BYTES) if stats else None
        if expected is None:
            continue
        there = sum(sizes.get(name, 0) for name in group.requests)
        if there != expected:
            logger.warning(
                "the images of task %s have %s bytes, and not %s: it counts as not committed",
                group.task.task_id,
                f"{there:,}",
                f"{expected:,}",
            )
            del whole[group.task.task_id]
    return whole


def _joined(row: Mapping[str, Any], bank: FaceBank, model: ModelFacts, portraits: bool) -> Request:
    name = row["face_id"]
    face = bank.find(name)
    row = row if face is None else {**row, "face_id": face.face_id}
    request = make_request(row, face.vector if face else None, model)
    if name and face is None:
        asked = kept_key(name)
        examples = ", ".join(repr(face_id) for face_id in list(bank.faces)[:3])
        return _failed(
            request,
            Reason.UNKNOWN_FACE,
            f"the bank has no face {asked!r}; it has {len(bank.faces):,}: {examples}, ...",
        )
    if face is not None and face.vector is None:
        return _failed(
            request, Reason.NO_VECTOR, f"face {name!r} has no vector: {face.note or 'the bank does not say why'}"
        )
    if refusal := problem(request, model):
        return _failed(request, *refusal)
    return replace(request, portrait=face.portrait if face and portraits else None)


def _failed(request: Request, reason: Reason, message: str) -> Request:
    # The id of a request that can be made has no face's name in it; of these the name may be what is wrong.
    settings = {**request.settings, "face": request.face_id, "reason": str(reason)}
    return replace(
        request,
        request_id=_digest(repr(settings))[:32],
        face_id=kept_key(request.face_id),
        vector=None,
        reason=reason,
        message=kept_message(message),
    )


def _order(request: Request) -> tuple[Any, ...]:
    return *request.kind, request.prompt, request.negative_prompt, request.face_id, request.seed, request.request_id


def _file(prefix: str, requests: Sequence[Request], size: int) -> tuple[str, list[Sequence[Request]]]:
    groups = [requests[start : start + size] for start in range(0, len(requests), size)]
    content = repr([size, *((request.request_id, request.message) for request in requests)])
    return f"requests/{prefix}{_digest(content)[:16]}.parquet", groups


def request_task(name: str, row_group: int) -> RequestTask:
    """The task of a row group of a file of requests, ``requests/<hash>.parquet``."""
    stem = name.removeprefix("requests/").removesuffix(".parquet")
    return RequestTask(uri=name, row_group=row_group, task_id=f"{stem}-{row_group:05d}")


@dataclass(frozen=True, kw_only=True)
class _Group:
    """A task that is there, with the ids of its requests, and of those that were forgotten."""

    task: RequestTask
    requests: set[str]
    forgotten: set[str]


def _groups(output: Folder, name: str) -> Iterator[_Group]:
    with output.open(name) as file:
        parquet = pq.ParquetFile(file)
        for i in range(parquet.num_row_groups):
            table = parquet.read_row_group(i, columns=["request_id", "reason"])
            gone = table.filter(pc.equal(table["reason"], str(Reason.FORGOTTEN)))
            yield _Group(
                task=request_task(name, i),
                requests=set(table["request_id"].to_pylist()),
                forgotten=set(gone["request_id"].to_pylist()),
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def request_files(output: Folder) -> list[str]:
    """The files in which an output of generate keeps its requests, by their names in the folder."""
    return [name for name in output.files("requests") if name.endswith(".parquet")]


def image_id(name: str) -> str:
    """The request of an image, told by the name of its file: ``images/<request id>.<format>``."""
    return name.rpartition("/")[2].partition(".")[0]
