"""The files of a folder."""

from face0.readers.access import NOTHING_MORE, Access
from face0.readers.folder_files import is_record, kinds, list_files


def test_files_are_listed_with_those_behind_links_once(tmp_path):
    root, outside = tmp_path / "in", tmp_path / "outside"
    for path in (root / "a.jpg", root / ".git" / "b.jpg", root / ".DS_Store", outside / "c.jpg", outside / ".d.jpg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "x").symlink_to(outside)
    (root / "y").symlink_to(outside)
    (root / "self").symlink_to(root)
    (root / "gone.jpg").symlink_to(tmp_path / "nothing")
    files = list_files(str(root), NOTHING_MORE)
    assert sorted(files.own) == ["a.jpg", "gone.jpg"]
    assert (files.refused, files.repeated, files.hidden) == (["x", "y"], 1, 1)
    files = list_files(str(root), Access.of(["file"]))
    assert [sorted(infos) for infos in files.behind_links] == [["x/c.jpg"]]
    assert (files.refused, files.repeated, files.hidden) == ([], 2, 2)


def test_names_by_kind():
    names = ["b.mp4", "a.mp4", "README", *(f"{i}.npy" for i in range(1000)), "x.zip"]
    assert kinds(names) == [
        "1,000 .npy (arrays of NumPy, which are not read: docs/how-to/read-your-format.md says what to write instead)",
        "a.mp4, b.mp4",
        "x.zip (a ZIP archive, which is not read: unpack it, `unzip FILE -d FOLDER`, and name the folder)",
        "README",
    ]


def test_records_are_no_captions():
    assert all(map(is_record, ("00012_stats.json", "d/dataset_info.json", "README.txt", "meta_cap.json")))
    assert all(map(is_record, ("captions_val2017.json", "_annotations.coco.json", "train/classes.txt")))
    assert not any(map(is_record, ("stats.json", "00012.json", "a.txt", "captions of a.json")))
