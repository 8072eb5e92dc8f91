"""A bundle's networks on the explaining device, each loaded at its first use."""

from collections.abc import Callable
from threading import Lock
from typing import Final, TypeVar

import torch

from attribution.canonize import CanonicalNetwork, canonize
from cxr.model.bundle import Bundle, Member
from networks.architectures import Network, load_member

N = TypeVar("N", Network, CanonicalNetwork)


class Networks:
    """The loaded networks; safe to call from several threads. LRP doubles the memory that a member's weights take."""

    def __init__(self, bundle: Bundle) -> None:
        self.device: Final = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # TF32 has ten bits of mantissa: relevance would not be conserved
        self._bundle = bundle
        self._networks: dict[str, Network] = {}
        self._canonical: dict[str, CanonicalNetwork] = {}
        self._lock = Lock()

    def plain(self, member: Member) -> Network:
        """A member as it was trained. Raises BundleError unless its weights match the bundle's description."""
        with self._lock:
            return _get(self._networks, member, lambda: load_member(self._bundle, member).to(self.device))

    def canonical(self, member: Member) -> CanonicalNetwork:
        """The same member, rewritten for LRP."""
        network = self.plain(member)
        with self._lock:
            return _get(self._canonical, member, lambda: canonize(network))


def _get(loaded: dict[str, N], member: Member, load: Callable[[], N]) -> N:
    if member.name not in loaded:
        loaded[member.name] = load()
    return loaded[member.name]
