"""Images at which a library ends the process, hangs, or raises what nobody foresaw, in a whole job.

Pillow is changed in the job's processes: it does so at images that hold a mark of ours, and at no others.
"""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from schemas.job import Ledger
from tests.fixtures.pictures import captioned, people, rows, success, write_tar

ROOT = Path(__file__).parents[2]
SITE = """
import os, signal, time
from PIL import JpegImagePlugin

opened = JpegImagePlugin.JpegImageFile._open

def open_marked(self):
    data = self.fp.getvalue()
    if b"OUR MARK: end" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"OUR MARK: hang" in data:
        time.sleep(600)
    if b"OUR MARK: odd" in data:
        raise AttributeError("odd")
    opened(self)

JpegImagePlugin.JpegImageFile._open = open_marked
"""


def marked(jpeg: bytes, mark: str) -> bytes:
    """A JPEG with a comment."""
    comment = f"OUR MARK: {mark}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def test_each_is_a_failed_row_and_all_others_come_out(tmp_path):
    photographs = people(60)
    for number, mark in ((3, "end"), (21, "end"), (22, "odd"), (50, "hang")):
        name, jpeg = photographs[number]
        photographs[number] = (name, marked(jpeg, mark))
    for i in range(3):
        write_tar(tmp_path / f"{i}.tar", captioned(photographs[20 * i : 20 * i + 20]))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    command = [sys.executable, "-m", "jobs.main", "augment", f"{tmp_path}/*.tar", "--embedder", "random:0"]
    beam = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    options = ["--threads", "1", "--row-timeout", "15", "--max-failures", "100%"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*command, "--output", tmp_path / "out", *options, *beam], cwd=ROOT, env=environment, timeout=500, check=False
    )
    assert run.returncode == 0
    assert {row["key"]: row["reason"] for row in rows(tmp_path / "out", "failures")} == {
        "p0003": "killed_worker", "p0021": "killed_worker", "p0022": "corrupt", "p0050": "timed_out",
    }  # fmt: skip
    assert len({row["key"] for row in rows(tmp_path / "out")}) == 56
    assert success(tmp_path / "out")["ledger"] == asdict(Ledger(read=60, written=56, failed=4))
