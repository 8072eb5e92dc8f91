"""The signature of a bundle: who holds the public key refuses a bundle that others made, or altered.

    SHA256SUMS      a line for each file of the bundle, as `sha256sum` writes and checks them
    SHA256SUMS.sig  64 bytes: the Ed25519 signature (RFC 8032) of SHA256SUMS

Both are what common tools make and read, without this project:

    openssl genpkey -algorithm ed25519 -out private.pem; openssl pkey -in private.pem -pubout -out public.pem
    openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig

bundle.json holds the hashes of the weights, but neither its own nor those of onnx/manifest.json, of the card and of
the figures; so the list, and not bundle.json, is what is signed.
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
    """Write SHA256SUMS and its signature into a bundle's folder; earlier ones are replaced.

    Args:
        root: the bundle's folder.
        private_key: an Ed25519 key in PEM (PKCS #8), not encrypted.

    Raises:
        BundleError: a file is a link out of the folder, of implausible size, or has a name that cannot be listed.
        KeyUnusable: it is no such key.
    """
    key = _private_key(private_key)
    sums = {name: sha256(read_file(root, root / name, MAX_NETWORK_BYTES)) for name in _names(root)}
    listing = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
    (root / SUMS).write_bytes(listing)
    (root / SIGNATURE).write_bytes(key.sign(listing))
    return sums


def signed_sums(root: Path, public_key: Path) -> Sums:
    """What the holder of the private key says that the bundle's files are. The files themselves are not read.

    Raises:
        BundleUnsigned: the list or its signature is missing.
        BundleAltered: the list is not the one that was signed, or another key signed it.
        KeyUnusable: the public key is not one of Ed25519 in PEM.
    """
    key = _public_key(public_key)
    if not all((root / name).exists() for name in (SUMS, SIGNATURE)):
        raise BundleUnsigned(f"{root} is not signed: run `cxr bundle sign`")
    listing = read_file(root, root / SUMS, MAX_JSON_BYTES)
    try:
        key.verify(read_file(root, root / SIGNATURE, SIGNATURE_BYTES), listing)
    except InvalidSignature:
        raise BundleAltered(f"{root / SUMS} is not what the holder of the key has signed") from None
    return {name: digest for digest, name in _LINE.findall(listing.decode())}


def verify(root: Path, public_key: Path) -> Sums:
    """The same, every file read and compared. A file that is not on the list is one that nothing of ours reads.

    Raises:
        BundleAltered: a file is not the one that was signed.
        BundleError: a file cannot be read; and what `signed_sums` raises.
    """
    sums = signed_sums(root, public_key)
    for name in sums:
        check(root, name, read_file(root, root / name, MAX_NETWORK_BYTES), sums)
    return sums


def check(root: Path, name: str, data: bytes, sums: Sums) -> None:
    """Raises BundleAltered unless these bytes of a file are the ones that were signed."""
    if sums.get(name) != sha256(data):
        raise BundleAltered(f"{root / name} is not the file that was signed")


def _names(root: Path) -> list[str]:
    """Every file of the folder but the signature's own, sorted."""
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
