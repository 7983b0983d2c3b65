"""How faces are cut out: margins, crops, and alignment by five points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from face0.detection.alignment import ARCFACE_POINTS, NEUTRAL, Margins, align, crop_boxes, similarity


def test_the_margins_of_the_paper():
    # 100 x 100 grows to 120 x 148, whose centre is (150, 141), and that to a square
    (box,) = Margins().square(np.array([[100, 100, 200, 200]], np.float32))
    assert box.tolist() == [76, 67, 224, 215]


sides = st.floats(0, 100, width=32)


@given(sides, sides, st.floats(1, 500, width=32), st.floats(1, 500, width=32), st.tuples(sides, sides, sides, sides))
def test_the_square_holds_the_grown_box_around_its_centre(x, y, wide, high, margins):
    margin = Margins(**dict(zip(("left", "top", "right", "bottom"), margins, strict=True)))
    x0, y0, x1, y1 = x - margin.left, y - margin.top, x + wide + margin.right, y + high + margin.bottom
    (square,) = margin.square(np.array([[x, y, x + wide, y + high]], np.float64))
    assert np.isclose(square[2] - square[0], square[3] - square[1])
    assert np.isclose(square[2] - square[0], max(x1 - x0, y1 - y0), atol=1 / 16)
    assert np.allclose((square[:2] + square[2:]) / 2, [(x0 + x1) / 2, (y0 + y1) / 2], atol=1 / 16)


def test_no_boxes_have_no_squares():
    assert Margins().square(np.empty((0, 4), np.float32)).shape == (0, 4)


# --- Crops


def ramp(width: int = 200, height: int = 120) -> np.ndarray:
    """Red tells the column, green the row, blue is full."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.dstack([x, y, np.full_like(x, 255)]).astype(np.uint8)


def test_a_box_inside_is_resized():
    same, half, twice = (
        crop_boxes(ramp(), np.array([[20, 30, 84, 94]], np.float32), size)[0] for size in (64, 32, 128)
    )
    assert np.array_equal(same, ramp()[30:94, 20:84])
    assert np.abs(half[1:-1, 1:-1].astype(int) - ramp()[30:94:2, 20:84:2][1:-1, 1:-1]).max() <= 1
    assert np.abs(twice[2:-2:2, 2:-2:2].astype(int) - ramp()[31:93, 21:83]).max() <= 1


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-16, 30, 48, 94), np.s_[:, 16:]),
        ((152, 30, 216, 94), np.s_[:, :48]),
        ((20, -16, 84, 48), np.s_[16:, :]),
        ((20, 72, 84, 136), np.s_[:48, :]),
        ((-16, -16, 48, 48), np.s_[16:, 16:]),
        ((152, 72, 216, 136), np.s_[:48, :48]),
    ],
)
def test_what_lies_beyond_an_edge_is_neutral(box, inside):
    (crop,) = crop_boxes(ramp(), np.array([box], np.float32), 64)
    expected = np.full((64, 64, 3), NEUTRAL, np.uint8)
    x0, y0, x1, y1 = box
    expected[inside] = ramp()[max(y0, 0) : min(y1, 120), max(x0, 0) : min(x1, 200)]
    assert np.array_equal(crop, expected)


def test_a_box_larger_than_the_image_holds_all_of_it():
    (crop,) = crop_boxes(ramp(), np.array([[-28, -68, 228, 188]], np.float32), 256)
    assert np.array_equal(crop[68:188, 28:228], ramp())
    crop[68:188, 28:228] = NEUTRAL
    assert (crop == NEUTRAL).all()


@pytest.mark.parametrize(
    "box", [(-90, 0, -10, 80), (210, 0, 290, 80), (0, -90, 80, -10), (0, 130, 80, 210), (-500, -500, -1, -1)]
)
def test_a_box_outside_is_neutral(box):
    (crop,) = crop_boxes(ramp(), np.array([box], np.float32), 32)
    assert (crop == NEUTRAL).all()


def test_fractions_of_a_pixel_count_across_edges_too():
    inside, across = crop_boxes(
        ramp(), np.array([[20.5, 30.25, 52.5, 62.25], [-0.5, 30.25, 31.5, 62.25]], np.float32), 32
    )
    for crop, left in ((inside, 20.5), (across, -0.5)):
        assert np.abs(crop[1:-1, 2:-1, 0].mean(axis=0) - (left + np.arange(2, 31))).max() <= 0.6
        assert np.abs(crop[1:-1, 2:-1, 1].mean(axis=1) - (30.25 + np.arange(1, 31))).max() <= 0.6


@pytest.mark.parametrize(
    "box", [(50.25, 60.25, 50.75, 60.75), (50, 60, 51, 61), (-0.5, 60, 0.5, 61), (199.5, 119.5, 200.5, 120.5)]
)
def test_a_tiny_box_is_enlarged(box):
    (crop,) = crop_boxes(ramp(), np.array([box], np.float32), 16)
    assert crop.shape == (16, 16, 3)
    if box[0] == 50.25:
        assert np.abs(crop.astype(int) - ramp()[60, 50]).max() <= 1


