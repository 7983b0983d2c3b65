"""Tests lie as the code does: ``face0/x/y.py`` is tested by ``tests/unit/x/test_y.py``."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "tests" / "unit"
LIBRARY = ROOT / "face0"
LARGE = 60  # lines from which on a module has tests of its own
# Larger modules that work only among others, or are plain parts of one thing: what tests them.
ELSEWHERE = {
    "augmentation/config.py": "integration/test_further_columns.py",
    "augmentation/augmenter.py": "integration/test_augment.py",
    "augmentation/merging.py": "integration/test_retries.py",
    "demo.py": "integration/test_demo.py",
    "embedders/specification.py": "unit/embedders/test_onnx.py",
    "evaluation/audit/arms.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/by_prompt.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/detection.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/dispersion.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/groups.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/labels.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/leakage.py": "unit/evaluation/audit/test_analysis.py",
    "evaluation/audit/listing.py": "integration/test_summaries.py",
    "evaluation/characters/figures.py": "integration/test_summaries.py",
    "faces/embedding.py": "integration/test_one_photograph.py",
    "faces/from_shards.py": "integration/test_faces.py",
    "generation/clip.py": "integration/test_generate.py",
    "generation/faces.py": "integration/test_faces.py",
    "generation/generator.py": "integration/test_generate.py",
    "generation/metrics.py": "integration/test_generate.py",
    "images/bitstreams.py": "unit/images/test_heif.py",
    "images/exif.py": "unit/images/test_decoding.py",
    "images/jpeg2000.py": "unit/images/test_headers.py",
    "images/orientation.py": "unit/images/test_decoding.py",
    "privacy/forgetting.py": "integration/test_forget.py",
    "privacy/people.py": "integration/test_forget.py",
    "privacy/tracing.py": "integration/test_trace.py",
    "readers/arrow_stream.py": "unit/readers/test_arrow_images.py",
    "readers/tars.py": "unit/readers/test_webdataset.py",
    "readers/web.py": "unit/readers/test_fetching.py",
    "reports/audit/rows.py": "unit/reports/audit/test_page.py",
    "reports/characters.py": "unit/evaluation/characters/test_verdicts.py",
    "reports/generation/contact_sheet.py": "unit/reports/generation/test_page.py",
    "reports/generation/measures.py": "unit/reports/generation/test_page.py",
    "reports/sweeps.py": "integration/test_sweeps.py",
    "tasks/outcomes.py": "integration/test_augment.py",
    "training/config.py": "integration/test_train.py",
    "training/encoder.py": "integration/test_train.py",
    "training/log.py": "integration/test_train.py",
    "training/loop.py": "integration/test_train.py",
    "training/start.py": "integration/test_train.py",
    "training/throughput.py": "integration/test_train.py",
}
MODULES = [
    path.relative_to(LIBRARY)
    for path in sorted(LIBRARY.rglob("*.py"))
    if path.name != "__init__.py" and len(path.read_text().splitlines()) >= LARGE
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_large_module_has_tests_of_its_own(module):
    own = Path("unit", module).with_name(f"test_{module.name}")
    assert (ROOT / "tests" / ELSEWHERE.get(str(module), own)).is_file()


def test_every_exception_is_a_module():
    assert [module for module in ELSEWHERE if not (LIBRARY / module).is_file()] == []


@pytest.mark.parametrize("path", sorted(UNIT.rglob("test_*.py")), ids=lambda path: str(path.relative_to(UNIT)))
def test_a_unit_test_is_of_a_module(path):
    module = path.relative_to(UNIT).with_name(path.name.removeprefix("test_"))
    assert (LIBRARY / module).is_file() or (ROOT / module).is_file()
