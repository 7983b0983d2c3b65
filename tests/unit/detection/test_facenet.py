"""The package that holds the detector's weights, and the sentence where it is missing."""

import sys

import pytest

from face0.detection.facenet import load_facenet
from face0.errors import UsageError
from jobs.main import main


def test_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(UsageError, match="pip install --no-deps facenet-pytorch"):
        load_facenet()


def test_a_job_without_it_ends_before_it_begins(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    output = tmp_path / "out"
    assert main(["augment", str(tmp_path), "--embedder", "random:0", "--output", str(output)]) == 2
    assert "facenet-pytorch==2.6.0" in capsys.readouterr().err
    assert not output.exists()
