"""Images in folders named after the finding, as most public collections come: normal/ pneumonia/ COVID-19/."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cxr.labels import Label
from training.prepare.label_words import label_of, plain
from training.prepare.records import MASK, OTHER_FINDING, Collection, CollectionImage, LeftOut
from training.prepare.tables import visible_files

_TEST: Final = {"test", "testing"}
_MASKS: Final = {"mask", "masks", "lungmasks"}


def class_folders(folder: Path, own: Mapping[str, Label]) -> set[Label]:
    """The findings that subfolders are named after."""
    labels = (label_of(path.name, own) for path in folder.rglob("*") if path.is_dir())
    return {label for label in labels if label is not None}


def read_folders(folder: Path, source: str, patient: re.Pattern[str] | None, own: Mapping[str, Label]) -> Collection:
    """Every visible file below the folder. Its label is that of the innermost folder named after a finding.

    Args:
        folder: may contain further folders: train/NORMAL, COVID/images, … A folder `test` is the publisher's test
            split.
        source: name of the collection.
        patient: its first group (or the whole match) in a file's path below the folder is the patient.
        own: further names of folders.
    """
    collection = Collection()
    for number, path in enumerate(visible_files(folder), 1):
        inner = path.relative_to(folder)
        where, parents = f"image {number}", inner.parent.parts
        labels = [label for label in (label_of(part, own) for part in parents) if label]
        if any(plain(part) in _MASKS for part in parents):
            collection.add(LeftOut(where, MASK, path))
        elif not labels:
            collection.add(LeftOut(where, OTHER_FINDING, path, word=parents[-1] if parents else ""))
        else:
            name = _patient(patient, inner.as_posix()) if patient else ""
            tested = any(plain(part) in _TEST for part in parents)
            collection.add(CollectionImage(path, where, labels[-1], source, name, published_test=tested))
    return collection


def _patient(pattern: re.Pattern[str], path: str) -> str:
    match = pattern.search(path)
    return (match[1] if pattern.groups else match[0]) or "" if match else ""
