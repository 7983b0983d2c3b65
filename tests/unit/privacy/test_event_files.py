"""TensorBoard's files without their pictures."""

import io

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from face0.privacy.event_files import copy_without_pictures, has_pictures
from tests.fixtures.trainings import logged


def without(data: bytes) -> bytes:
    output = io.BytesIO()
    copy_without_pictures(io.BytesIO(data), output)
    return output.getvalue()


def test_pictures_go_and_figures_stay(tmp_path):
    path = logged(tmp_path)
    with path.open("rb") as file:
        assert has_pictures(file)
    left = without(path.read_bytes())
    assert b"PNG" in path.read_bytes()
    assert b"PNG" not in left
    assert not has_pictures(io.BytesIO(left))
    path.write_bytes(left)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert events.Tags()["images"] == []


def test_a_log_without_pictures_stays_as_it_is(tmp_path):
    data = logged(tmp_path, pictures=False).read_bytes()
    assert not has_pictures(io.BytesIO(data))
    assert without(data) == data


def test_an_end_that_was_cut_off_goes(tmp_path):
    data = logged(tmp_path).read_bytes()
    picture = data.index(b"PNG") + 10
    assert has_pictures(io.BytesIO(data[:picture]))
    left = without(data[:picture])
    assert data.startswith(left)
    assert b"PNG" not in left
    assert without(b"no log at all") == b""
