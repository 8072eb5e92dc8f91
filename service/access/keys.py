"""API keys: who may use the service."""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Final

_BEARER: Final = "bearer "


class Keys:
    """The keys that open the service; with none, everyone may use it."""

    def __init__(self, keys: Collection[str]) -> None:
        self.replace(keys)

    def replace(self, keys: Collection[str]) -> None:
        """From the next request on, these are the keys. Safe to call from any thread."""
        self._digests = [_digest(key) for key in keys]

    def refusal(self, headers: Mapping[str, str]) -> int | None:
        """The status of a request that may not pass: 401 without a key, 403 with a wrong one.

        The key is `Authorization: Bearer KEY` or `X-API-Key: KEY`. Digests are compared, each with each and in
        constant time, so that the time tells neither which key was near nor how long it is.
        """
        known_digests = self._digests  # one list for this request, whatever replaces it
        if not known_digests:
            return None
        key = _key(headers)
        if not key:
            return 401
        digest = _digest(key)
        matches = [hmac.compare_digest(digest, known) for known in known_digests]
        return None if any(matches) else 403

    def caller(self, headers: Mapping[str, str]) -> bytes:
        """Whose a request is that may pass: the digest of its key. Without keys everyone is one caller."""
        return _digest(_key(headers)) if self._digests else b""


def _key(headers: Mapping[str, str]) -> str:
    authorization = headers.get("authorization", "")
    if authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    return headers.get("x-api-key", "")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
