"""API keys."""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Final

_BEARER: Final = "bearer "


class Keys:
    """The valid keys. Without any key everyone may use the service."""

    def __init__(self, keys: Collection[str]) -> None:
        self.replace(keys)

    def replace(self, keys: Collection[str]) -> None:
        """Use these keys from the next request on. Safe to call from any thread."""
        self._digests = [_digest(key) for key in keys]

    def refusal(self, headers: Mapping[str, str]) -> int | None:
        """The status to refuse a request with: 401 without a key, 403 with a wrong one; None if it may pass.

        The key is `Authorization: Bearer KEY` or `X-API-Key: KEY`. Digests of all keys are compared in constant time,
        so that the time reveals neither a similar key nor a key's length.
        """
        known_digests = self._digests  # one list for this request, even if it is replaced meanwhile
        if not known_digests:
            return None
        key = _key(headers)
        if not key:
            return 401
        digest = _digest(key)
        matches = [hmac.compare_digest(digest, known) for known in known_digests]
        return None if any(matches) else 403

    def caller(self, headers: Mapping[str, str]) -> bytes:
        """The caller of an accepted request: the digest of its key. Without keys all requests have the same caller."""
        return _digest(_key(headers)) if self._digests else b""


def _key(headers: Mapping[str, str]) -> str:
    authorization = headers.get("authorization", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return headers.get("x-api-key", "")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
