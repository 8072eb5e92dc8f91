"""Images that are not chest radiographs: photographs, textures and brains from Python packages, and drawings.

None of `pydicom-data`'s files is used, because the gate is tested on them.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cxr.arrays import Grey
from cxr.errors import DataError

PACKAGES: Final = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
    "nilearn": "datasets/data",
}
"""Packages, and the folder of their sample pictures. scikit-image's wheel contains its pictures; no download."""
BRAIN: Final = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
FEWEST: Final = 64  # pixels per side
SLICES: Final = 12  # slices of the brain along each axis


def pictures() -> dict[str, Grey]:
    """All sample pictures, in grey, by the name `package/file` and in the order of names.

    Raises:
        DataError: a package is missing.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise DataError(f"packages with the gate's pictures are missing: pip install .[gate] ({', '.join(missing)})")
    found = dict(_files())
    found.update(_brain(_folder("nilearn") / BRAIN))
    return dict(sorted(found.items()))


def crop(picture: Grey, rng: np.random.Generator) -> Grey:
    """A random part of a picture, at least half of each side long, rotated by quarter turns; three in ten inverted."""
    height, width = picture.shape
    high, wide = int(height * rng.uniform(0.5, 1)), int(width * rng.uniform(0.5, 1))
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    part = np.rot90(picture[top : top + high, left : left + wide], int(rng.integers(4)))
    return np.asarray(255 - part if rng.random() < 0.3 else part, np.uint8)


def drawing(rng: np.random.Generator) -> Grey:
    """A rough drawing of bright bars, rings, fans and blobs on dark: limbs, teeth, ultrasound sectors and slices."""
    side = 256
    canvas = np.full((side, side), int(rng.integers(0, 50)), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        _SHAPES[rng.integers(len(_SHAPES))](canvas, rng)
    texture = cv2.resize(rng.normal(0, 1, (int(rng.integers(4, 64)),) * 2), (side, side), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 6))
    return np.clip(soft + rng.uniform(0, 40) * texture, 0, 255).astype(np.uint8)


def _bars(canvas: Grey, rng: np.random.Generator) -> None:
    """A limb across the whole image: soft tissue around one or two bones."""
    ends = rng.integers(0, 256, 4)
    first, last = (
        ((int(ends[0]), 0), (int(ends[1]), 255)) if rng.random() < 0.7 else ((0, int(ends[2])), (255, int(ends[3])))
    )
    flesh, bone, width = int(rng.integers(40, 140)), int(rng.integers(120, 256)), int(rng.integers(40, 140))
    cv2.line(canvas, first, last, flesh, width)
    for shift in (-width // 5, width // 5) if rng.random() < 0.5 else (0,):
        moved = [(x + shift, y) for x, y in (first, last)]
        cv2.line(canvas, moved[0], moved[1], bone, max(4, width // int(rng.integers(4, 8))))
        cv2.line(canvas, moved[0], moved[1], max(flesh, bone - 60), max(1, width // 14))


def _ellipse(canvas: Grey, rng: np.random.Generator) -> None:
    """A slice of a body: a bright rim with contents."""
    centre, axes = tuple(map(int, rng.integers(70, 186, 2))), tuple(map(int, rng.integers(20, 120, 2)))
    angle = float(rng.integers(180))
    cv2.ellipse(canvas, centre, axes, angle, 0, 360, int(rng.integers(40, 255)), -1)
    cv2.ellipse(canvas, centre, axes, angle, 0, 360, int(rng.integers(40, 255)), int(rng.integers(1, 14)))


def _fan(canvas: Grey, rng: np.random.Generator) -> None:
    """An ultrasound sector."""
    speckle = rng.gamma(1.0, rng.uniform(20, 70), canvas.shape).clip(0, 255).astype(np.uint8)
    mask = np.zeros_like(canvas)
    middle, spread = 90 + int(rng.integers(-20, 20)), int(rng.integers(25, 60))
    cv2.ellipse(mask, (128, int(rng.integers(-20, 30))), (230, 230), 0, middle - spread, middle + spread, 255, -1)
    canvas[mask > 0] = speckle[mask > 0]


def _teeth(canvas: Grey, rng: np.random.Generator) -> None:
    """Rows of bright, rounded blocks."""
    wide = int(rng.integers(14, 70))
    for row in range(int(rng.integers(1, 4))):
        y = int(rng.integers(10, 200)) + row * 10
        for x in range(int(rng.integers(0, wide)), 256, wide):
            high = int(rng.integers(wide // 2, 2 * wide))
            cv2.ellipse(
                canvas, (x, y + high // 2), (wide // 2 - 1, high // 2 + 1), 0, 0, 360, int(rng.integers(90, 256)), -1
            )


_SHAPES: Final = (_bars, _ellipse, _fan, _teeth)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / PACKAGES[package]


def _files() -> Iterator[tuple[str, Grey]]:
    for package in PACKAGES:
        for path in sorted(_folder(package).iterdir()):
            if path.suffix in (".png", ".jpg"):
                grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
                if grey is not None and min(grey.shape) >= FEWEST:
                    yield f"{package}/{path.name}", np.asarray(grey, np.uint8)


def _brain(path: Path) -> Iterator[tuple[str, Grey]]:
    """Slices of the MNI template along its three axes, as pictures."""
    import nibabel

    volume = np.asarray(nibabel.load(path).dataobj, np.float32)
    grey = (255 * volume / volume.max()).astype(np.uint8)
    for axis, length in enumerate(grey.shape):
        for place in np.linspace(0.2, 0.8, SLICES):
            yield f"nilearn/brain-{axis}-{place:.2f}", np.rot90(np.take(grey, int(place * length), axis=axis)).copy()
