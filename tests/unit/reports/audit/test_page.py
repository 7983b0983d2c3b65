"""The page about an audit: arms are their label and settings, and hostile words stay words."""

from pathlib import Path

import numpy as np

from face0.evaluation.audit.effort import Resampling
from face0.evaluation.measures import Measure
from face0.generation.results import open_results
from face0.reports.audit.page import write_audit
from face0.reports.audit.rows import by_arm
from tests.fixtures.audit_simulation import World, paired, rendered, rows, without_vector

EVIL = "<script>alert(1)</script>"


def test_arms_of_one_title_and_other_settings_stay_apart(tmp_path: Path):
    """The title of one arm's name and settings is another arm's name."""
    one = Measure(measure="m", arm="random", settings="c 1")
    other = Measure(measure="m", arm="random (c 1)")
    assert one.arm_title == other.arm_title
    assert by_arm([one, other, one]) == [[one, one], [other]]


def test_labels_and_settings_are_named_and_escaped(tmp_path: Path):
    rng, images = np.random.default_rng(0), []
    for i, (label, design, c) in enumerate(
        ((EVIL, without_vector(3, 12), 1.0), ("random", paired(3, 12), 0.4), ("random", paired(3, 12), 1.0))
    ):
        faces = World(words=1).faces(design, rng)
        images += rows(design, faces, label, first=100 * i, c=c, sampler=f"a{EVIL}" if i else "b")
    renders = open_results(rendered(str(tmp_path / "renders"), images))
    write_audit(str(tmp_path), renders, effort=Resampling(resamples=19, permutations=19))
    page = (tmp_path / "report.html").read_text()
    assert EVIL not in page
    headings = [part.split("</h3>")[0] for part in page.split("<h3>")]
    for c in ("0.4", "1"):
        assert f"random (c {c}, sampler a&lt;script&gt;alert(1)&lt;/script&gt;)" in headings
    assert page.count("differ from the others") == 3


def test_a_note_that_holds_for_several_arms_is_said_once(tmp_path: Path):
    """Of few images without a face or CLIP: what is wanting is wanting in every arm."""
    images = [
        image
        for first, label in ((0, "base"), (100, "zero"), (200, "random"))
        for image in rows(paired(2, 4), np.ones((8, 3)), label, found=np.zeros(8, bool), first=first)
    ]
    renders = open_results(rendered(str(tmp_path / "renders"), images))
    audit = write_audit(str(tmp_path), renders, effort=Resampling(resamples=19, permutations=19))
    page = (tmp_path / "report.html").read_text()
    for note in (
        "base, zero and random: no text alignment, the images were not measured by CLIP.",
        "Independent groups of images: 4 (base, zero and random); intervals from fewer than 10 are rough.",
    ):
        assert audit.notes.count(note) == page.count(note) == 1
    assert page.count("base, zero and random: rendered without --clip.") == 1  # where the cost is missing
    assert page.count("intervals from fewer") == 1
