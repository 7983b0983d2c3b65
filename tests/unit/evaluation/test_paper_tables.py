"""The paper's tables, against figures worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from face0.errors import UsageError
from face0.evaluation.paper_tables import COLUMNS, REQUEST_COLUMNS, MissingFace, as_text, paper_tables
from face0.generation.results import open_results
from jobs.main import main
from schemas.measures import Unmeasured
from schemas.requests import RESULTS
from tests.fixtures.renders import commit, row


def images(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=RESULTS)


def sweep() -> list[dict[str, Any]]:
    """Two faces x two prompts x two seeds; in one image of anna's no face was found."""
    figures = {
        ("anna", "photo"): [(0.25, 0.5), (0.25, 0.75)],  # overall .75, 1
        ("anna", "oil"): [(0.25, None), (0.5, 0.5)],  # overall .25 (no face), 1
        ("bert", "photo"): [(0.0, 0.25), (0.0, 0.25)],  # .25, .25
        ("bert", "oil"): [(0.25, 0.25), (0.25, 0.75)],  # .5, 1
    }
    rows = []
    for (face, prompt), cell in figures.items():
        for seed, (text, alignment) in enumerate(cell):
            rows.append(
                row(
                    len(rows),
                    face_id=face,
                    prompt=prompt,
                    seed=seed,
                    text_alignment=text,
                    face_alignment=alignment,
                    faces_found=int(alignment is not None),
                )
            )
    return rows


def test_a_missing_face_counts_zero_as_in_the_paper():
    (found,) = paper_tables(images(*sweep())).rows
    # anna: text 1.25/4, face 1.75/4, overall 3/4, best (1 + 1)/2; bert: .5/4, 1.5/4, 2/4, (.25 + 1)/2
    assert found.figures["text"].mean == (0.3125 + 0.125) / 2
    assert found.figures["face"].mean == (0.4375 + 0.375) / 2
    assert found.figures["overall"].mean == (0.75 + 0.5) / 2
    assert found.figures["best"].mean == (1.0 + 0.625) / 2
    # Two values differ from their mean by half their difference: the deviation (n - 1) is that times the root of 2.
    assert found.figures["overall"].std == pytest.approx(0.125 * 2**0.5)
    assert found.figures["best"].std == pytest.approx(0.1875 * 2**0.5)
    assert (found.identities, found.prompts, found.seeds, found.images, found.no_face) == (2, 2, (2, 2), 8, 1)


def test_a_missing_face_may_be_left_out():
    (found,) = paper_tables(images(*sweep()), MissingFace.EXCLUDE).rows
    # anna's three images: text 1/3, face 1.75/3; the cell with one image left has its overall as its best.
    assert found.figures["text"].mean == pytest.approx((1 / 3 + 0.125) / 2)
    assert found.figures["face"].mean == pytest.approx((1.75 / 3 + 0.375) / 2)
    assert found.figures["overall"].mean == pytest.approx((2.75 / 3 + 0.5) / 2)
    assert found.figures["best"].mean == (1.0 + 0.625) / 2
    assert (found.seeds, found.images, found.no_face) == ((1, 2), 7, 1)


def test_every_identity_weighs_the_same():
    rows = [row(i, face_id="many", text_alignment=0.0, face_alignment=0.0) for i in range(9)]
    rows.append(row(9, face_id="one", text_alignment=0.5, face_alignment=0.5))
    (found,) = paper_tables(images(*rows)).rows
    assert found.figures["overall"].mean == 0.5
    assert found.seeds == (1, 9)


def test_a_table_for_each_label_and_a_line_for_each_setting():
    rows = [dict(each, label=label) for label in ("synthetic", "LFW") for each in sweep()]
    rows += [dict(each, label="LFW", c=0.4) for each in sweep()]
    tables = paper_tables(images(*rows))
    assert [(each.label, each.variant) for each in tables.rows] == [
        ("LFW", "c 0.4"),
        ("LFW", "c 1"),
        ("synthetic", "c 1"),
    ]
    assert {each.figures["best"].mean for each in tables.rows} == {0.8125}  # not the best of all settings together
    text = as_text(tables)
    assert text.index("LFW") < text.index("c 0.4") < text.index("synthetic")


