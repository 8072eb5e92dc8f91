"""Groups of images that must stay in one split: those of one patient, and near-duplicates, combined."""

import hashlib
from collections.abc import Iterable, Sequence

from cxr.labels import LABELS, Label


def connected(count: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The connected components of a graph on 0 … count - 1: each sorted, and ordered by their first members."""
    parent = list(range(count))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for one, other in links:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    components: dict[int, list[int]] = {}
    for one in range(count):
        components.setdefault(root(one), []).append(one)
    return list(components.values())


def patient_links(patients: Sequence[frozenset[str]]) -> list[tuple[int, int]]:
    """Links between images that share a patient. An image may be listed under several patients, or under none."""
    first: dict[str, int] = {}
    links = []
    for image, names in enumerate(patients):
        links += [(first.setdefault(name, image), image) for name in sorted(names)]
    return links


def pseudonym(images: Iterable[str]) -> str:
    """A group's name, made only from its images' names, so that no patient's identifier can be guessed."""
    return hashlib.sha256(min(images).encode()).hexdigest()[:10]


def label_of_group(labels: Sequence[Label]) -> Label:
    """The most frequent label; in a tie, the later of normal, pneumonia, COVID-19."""
    return max(labels, key=lambda label: (labels.count(label), LABELS.index(label)))
