"""A data set of noise with a radiologist's box in each image that is not normal."""

import csv
from pathlib import Path

import cv2
import numpy as np

BOX = (0.125, 0.25, 0.25, 0.5)


def write_boxed(root: Path, shown: int, normals: int) -> Path:
    """Write validation images with a box, two per patient, and normal ones; two training images with the same box."""
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = [(f"images/{i}.png", "covid19", f"p{i // 2}", "val") for i in range(shown)]
    rows += [(f"images/n{i}.png", "normal", f"n{i}", "val") for i in range(normals)]
    rows += [(f"images/t{i}.png", "covid19", f"t{i}", "train") for i in range(2)]
    for file, *_ in rows:
        cv2.imwrite(str(root / file), rng.integers(0, 256, (80, 80)).astype(np.uint8))
    with (root / "metadata.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", "label", "source", "patient", "split"])
        writer.writerows([file, label, "siim", patient, split] for file, label, patient, split in rows)
    with (root / "boxes.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", *"xywh", "kind", "by"])
        writer.writerows([file, *BOX, "opacity", "nobody"] for file, label, *_ in rows if label != "normal")
    return root