def test_the_order_of_the_rows_changes_nothing():
    rows = sweep()
    assert paper_tables(images(*rows)) == paper_tables(images(*rows[::-1]))


def test_images_without_a_face_and_faces_without_a_portrait_are_told():
    base = [row(20, face_id="", text_alignment=0.9), row(21, face_id="anna", bare=True, text_alignment=0.9)]
    vector_only = [
        row(22, face_id="mean", text_alignment=0.9),
        row(23, face_id="mean", faces_found=0, text_alignment=0.9),
    ]
    tables = paper_tables(images(*sweep(), *base, *vector_only))
    assert tables.rows == paper_tables(images(*sweep())).rows
    assert (tables.without_face, tables.without_portrait) == (2, ["mean"])
    assert "1 faces of which the bank has no portrait (mean)" in as_text(tables)


def test_one_identity_has_no_spread():
    (found,) = paper_tables(images(row(0, text_alignment=0.25, face_alignment=0.5))).rows
    assert (found.figures["overall"].mean, found.figures["overall"].std) == (0.75, None)


@pytest.mark.parametrize(
    ("rows", "remedy"),
    [
        ([row(0)], "--clip FOLDER"),
        ([row(0, text_alignment=0.2), row(1)], "1 of 2 images have no text_alignment"),
        ([row(0, face_id="", text_alignment=0.2)], "was given a face"),
        ([row(0, text_alignment=0.2)], "from-photos"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_remedy(rows, remedy):
    with pytest.raises(UsageError, match=remedy):
        paper_tables(images(*rows))


def test_nothing_left_after_leaving_out_missing_faces():
    rows = images(row(0, faces_found=0, text_alignment=0.2))
    assert paper_tables(rows).rows[0].figures["face"].mean == 0
    with pytest.raises(UsageError, match="--missing-face zero"):
        paper_tables(rows, MissingFace.EXCLUDE)


def test_a_label_without_a_face_or_an_image_has_its_row_and_says_why():
    made = [
        row(0, label="a", text_alignment=0.2, face_alignment=0.1),
        row(1, label="b", text_alignment=0.2, faces_found=0),
    ]
    asked = pa.Table.from_pylist([*made, row(2, label="c")], schema=RESULTS).select(REQUEST_COLUMNS)
    tables = paper_tables(images(*made), MissingFace.EXCLUDE, asked)
    assert [(one.label, one.images, one.reason) for one in tables.rows] == [
        ("a", 1, None),
        ("b", 0, Unmeasured.NO_FACE),
        ("c", 0, Unmeasured.NO_IMAGE),
    ]
    assert tables.rows[2].figures["overall"].mean is None
    assert "c: no image was rendered." in as_text(tables)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = commit(str(tmp_path / "out"), sweep())
    assert main(["evaluate", "paper", out, "--json", str(tmp_path / "figures.json")]) == 0
    told = capsys.readouterr().out
    assert "best of 2" in told
    assert "0.81 ± 0.27" in told
    assert "counts 0" in told
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["missing_face"] == "zero"
    assert figures["rows"][0]["figures"]["best"]["mean"] == 0.8125
    assert main(["evaluate", "paper", out, "--missing-face", "exclude"]) == 0
    assert "left out" in capsys.readouterr().out


def test_wrong_use_of_the_command_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "paper", str(tmp_path / "nothing")]) == 2
    assert "job.json" in capsys.readouterr().err
    assert main(["evaluate", "paper", commit(str(tmp_path / "plain"), [row(0)])]) == 2
    assert "face0 generate --clip FOLDER" in capsys.readouterr().err
    with pytest.raises(SystemExit) as error:
        main(["evaluate", "paper", str(tmp_path / "plain"), "--missing-face", "half"])
    assert error.value.code == 2


def test_only_what_is_committed_is_read(tmp_path: Path):
    out = commit(str(tmp_path / "out"), sweep())
    stray = tmp_path / "out" / "results" / "stray.parquet"
    stray.write_bytes((tmp_path / "out" / "results" / "chunk-00000.parquet").read_bytes())
    assert open_results(out).table(COLUMNS).num_rows == 8
    (tmp_path / "out" / "stats" / "chunk-00000.json").unlink()
    with pytest.raises(UsageError, match="holds nothing yet"):
        open_results(out)
