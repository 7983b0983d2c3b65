"""Passwords and signatures of URIs are in nothing that a job writes or prints, and a renewed one is the same input."""

import io
import json
import re
import uuid
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
from PIL import Image

from face0.io import storage
from jobs.main import main
from tests.fixtures.pictures import captioned, contents, people, picture, rows, stats, success, write_tar

S = "MARK3R"
ALONE = ["--worker-processes", "0"]  # files in memory are of one process
ALLOWED = ["--allow", "memory", "--allow", "http://localhost:9/"]
SIGNED = f"?X-Amz-Credential={S}&X-Amz-Signature={S}"
NAMED = f"?id=7&sig={S}"  # a part of it names the thing


def put(uri: str, data: bytes) -> str:
    with fsspec.open(uri, "wb") as file:
        file.write(data)
    return uri


def decoded(name: str, data: bytes) -> str:
    """All that a file says: the columns and metadata of Parquet, the texts of a picture, else its bytes as text."""
    if name.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(data))
        return f"{table.to_pylist()} {table.schema.metadata}"
    if name.endswith(".png"):
        return str(Image.open(io.BytesIO(data)).info)
    return data.decode("latin-1")


def leaks(root: str) -> list[str]:
    """Files of an output that hold the marker, or have it in their names."""
    return [name for name, data in contents(root).items() if S in name or S in decoded(name, data)]


@pytest.fixture(scope="module")
def place() -> str:
    """A folder in memory behind user info, which the file system takes for a part of the path."""
    return f"memory://me:{S}@{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def images(place: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A tar, and a list of images of which two cannot be fetched and one is no image; all with signatures."""
    tar = write_tar(tmp_path_factory.mktemp("tar") / "a.tar", captioned(people(12))).read_bytes()
    listed = [put(f"{place}/in/{i}.jpg{NAMED}", picture("astronaut", shift=i)) for i in range(4)]
    listed += [
        f"{place}/in/gone.jpg{SIGNED}",
        f"https://me:{S}@localhost:9/x.jpg{SIGNED}",
        put(f"{place}/t{SIGNED}", b"text"),
    ]
    lines = "".join(json.dumps({"url": uri, "caption": "a photo"}) + "\n" for uri in listed)
    return [put(f"{place}/in/a.tar{SIGNED}", tar), put(f"{place}/in/l.jsonl{SIGNED}", lines.encode())]


@pytest.fixture(scope="module")
def shards(place: str, images: list[str]) -> str:
    options = ["--embedder", "random:0", "--output", f"{place}/shards", "--threads", "1", "--max-failures", "100%"]
    options += [*ALONE, *ALLOWED]
    assert main(["augment", *images, *options, "--fetch-retries", "0", "--runner", "FnApiRunner"]) == 0
    return f"{place}/shards"


def test_the_rows_have_public_sources(shards):
    sources = {row["source"] for row in rows(shards)}
    assert not any(S in source for source in sources)
    assert any(source.endswith("/in/0.jpg?id=7") for source in sources)
    assert any(source.endswith("/in/a.tar#p0000.jpg") for source in sources)
    assert {row["reason"] for row in rows(shards, "failures")} == {"fetch_404", "fetch_error", "not_an_image"}
    assert leaks(shards) == []


def test_a_renewed_signature_is_the_same_input(place, images, shards, capfd):
    before = contents(shards)
    renewed = []
    for uri in images:
        fs, path = fsspec.core.url_to_fs(uri)
        renewed.append(put(uri.replace(SIGNED, f"?X-Amz-Date=2030&X-Amz-Signature=new{S}"), fs.cat_file(path)))
        # It is the same file: in memory the signature is a part of its name.
        fs.store[fsspec.core.url_to_fs(renewed[-1])[1]].created = fs.store[path].created
    options = [
        "--embedder",
        "random:0",
        "--output",
        shards,
        "--threads",
        "1",
        "--max-failures",
        "100%",
        *ALONE,
        *ALLOWED,
    ]
    assert main(["augment", *renewed, *options]) == 0
    assert contents(shards) == before
    assert main(["augment", *renewed, *options, "--retry-failed", "fetch_404"]) == 0
    assert [record["task_id"] for record in stats(shards)] == sorted(Path(n).stem for n in before if "stats/" in n)
    assert leaks(shards) == []
    assert main(["augment", images[0], renewed[0], *options]) == 2
    captured = capfd.readouterr()
    assert "is given twice" in captured.err
    assert S not in captured.out + captured.err


def test_an_output_that_an_earlier_version_wrote_with_secrets_is_made_anew_without(place, images, tmp_path):
    out = f"{place}/old"
    options = ["--embedder", "random:0", "--output", out, "--threads", "1", *ALONE]
    assert main(["augment", images[0], *options]) == 0
    fs, path = fsspec.core.url_to_fs(out)
    (old,) = fs.find(f"{path}/stats")
    record = json.loads(fs.cat_file(old))
    task = record["task_id"]
    record["task"]["uri"], record["task_id"] = storage.absolute(images[0]), "a-00000000-0123456789"
    fs.rm_file(old)
    for table in ("shards", "failures"):
        fs.mv(f"{path}/{table}/{task}.parquet", f"{path}/{table}/{record['task_id']}.parquet")
    for file in record["files"]:
        file["name"] = file["name"].replace(task, record["task_id"])
    fs.pipe_file(f"{path}/stats/{record['task_id']}.json", json.dumps(record).encode())
    job = json.loads(fs.cat_file(f"{path}/job.json"))
    job["config"]["inputs"] = [images[0]]
    fs.pipe_file(f"{path}/job.json", json.dumps(job).encode())
    assert main(["augment", images[0], *options]) == 0
    assert [record["task_id"] for record in stats(out)] == [task]
    assert success(out)["ledger"]["written"] == 12
    assert leaks(out) == []


