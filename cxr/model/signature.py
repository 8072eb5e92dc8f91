"""The signature of a bundle. With the public key a user can refuse a bundle that others made or altered.

    SHA256SUMS      a line for each file of the bundle, in the format of `sha256sum`
    SHA256SUMS.sig  64 bytes: the Ed25519 signature (RFC 8032) of SHA256SUMS

Common tools can make and check both, without this project:

    openssl genpkey -algorithm ed25519 -out private.pem; openssl pkey -in private.pem -pubout -out public.pem
    openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig

The list is signed, and not bundle.json: bundle.json contains the hashes of the weights, but not its own, and not those
of onnx/manifest.json, the card and the figures.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cxr.errors import BundleAltered, BundleError, BundleUnsigned, KeyUnusable
from cxr.model.bundle_files import MAX_JSON_BYTES, MAX_NETWORK_BYTES, read_file, sha256

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
SIGNATURE_BYTES: Final = 64
MAX_KEY_BYTES: Final = 1 << 14

Sums = dict[str, str]
"""Paths within the bundle, with slashes, and the SHA-256 of each file."""

_LINE: Final = re.compile(r"^([0-9a-f]{64})  (.+)$", re.MULTILINE)


def sign(root: Path, private_key: Path) -> Sums:
    """Write SHA256SUMS and its signature into a bundle's folder. Earlier ones are replaced.

    Args:
        root: the bundle's folder.
        private_key: an Ed25519 key in PEM (PKCS #8), not encrypted.

    Raises:
        BundleError: a file is a link out of the folder, is too large, or has a name that cannot be listed.
        KeyUnusable: the file does not contain such a key.
    """
    key = _private_key(private_key)
    sums = {name: sha256(read_file(root, root / name, MAX_NETWORK_BYTES)) for name in _names(root)}
    listing = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
    (root / SUMS).write_bytes(listing)
    (root / SIGNATURE).write_bytes(key.sign(listing))
    return sums


def signed_sums(root: Path, public_key: Path) -> Sums:
    """Check the signature and return the signed list of hashes. The listed files themselves are not read.

    Raises:
        BundleUnsigned: the list or its signature is missing.
        BundleAltered: the list was altered, or was signed with another key.
        KeyUnusable: the public key is not an Ed25519 key in PEM.
    """
    key = _public_key(public_key)
    if not all((root / name).exists() for name in (SUMS, SIGNATURE)):
        raise BundleUnsigned(f"{root} is not signed: run `cxr bundle sign`")
    listing = read_file(root, root / SUMS, MAX_JSON_BYTES)
    try:
        key.verify(read_file(root, root / SIGNATURE, SIGNATURE_BYTES), listing)
    except InvalidSignature:
        raise BundleAltered(f"{root / SUMS} was altered, or was signed with another key") from None
    return {name: digest for digest, name in _LINE.findall(listing.decode())}


def verify(root: Path, public_key: Path) -> Sums:
    """Check the signature and the hash of every listed file. Files that are not listed are ignored: nothing reads them.

    Raises:
        BundleAltered: a file differs from the one that was signed.
        BundleError: a file cannot be read.
        BundleUnsigned, KeyUnusable: see `signed_sums`.
    """
    sums = signed_sums(root, public_key)
    for name in sums:
        check(root, name, read_file(root, root / name, MAX_NETWORK_BYTES), sums)
    return sums


def check(root: Path, name: str, data: bytes, sums: Sums) -> None:
    """Raises BundleAltered unless these bytes of a file match its signed hash."""
    if sums.get(name) != sha256(data):
        raise BundleAltered(f"{root / name} is not the file that was signed")


def _names(root: Path) -> list[str]:
    """Every file of the folder except the two of the signature, sorted."""
    paths = (path.relative_to(root) for path in root.rglob("*") if not path.is_dir())
    names = sorted(path.as_posix() for path in paths if str(path) not in (SUMS, SIGNATURE))
    if not all(name.isprintable() and "\\" not in name for name in names):
        raise BundleError(f"{root} holds a file whose name cannot be listed: give it one of printable characters")
    return names


def _private_key(path: Path) -> Ed25519PrivateKey:
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = serialization.load_pem_private_key(_pem(path), password=None)
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise KeyUnusable(f"{path} is not a private Ed25519 key in PEM without a passphrase")


def _public_key(path: Path) -> Ed25519PublicKey:
    with suppress(ValueError, UnsupportedAlgorithm):
        key = serialization.load_pem_public_key(_pem(path))
        if isinstance(key, Ed25519PublicKey):
            return key
    raise KeyUnusable(f"{path} is not a public Ed25519 key in PEM")


def _pem(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError:
        raise KeyUnusable(f"{path} cannot be read: it should be a key in PEM") from None
