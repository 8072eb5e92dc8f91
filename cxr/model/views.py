"""Images in each of a bundle's frames: put together, and cut into parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from cxr.arrays import Views


def batched(images: Sequence[Views]) -> Views:
    """Single images [S, S] in each frame → a batch [N, S, S] in each."""
    return {frame: np.stack([image[frame] for image in images]) for frame in images[0]}


def count_of(views: Views) -> int:
    """How many images there are in each frame."""
    return len(next(iter(views.values())))


def parts_of(views: Views, size: int) -> Iterator[Views]:
    """The same images, at most so many at a time."""
    for start in range(0, count_of(views), size):
        yield {frame: np.ascontiguousarray(images[start : start + size]) for frame, images in views.items()}
