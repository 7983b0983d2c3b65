"""Records as JSON."""

from face0.io.json import to_json_values
from tests.fixtures.counting import Count


def test_a_task_is_told_as_json(tmp_path):
    assert to_json_values(Count()) == {"uri": "input", "stop": 30, "size": 100}
