"""Folders of very many files, in subfolders."""

from interactivenet.system.spread import folder_of, spread_files, subfolder


def test_a_file_is_found_in_the_folder_or_in_its_subfolder(tmp_path):
    assert folder_of(tmp_path, "a", ".json") == tmp_path  # nowhere: where it would be
    inside = subfolder(tmp_path, "a")
    assert inside.parent == tmp_path and inside.name == "ca"  # of SHA-256, on every machine
    inside.mkdir()
    (inside / "a.json").touch()
    assert folder_of(tmp_path, "a", ".json") == inside
    (tmp_path / "a.json").touch()
    assert folder_of(tmp_path, "a", ".json") == tmp_path


def test_a_name_has_one_subfolder_however_it_is_composed(tmp_path):
    assert subfolder(tmp_path, "u\u0308") == subfolder(tmp_path, "\u00fc")


def test_all_files_of_a_suffix_are_listed_but_hidden_ones(tmp_path):
    for name in ("a.npz", ".b.npz", "a.json", "ca/c.npz", "ca/.d.npz", "other/e.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(path.name for path in spread_files(tmp_path, ".npz")) == ["a.npz", "c.npz"]
