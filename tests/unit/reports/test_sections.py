"""The sections that all pages share."""

from pathlib import Path

import pytest

from face0.generation.results import open_results
from face0.reports import sections
from face0.reports.sections import configuration, failures, ledger
from schemas.failures import Failure, Reason, Stage
from schemas.requests import LABEL, SETTINGS
from tests.fixtures.renders import commit, row


def test_the_ledger_links_to_images_below_the_page_and_names_others(tmp_path: Path):
    renders = open_results(commit(str(tmp_path / 'a "b"' / "renders"), [row(0)], done=False))
    below = ledger(str(tmp_path), renders)
    assert "requested 1 = generated 1 + failed 0" in below
    assert '<a href="a &#34;b&#34;/renders/report.html">' in below
    assert "Not finished" in below
    apart = ledger(str(tmp_path / "elsewhere"), renders)
    assert "<a" not in apart
    assert "b&#34;/renders/report.html" in apart


def test_failures_are_counted_by_reason_and_the_first_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sections, "FAILURES_SHOWN", 2)
    lost = [
        Failure(key=f"k{i}", source="m", stage=Stage.FACES, reason=Reason.OUT_OF_MEMORY, message="too large")
        for i in range(3)
    ]
    text = failures(open_results(commit(str(tmp_path), [row(0)], lost)))
    assert '<td>out_of_memory</td><td class="figure">3</td>' in "".join(text.split("\n"))
    assert text.count("too large") == 2
    assert "The first 2; all of them are in failures/." in text


def test_settings_of_many_values_are_cut_and_in_order(tmp_path: Path):
    results = open_results(commit(str(tmp_path), [row(i, seed=i, sampler="a<b") for i in range(25)]))
    text = configuration(results, results.table([field.name for field in (*SETTINGS, LABEL)]))
    assert (
        "<dt>seed</dt><dd>0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, ... (25 in all)</dd>"
        in text
    )
    assert "<dt>sampler</dt><dd>a&lt;b</dd>" in text
    assert "<dt>faces.bank</dt><dd>bank.parquet</dd>" in text
