"""A bundle's networks on the device that explains, each loaded when it is first asked for."""

from collections.abc import Callable
from threading import Lock
from typing import Final, TypeVar

import torch

from attribution.canonize import CanonicalNetwork, canonize
from cxr.model.bundle import Bundle, Member
from networks.architectures import Network, load_member

N = TypeVar("N", Network, CanonicalNetwork)


class Networks:
    """Safe to call from several threads. A member takes its weights' size in memory once, twice after its first LRP."""

    def __init__(self, bundle: Bundle) -> None:
        self.device: Final = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # ten bits of mantissa, and relevance is not conserved
        self._bundle = bundle
        self._networks: dict[str, Network] = {}
        self._canonical: dict[str, CanonicalNetwork] = {}
        self._lock = Lock()

    def plain(self, member: Member) -> Network:
        """A member as it was trained. Raises BundleError unless its weights are those that the bundle describes."""
        with self._lock:
            return _get(self._networks, member, lambda: load_member(self._bundle, member).to(self.device))

    def canonical(self, member: Member) -> CanonicalNetwork:
        """The same, rewritten for LRP."""
        network = self.plain(member)
        with self._lock:
            return _get(self._canonical, member, lambda: canonize(network))


def _get(loaded: dict[str, N], member: Member, load: Callable[[], N]) -> N:
    if member.name not in loaded:
        loaded[member.name] = load()
    return loaded[member.name]
