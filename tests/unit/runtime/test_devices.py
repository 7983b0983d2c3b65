"""GPUs that worker processes share."""

import subprocess
import sys
from pathlib import Path

from face0.runtime.devices import claim_number

CLAIMS_AND_WAITS = """
import sys
from pathlib import Path
from face0.runtime.devices import claim_number
print(claim_number(2, Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_workers_of_a_machine_share_its_gpus_evenly(tmp_path: Path) -> None:
    assert [claim_number(3, tmp_path) for _ in range(3)] == [0, 1, 2]


def test_a_claim_lasts_as_long_as_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIMS_AND_WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "0\n"
        assert claim_number(2, tmp_path) == 1
        other.kill()
    assert claim_number(2, tmp_path) == 0