@pytest.mark.long
def test_the_whole_loop_keeps_and_prints_no_secret(place, images, shards, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(2):
        put(f"{place}/people/anna/{i}.jpg", picture("astronaut", shift=i))
        put(f"{place}/people/bob/{i}.jpg", picture("admiral", shift=i))
    prompts = put(f"{place}/prompts.txt{SIGNED}", b"a photo\n")
    bank, model, space = f"{place}/bank.parquet{SIGNED}", f"{place}/model", f"{place}/space"
    rendering = ["--model", model, "--embedder", "random:0", "--threads", "1", *ALONE, "--steps", "1"]
    effort = ["--resamples", "99", "--permutations", "99"]
    usual = ["--embedder", "random:0"]
    size = ["--batch", "4", "--resolution", "64", "--holdout", "2", "--holdout-similarity", "1", "--threads", "1"]
    commands = [
        ["augment", *images, *usual, "--output", f"{place}/dry", "--dry-run", "--fetch-retries", "0", "--threads", "1",
         *ALONE],
        ["init", "--preset", "tiny", "--output", f"{place}/base"],
        ["train", "--shards", shards, "--base", f"{place}/base", "--output", model, "--steps", "2", *size,
         "--cache-latents", str(tmp_path / "latents")],
        ["faces", "from-photos", f"{place}/people", *usual, "--output", bank],
        ["faces", "from-shards", shards, "--key", "p0000", "--output", f"{place}/keyed.parquet"],
        ["faces", "mix", bank, "--from", "anna", "--to", "bob", "--output", f"{place}/mixed.parquet{SIGNED}"],
        ["faces", "fit", shards, "--output", space],
        ["faces", "sample", space, "--n", "2", "--output", f"{place}/drawn.parquet"],
        ["augment", images[0], *usual, "--output", f"{place}/denied", "--deny", bank, "--deny-threshold", "0.9",
         "--max-failures", "100%", "--threads", "1", *ALONE],
        ["manifest", "--prompts", prompts, "--faces", bank, "--seeds", "1", "--steps", "1",
         "--output", f"{place}/manifest.parquet{SIGNED}"],
        ["generate", f"{place}/manifest.parquet{SIGNED}", "--faces", bank, "--output", f"{place}/renders",
         *rendering[:-2]],
        ["characters", "--faces", bank, "--scenes", prompts, "--photos", f"{place}/people",
         "--output", f"{place}/characters", *rendering],
        ["audit", "--space", space, "--prompts", prompts, "--random", "2", "--output", f"{place}/audit", *rendering,
         *effort],
        ["evaluate", "conditioning", "--model", model, "--shards", shards, "--json", f"{place}/figures.json"],
        ["trace", "anna", "--in", shards, "--in", bank, "--in", f"{place}/mixed.parquet{SIGNED}",
         "--in", f"{place}/renders", "--in", model, "--in", space, "--json", f"{place}/trace.json"],
        ["forget", "--faces", bank, "--threshold", "0.9", "--mostly-theirs", "--in", shards,
         "--in", f"{place}/mixed.parquet{SIGNED}", "--in", f"{place}/renders", "--in", model, "--in", space,
         "--json", f"{place}/forget.json", "--apply"],
    ]  # fmt: skip
    for command in commands:
        assert main(command) == 0, command
    refused = [
        ["augment", f"https://me:{S}@localhost:9/a.tar{SIGNED}", *usual, "--output", f"{place}/none"],
        ["augment", images[0], *usual, "--output", f"{place}/shards"],
        ["augment", images[0], "--embedder", f"onnx:{place}/no.onnx{SIGNED}", "--output", f"{place}/none"],
        ["generate", f"{place}/none.parquet{SIGNED}", "--output", f"{place}/renders", *rendering[:-2]],
        ["train", "--shards", shards, "--base", f"{place}/none", "--output", f"{place}/model2", *size],
        ["trace", f"nobody{SIGNED}", "--in", f"{place}/none{SIGNED}"],
    ]
    for command in refused:
        assert main(command) in (1, 2), command
    captured = capfd.readouterr()
    printed = [line for line in (captured.out + captured.err).splitlines() if S in line]
    assert printed == []
    made = [name for name in contents(place) if not re.match(r"in/|t\?|people/|prompts", name)]
    written = {name: decoded(name, contents(place)[name]) for name in made}
    assert [name for name, text in written.items() if S in text] == []
    assert [path for path in tmp_path.rglob("*") if path.is_file() and S in path.read_bytes().decode("latin-1")] == []
