"""Two launches on one output at one moment: one works, the other is refused, or comes too late to matter."""

import random
import time

import pytest

PAIRS = 20


@pytest.mark.parametrize("job", ["augment", "generate"])
def test_of_twenty_pairs_nothing_is_lost_or_twice(works, launches, tmp_path, job):
    work = works(job, 2)
    chance = random.Random(job)
    refused = 0
    for i in range(PAIRS):
        output = tmp_path / f"out-{i}"
        command = (*work.to(output), "--worker-processes", 0)
        first = launches.start(command, tmp_path / f"first-{i}")
        time.sleep(chance.choice([0, 0, chance.uniform(0, 2)]))
        second = launches.start(command, tmp_path / f"second-{i}")
        codes = {launch: launch.wait() for launch in (first, second)}
        for launch, code in codes.items():
            if code == 2:
                refused += 1
                assert "at work on" in launch.text
                assert "Traceback" not in launch.text
            else:
                assert code == 0, launch.text
        assert 0 in codes.values()
        work.check(output)
    assert refused >= PAIRS // 2
