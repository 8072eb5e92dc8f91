"""Small collections of each kind, written to disk; and the pictures in them."""

from pathlib import Path

import cv2
import numpy as np

from cxr.arrays import Grey
from tests import files


def chest(seed: int, height: int = 160, width: int = 150) -> Grey:
    """A picture that differs from all others: an ellipse as in every chest, and individual smooth noise."""
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 3) * 6 + cv2.GaussianBlur(noise, (0, 0), 9) * 12
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    body = 120 - 60 * np.exp(-4 * (x * x + 0.5 * y * y))
    pixels: Grey = (body + 12 * texture).clip(0, 255).astype(np.uint8)
    return pixels


def put(path: Path, pixels: Grey) -> Path:
    """Write a picture as PNG, whatever the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(files.png(pixels))
    return path


def put_text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def by_class(folder: Path, count: int = 6, names: tuple[str, str, str] = ("normal", "pneumonia", "covid19")) -> Path:
    """Write this many pictures into each of three folders."""
    for index, name in enumerate(names):
        for number in range(count):
            put(folder / name / f"{number}.png", chest(100 * index + number))
    return folder
