"""Check the licences of everything that a requirements file pins against the list of those that may be shipped.

    python -m scripts.supply.licences requirements/api.txt

Licences are read from the metadata of the installed packages. A wheel may bundle libraries under other licences that
its metadata does not name: for example OpenCV's wheel contains FFmpeg (LGPL-2.1).
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

ALLOWED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "CC0-1.0", "ISC", "MIT", "MIT-0"),
        *("MIT-CMU", "PSF-2.0", "Python-2.0", "Zlib", "BSL-1.0"),
        "LLVM-exception",  # of Apache-2.0: it allows more
        "MPL-2.0",  # its copyleft ends at its own files, which are shipped as they are
    }
)
"""SPDX identifiers. All of them allow use in a work under Apache-2.0."""

SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",  # the classifier does not say which
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""Other names that packages use for these licences."""

EXCEPTIONS: Final = ("nvidia-", "cuda-")
"""Prefixes of accepted names: NVIDIA's licences allow redistribution of the CUDA libraries with an application."""


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned package, and the SPDX identifiers or other names of its licences; None if it is not installed."""

    name: str
    version: str
    licences: tuple[str, ...] | None

    @property
    def allowed(self) -> bool:
        """Whether all of its licences are on the list. A choice between two counts as both."""
        return self.name.startswith(EXCEPTIONS) or bool(self.licences and ALLOWED.issuperset(self.licences))


def packages(requirements: Path) -> Iterator[Package]:
    """The packages that a requirements file pins for this platform, in order."""
    for line in requirements.read_text().splitlines():
        pinned = re.match(r"[A-Za-z0-9][^#\\]*==[^#\\]*", line)
        requirement = Requirement(pinned[0].strip()) if pinned else None
        if requirement and (requirement.marker is None or requirement.marker.evaluate()):
            version = str(requirement.specifier).removeprefix("==")
            yield Package(requirement.name, version, _installed(requirement.name))


def licences(found: PackageMetadata) -> tuple[str, ...]:
    """Every licence that a package's metadata names: by SPDX expression, else by classifiers, else by its field."""
    expression = found.get_all("License-Expression")
    if expression:
        return tuple(re.findall(r"[A-Za-z0-9][\w.+-]*", re.sub(r"\b(AND|OR|WITH)\b", " ", expression[0])))
    classified = [line.split(" :: ")[-1] for line in found.get_all("Classifier") or [] if line.startswith("License ::")]
    named = classified or list(filter(None, map(str.strip, found.get_all("License") or [])))
    return tuple(SPDX.get(name, name.splitlines()[0]) for name in named)


def _installed(name: str) -> tuple[str, ...] | None:
    try:
        return licences(metadata(name))
    except PackageNotFoundError:
        return None


def main(requirements: Path) -> int:
    """Print the list. Returns 1 if a licence is not allowed. Packages not installed are listed but not checked."""
    found = list(packages(requirements))
    table = Table("package", "version", "licences", title=f"Licences of {requirements}")
    for package in found:
        told = "not installed: not checked" if package.licences is None else ", ".join(package.licences) or "none named"
        table.add_row(package.name, package.version, told, style=None if package.allowed else "red")
    Console().print(table)
    refused = [package.name for package in found if package.licences is not None and not package.allowed]
    print(f"Not allowed: {', '.join(refused)}." if refused else f"{len(found)} packages: every licence is allowed.")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
