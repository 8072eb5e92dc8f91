"""Where no key is asked for: no page of another origin may use the service."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from cxr.errors import Refusal
from service.refusals import OtherOrigin, UnknownHost

_OWN: Final = frozenset({"same-origin", "none"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """Whose pages a browser may send requests for, to a service that asks for no key.

    Whoever has a page of another origin open sends what that page wants sent, to loopback too. Two checks keep it out:

    - `Sec-Fetch-Site`, or where a browser sends none, `Origin` against `Host`: a page of another origin.
    - `Host`: a name of the page's own that its DNS has come to lead here (DNS rebinding), which makes both origins one.

    A service with keys needs neither: such a page has no key.
    """

    def __init__(self, keyless: bool, loopback_only: bool) -> None:
        """
        Args:
            keyless: everyone may use the service.
            loopback_only: nobody comes by another name than loopback's: no proxy stands before the service.
        """
        self._keyless = keyless
        self._loopback_only = loopback_only

    def refusal(self, method: str, headers: Mapping[str, str]) -> type[Refusal] | None:
        """What is wrong with where a request comes from; None if nothing is."""
        if not self._keyless:
            return None
        if self._loopback_only and not _names_loopback(headers.get("host", "")):
            return UnknownHost
        return None if method in _SAFE or _is_own(headers) else OtherOrigin


def _is_own(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from no browser, from our own page, or from the address bar."""
    site = headers.get("sec-fetch-site")  # not sent to plain HTTP beyond loopback
    if site is not None:
        return site in _OWN
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _names_loopback(host: str) -> bool:
    """Whether a `Host` field names loopback, with any port; so does none, which no browser sends."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in ("", "localhost") or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
