"""The explainers of the served bundle and of the previous one, each identified by its bundle's hash."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, Generic, TypeVar

from cxr.errors import NotServable
from cxr.model.bundle import Bundle

E = TypeVar("E")

KEPT: Final = 2


class Kept(Generic[E]):
    """Holds up to two explainers. Safe to call from several threads. A job may go on with a dropped explainer."""

    def __init__(self, make: Callable[[Bundle], E], key: Path | None) -> None:
        """
        Args:
            make: makes the explainer of a bundle; raises BundleError.
            key: see `Bundle`.
        """
        self._make, self._key = make, key
        self._kept: dict[str, E] = {}  # the newest last
        self._loading = Lock()

    def get(self, sha256: str) -> E | None:
        """The explainer of the bundle with this hash, which is the only one that may explain that bundle's answers."""
        return self._kept.get(sha256)

    def adopt(self, root: Path, sha256: str | None = None) -> None:
        """Load a bundle unless it is already held, and keep it and the one adopted before it.

        Args:
            root: its folder, not a link.
            sha256: the hash of its bundle.json, as the API process has read it.

        Raises:
            BundleError: it does not match its manifest, or not `sha256`.
        """
        with self._loading:
            known = self._kept.get(sha256) if sha256 else None
            if known is None:
                bundle = Bundle(root, self._key)
                if sha256 not in (None, bundle.sha256):
                    raise NotServable(f"{root} changed while it was being loaded: put a new bundle into a new folder")
                sha256, known = bundle.sha256, self._make(bundle)
            others = [item for item in self._kept.items() if item[0] != sha256]
            assert sha256 is not None
            self._kept = dict([*others, (sha256, known)][-KEPT:])
