"""The lung segmenter's training: masks move with their images, a seed makes the weights, and a bundle gets them."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cli import app
from cxr.errors import DataError
from cxr.model.bundle import Bundle
from networks.unet import STRIDE, UNet
from tests.bundles import first_member_only
from training.augmentation.augment import STRONG, augment, augment_with_masks
from training.data import DEFAULT_DATA
from training.lungs.masked_images import MaskedImages, Outline, load_masked
from training.lungs.segmenter import RECIPE, SIZE, dice, train_segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright pictures with two dark ellipses and their masks. The last row has no mask; two masks are by people."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    with (folder / "metadata.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "label", "patient", "split", "lung_mask"])
        for index, split in enumerate(["train"] * 8 + ["val", "test", "test"]):
            mask = np.zeros((100, 120), np.uint8)
            for x in (35, 85):
                at = (x + int(rng.integers(-4, 5)), 50 + int(rng.integers(-4, 5)))
                cv2.ellipse(mask, at, (14, 32), 0, 0, 360, 255, cv2.FILLED)
            image = np.where(mask > 0, 60, 190) + rng.normal(0, 8, mask.shape)
            cv2.imwrite(str(folder / f"{index}.png"), image.clip(0, 255).astype(np.uint8))
            cv2.imwrite(str(folder / f"{index}-mask.png"), mask)
            named = f"{index}-mask.png" if index < 10 else ""
            table.writerow([f"{index}.png", "normal", f"patient-{index}", split, named])
    drawn = [
        "file,mask,kind,by",
        "0.png,0-mask.png,lung,V7",
        "8.png,8-mask.png,lung,V7",
        "8.png,8.png,consolidation,V7",
    ]
    (folder / "masks_people.csv").write_text("\n".join(drawn) + "\n")
    return folder


def test_only_rows_of_the_split_that_have_a_mask_are_loaded(folder: Path) -> None:
    data = load_masked(folder, ("val", "test"), RECIPE, SIZE)
    assert [(outline.file, outline.maker) for outline in data.outlines] == [
        ("8.png", "machine"),
        ("9.png", "machine"),
        ("8.png", "V7"),
    ]
    assert data.whole.tolist() == [False, False, True]
    assert data.images.shape == data.masks.shape == (3, SIZE, SIZE)
    assert data.masks.mean() == pytest.approx(2 * np.pi * 14 * 32 / 12000, abs=0.02)


def test_a_table_without_masks_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no lung masks in"):
        load_masked(folder, (), RECIPE, SIZE)
    (tmp_path / "metadata.csv").write_text("file,label,patient,split\na.png,normal,p,train\n")
    with pytest.raises(DataError, match="no lung masks in train"):
        load_masked(tmp_path, ("train",), RECIPE, SIZE)


def test_a_mask_moves_with_its_image() -> None:
    images = torch.zeros(6, 1, 64, 64, dtype=torch.uint8)
    images[:, :, 20:40, 10:30] = 255
    rng = torch.Generator().manual_seed(0)
    moved, masks = augment_with_masks(images, images > 0, STRONG, rng)
    expected = augment(images, STRONG, torch.Generator().manual_seed(0))
    torch.testing.assert_close(moved, expected)
    assert masks.min() >= 0
    assert masks.max() <= 1
    still_bright = moved[masks > 0.9].mean() - moved[masks < 0.1].mean()
    assert still_bright > 100
    assert not torch.equal(masks, (images > 0).float())


@pytest.mark.slow
def test_training_learns_and_its_seed_makes_the_weights(folder: Path) -> None:
    data, held_out = load_masked(folder, ("train",), RECIPE, SIZE), load_masked(folder, ("val", "test"), RECIPE, SIZE)
    network = train_segmenter(data, epochs=12, seed=0, batch_size=4)
    torch.manual_seed(0)
    assert dice(network, held_out).mean() > dice(UNet().eval(), held_out).mean() + 0.2
    again = train_segmenter(data, epochs=12, seed=0, batch_size=4)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_patients_of_the_extra_films_are_in_one_split_each(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file,label,patient,split\n")
    lines = ["file,patient,split,lung_mask", *(f"{n}.png,p{n // 2},extra,{n}-mask.png" for n in range(40))]
    (tmp_path / "extras.csv").write_text("\n".join(lines) + "\n")
    for n in range(40):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.full((64, 64), n, np.uint8) + np.arange(64, dtype=np.uint8))
        cv2.imwrite(str(tmp_path / f"{n}-mask.png"), np.zeros((64, 64), np.uint8))
    of = {split: load_masked(tmp_path, (split,), RECIPE, 32).outlines for split in ("train", "val", "test")}
    patients = [{outline.patient for outline in outlines} for outlines in of.values()]
    assert sum(map(len, of.values())) == 40
    assert sum(map(len, patients)) == 20
    assert all(patients)
    assert not any(load_masked(tmp_path, ("train",), RECIPE, 32).whole)


def test_each_convention_is_learnt_from_its_own_masks(folder: Path) -> None:
    """Here the machine's masks are empty and people's are full, so the two outputs must become different."""
    data = load_masked(folder, ("train",), RECIPE, SIZE)
    makers = ["machine", "V7"] * len(data.outlines)
    outlines = tuple(replace(outline, maker=maker) for outline, maker in zip(data.outlines, makers, strict=False))
    all_of_it = MaskedImages(outlines, data.images, data.masks)
    halved = data.masks & all_of_it.whole[:, None, None]
    network = train_segmenter(replace(all_of_it, masks=halved), epochs=20, seed=0, batch_size=4, widths=(4, 8, 16))
    whole, without = (network.outlines(torch.from_numpy(data.images)[:, None]) > 0).float().mean(dim=(0, 2, 3))
    assert whole > 1.5 * without


def test_dice_of_known_overlaps_in_each_convention() -> None:
    class Fixed(UNet):
        def outlines(self, image: torch.Tensor) -> torch.Tensor:
            return torch.cat([image, 255 - image], dim=1).float() - 127.5

    images, masks = np.zeros((2, SIZE, SIZE), np.uint8), np.zeros((2, SIZE, SIZE), bool)
    images[:, :, : SIZE // 2] = 255
    masks[0, :, : SIZE // 2] = True
    masks[1, : SIZE // 2] = True
    people, machine = (Outline("a.png", "m.png", maker, "p", "val") for maker in ("V7", "machine"))
    np.testing.assert_allclose(dice(Fixed(), MaskedImages((people, people), images, masks)), [1, 0.5])
    np.testing.assert_allclose(dice(Fixed(), MaskedImages((machine, machine), images, masks)), [0, 0.5])


def test_the_network_keeps_size_and_needs_multiples_of_its_stride() -> None:
    assert SIZE % STRIDE == 0
    assert UNet().eval()(torch.zeros(2, 1, 2 * STRIDE, 3 * STRIDE, dtype=torch.uint8)).shape == (
        2,
        2 * STRIDE,
        3 * STRIDE,
    )


def test_the_command_puts_a_segmenter_into_a_bundle(folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    target = first_member_only(bundle, tmp_path / "bundle")
    arguments = ["lungs", str(target.root), "--data", str(folder), "--epochs", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "2 held-out masks of 2 patients by machine" in result.output
    assert "1 held-out masks of 1 patients by V7" in result.output
    updated = Bundle(target.root)
    assert updated.manifest.lungs is not None
    assert updated.manifest.model_copy(update={"lungs": None}) == target.manifest
    assert len(updated.read_weights(updated.manifest.lungs)) < 4 * 1024 * 1024


@pytest.mark.slow
@pytest.mark.skipif(not DEFAULT_DATA.exists(), reason="needs ../shared/data")
def test_the_shipped_segmenter_agrees_with_held_out_masks() -> None:
    from cxr.model.bundle import DEFAULT_BUNDLE
    from networks.unet import load_segmenter

    shipped = Bundle(DEFAULT_BUNDLE)
    assert shipped.manifest.lungs is not None
    recipe = shipped.manifest.lungs.recipe
    data = load_masked(DEFAULT_DATA, ("val", "test"), recipe.id, recipe.size)
    agreement = dice(load_segmenter(shipped, shipped.manifest.lungs), data)[~data.whole]
    assert len(agreement) == 49 + 59  # without the machine's masks and JSRT's
    assert agreement.mean() >= 0.93
