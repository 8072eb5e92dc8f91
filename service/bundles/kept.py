"""The explainers of the bundle that is served and of the one before it, each known by its bundle's hash."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, Generic, TypeVar

from cxr.errors import NotServable
from cxr.model.bundle import Bundle

E = TypeVar("E")

KEPT: Final = 2


class Kept(Generic[E]):
    """Safe to call from several threads. A work that has begun with one that is dropped goes on with it."""

    def __init__(self, make: Callable[[Bundle], E], key: Path | None) -> None:
        """
        Args:
            make: what explains a bundle; raises BundleError.
            key: see `Bundle`.
        """
        self._make, self._key = make, key
        self._kept: dict[str, E] = {}  # the newest last
        self._loading = Lock()

    def get(self, sha256: str) -> E | None:
        """Who explains what the bundle with this hash has classified; nobody else may."""
        return self._kept.get(sha256)

    def adopt(self, root: Path, sha256: str | None = None) -> None:
        """Load a bundle, unless it is here, and keep it and the one adopted before it.

        Args:
            root: its folder, no link.
            sha256: of its bundle.json, as another process has read it.

        Raises:
            BundleError: it is not what its manifest says, or not the one that is meant.
        """
        with self._loading:
            known = self._kept.get(sha256) if sha256 else None
            if known is None:
                bundle = Bundle(root, self._key)
                if sha256 not in (None, bundle.sha256):
                    raise NotServable(f"{root} has changed while it was loaded: put a new bundle into a new folder")
                sha256, known = bundle.sha256, self._make(bundle)
            others = [item for item in self._kept.items() if item[0] != sha256]
            assert sha256 is not None
            self._kept = dict([*others, (sha256, known)][-KEPT:])
