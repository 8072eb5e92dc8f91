"""The file of lung masks: written from a bundle's segmenter for all tables of a folder, and read back."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cxr.errors import DataError
from cxr.model.bundle import Bundle
from tests.bundles import first_member_only
from tests.evaluation.maps.test_severity import command
from training.lungs import mask_file as module
from training.lungs.mask_file import find_masks, load_masks, save_masks


def test_all_images_of_a_folder_are_in_the_file_and_those_without_lungs_are_counted(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "metadata.csv").write_text("file,source\na.png,here\nb.png,here\n")
    (tmp_path / "extras.csv").write_text("file\nc.png\n")
    masks = {"a.png": np.eye(8, dtype=bool), "b.png": np.zeros((8, 8), bool), "c.png": np.ones((8, 8), bool)}
    monkeypatch.setattr(module, "find_masks", lambda _bundle, _folder, files: {file: masks[file] for file in files})
    output = tmp_path / "deep" / "lungs.npz"
    options = ["--output", str(output), "--bundle", str(bundle.root), "--data", str(tmp_path)]
    done = CliRunner().invoke(command(module.main), options)
    assert done.exit_code == 0, done.output
    assert [line.split() for line in done.output.splitlines()[:2]] == [
        ["here", "1", "of", "2", "without", "lungs,", "50.00%"],
        ["unknown", "0", "of", "1", "without", "lungs,", "0.00%"],
    ]
    assert "3 images, 1 without lungs" in done.output
    read = load_masks(output)
    assert list(read) == ["a.png", "b.png", "c.png"]
    assert all(np.array_equal(read[file], mask) for file, mask in masks.items())
    with np.load(output) as archive:
        lungs = bundle.manifest.lungs
        assert lungs is not None
        assert str(archive["segmenter"]) == lungs.sha256


def test_a_bundle_without_a_segmenter_finds_none(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no lung segmenter"):
        find_masks(first_member_only(bundle, tmp_path / "bare"), tmp_path, [])


def test_another_file_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    (tmp_path / "nothing.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "other.npz", files=np.array(["a"]))
    for name in ("missing.npz", "nothing.npz", "other.npz"):
        with pytest.raises(DataError, match=r"python -m training\.lungs\.mask_file"):
            load_masks(tmp_path / name)
    save_masks(tmp_path / "made.npz", {"a": np.ones((16, 16), bool)})
    assert load_masks(tmp_path / "made.npz")["a"].all()