def test_crops_come_in_order_and_none_of_none():
    crops = crop_boxes(ramp(), np.array([[0, 0, 8, 8], [100, 0, 108, 8]], np.float32), 8)
    assert crops[:, 0, 0, 0].tolist() == [0, 100]
    assert crop_boxes(ramp(), np.empty((0, 4), np.float32), 8).shape == (0, 8, 8, 3)


# --- Alignment


def turned(points: np.ndarray, scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return scale * points @ np.array([[cos, sin], [-sin, cos]]) + shift


shifts = st.floats(-900, 900)


@given(st.floats(0.05, 20), st.floats(-np.pi, np.pi), st.tuples(shifts, shifts), st.integers(2, 7))
def test_similarity_recovers_rotation_scale_and_shift(scale, angle, shift, count):
    points = np.random.default_rng(count).uniform(0, 100, (count, 2))
    (matrix,) = similarity(points[None], turned(points, scale, angle, shift))
    expected = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert np.allclose(matrix[:, :2], expected, atol=1e-9 * scale)
    assert np.allclose(matrix[:, 2], shift, atol=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_similarity_is_the_best_of_all_near_it(seed):
    """Points that no similarity brings onto the others: any small change of the four numbers makes it worse."""
    chance = np.random.default_rng(seed)
    points, target = chance.uniform(0, 100, (2, 5, 2))
    (matrix,) = similarity(points[None], target)
    a, b, x, y = matrix[0, 0], matrix[1, 0], matrix[0, 2], matrix[1, 2]

    def error(a: float, b: float, x: float, y: float) -> float:
        return float(((points @ np.array([[a, b], [-b, a]]) + (x, y) - target) ** 2).sum())

    assert np.allclose(matrix[:, :2], [[a, -b], [b, a]])
    for change in np.concatenate([np.eye(4), -np.eye(4)]) * 1e-3:
        assert error(*(np.array([a, b, x, y]) + change)) > error(a, b, x, y)


def test_similarity_never_mirrors():
    points = ARCFACE_POINTS.astype(np.float64)
    (matrix,) = similarity((points * [-1, 1])[None], points)
    assert np.linalg.det(matrix[:, :2]) > 0


def marked(point: np.ndarray, radius: float, side: int) -> np.ndarray:
    """An image that is dark but around a point; coordinates count from the centre of the first pixel."""
    y, x = np.mgrid[:side, :side]
    spot = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * radius**2))
    return np.repeat((255 * spot).round().astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("size", [112, 160])
@pytest.mark.parametrize(
    ("scale", "angle"), [(0.4, 0.3), (1, 0), (1, -0.5), (1.7, 0.2), (3.3, -0.2), (6, 0.4), (6, 3.0)]
)
def test_the_marks_land_on_the_points_of_arcface(scale, angle, size):
    """At each scale, whether the face is enlarged, or averaged down before it is turned."""
    side = int(112 * scale * 1.6) + 40
    middle = turned(np.array([[56.0, 56.0]]), scale, angle, (0, 0))[0]
    landmarks = turned(ARCFACE_POINTS.astype(np.float64), scale, angle, tuple(side / 2 - middle))
    pixel = np.mgrid[:size, :size][::-1]
    for point, expected in zip(landmarks, (ARCFACE_POINTS + 0.5) * (size / 112) - 0.5, strict=True):
        (crop,) = align(marked(point, 2.5 * scale, side), landmarks[None].astype(np.float32), size)
        # What lies beyond the image is grey
        light = np.where(np.hypot(pixel[0] - expected[0], pixel[1] - expected[1]) < 15 * size / 112, crop[..., 0], 0)
        assert light.max() > 150
        found = (light * pixel).sum(axis=(1, 2)) / light.sum()
        assert np.abs(found - expected).max() < 0.35


@pytest.mark.parametrize("angle", [0, 0.3])
def test_a_large_face_is_averaged_rather_than_sampled(angle):
    """Single pixels of black and white: sampled, they would make a pattern that is not there."""
    side = 1200
    board = np.repeat((np.indices((side, side)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    landmarks = turned(ARCFACE_POINTS.astype(np.float64), 6, angle, (300, 100))
    (crop,) = align(board, landmarks[None].astype(np.float32), 112)
    assert np.abs(crop.astype(int) - 127).max() <= 6


def test_faces_are_aligned_each_by_its_own_points():
    image = np.asarray(Image.fromarray(ramp()).resize((400, 240)))
    points = np.stack([ARCFACE_POINTS, ARCFACE_POINTS + np.float32([200, 90])])
    crops = align(image, points, 112)
    assert np.abs(crops[0].astype(int) - image[:112, :112]).max() <= 1
    assert np.abs(crops[1].astype(int) - image[90:202, 200:312]).max() <= 1
    assert align(image, points[:0], 112).shape == (0, 112, 112, 3)


def test_points_in_one_place_and_points_outside_give_neutral_crops():
    (one_place,) = align(ramp(), np.full((1, 5, 2), 50, np.float32), 112)
    (outside,) = align(ramp(), (ARCFACE_POINTS + 5000)[None], 112)
    assert (one_place == NEUTRAL).all()
    assert (outside == NEUTRAL).all()
