"""Workers of one machine and its GPUs."""

from face0.runtime.devices import claim_number


def test_workers_of_a_machine_share_its_gpus_evenly(tmp_path) -> None:
    assert [claim_number(3, tmp_path) for _ in range(3)] == [0, 1, 2]
