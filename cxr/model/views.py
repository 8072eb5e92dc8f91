"""Images in each of a bundle's frames: join them into batches, and split batches."""

from collections.abc import Iterator, Sequence

import numpy as np

from cxr.arrays import Views


def batched(images: Sequence[Views]) -> Views:
    """Single images [S, S] in each frame → a batch [N, S, S] in each."""
    return {frame: np.stack([image[frame] for image in images]) for frame in images[0]}


def count_of(views: Views) -> int:
    """The number of images, which is the same in each frame."""
    return len(next(iter(views.values())))


def parts_of(views: Views, size: int) -> Iterator[Views]:
    """Split a batch into parts of at most `size` images."""
    for start in range(0, count_of(views), size):
        yield {frame: np.ascontiguousarray(images[start : start + size]) for frame, images in views.items()}
