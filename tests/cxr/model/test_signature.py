"""Signed bundles: a changed byte, another signature, or a missing signature is refused."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from cli import app
from cxr.errors import BundleAltered, BundleError, BundleUnsigned, KeyUnusable
from cxr.model.bundle import Bundle
from cxr.model.bundle_files import sha256
from cxr.model.signature import SIGNATURE, SUMS, sign, signed_sums, verify
from service.bento.api import prepare

FLIPS = 20


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """The files of a new private key and of its public half."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def small(copy: Path) -> Path:
    """A bundle with every kind of file, and weights and graphs of a few bytes, because only hashes matter here."""
    for path in [*(copy / "weights").iterdir(), *(copy / "onnx").glob("*.onnx")]:
        path.unlink()
        path.write_bytes(path.name.encode())
    (copy / "MODEL_CARD.md").write_text("# Card\n")
    (copy / "evaluation.json").write_text("{}\n")
    return copy


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path, "owner")


def test_every_file_is_signed_and_a_whole_bundle_verifies(small: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    sums = sign(small, private)
    files = {path.relative_to(small).as_posix() for path in small.rglob("*") if path.is_file()}
    assert files == {*sums, SUMS, SIGNATURE}
    assert {"bundle.json", "onnx/manifest.json", "MODEL_CARD.md", "evaluation.json"} < set(sums)
    assert verify(small, public) == sums
    assert Bundle(small, public).onnx == Bundle(small).onnx
    assert sign(small, private) == sums


def test_no_flipped_byte_of_any_file_passes(small: Path, keys: tuple[Path, Path]) -> None:
    """Several bytes in each file, including the list and the signature."""
    private, public = keys
    sign(small, private)
    rng = random.Random(0)
    for path in sorted(path for path in small.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for place in rng.sample(range(len(data)), min(FLIPS, len(data))):
            flipped = bytearray(data)
            flipped[place] ^= 1 << rng.randrange(8)
            path.write_bytes(flipped)
            with pytest.raises(BundleAltered):
                verify(small, public)
        path.write_bytes(data)
    verify(small, public)


@pytest.mark.parametrize("name", ["bundle.json", "onnx/manifest.json"])
def test_a_manifest_that_others_wrote_is_not_read(small: Path, keys: tuple[Path, Path], name: str) -> None:
    """A worker does not hash every file again, but its manifests must be signed: a new file and its hash are not."""
    private, public = keys
    sign(small, private)
    text = (small / name).read_text()
    digests = [value for value in json.dumps(json.loads(text)).split('"') if len(value) == 64]
    (small / name).write_text(text.replace(digests[0], sha256(b"another network")))
    with pytest.raises(BundleAltered, match=name):
        _ = Bundle(small, public).onnx
    (small / SUMS).write_text((small / SUMS).read_text().replace(name, f"{name}.old"))
    with pytest.raises(BundleAltered, match=SUMS):
        _ = Bundle(small, public).onnx


def test_a_missing_file_or_one_of_the_signatures_is_named(small: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    with pytest.raises(BundleUnsigned, match="cxr bundle sign"):
        Bundle(small, public)
    sign(small, private)
    (small / "MODEL_CARD.md").unlink()
    with pytest.raises(BundleError, match=r"MODEL_CARD\.md cannot be read"):
        verify(small, public)
    for name in (SUMS, SIGNATURE):
        sign(small, private)
        (small / name).unlink()
        with pytest.raises(BundleUnsigned):
            signed_sums(small, public)
        (small / name).mkdir()
        with pytest.raises(BundleError, match=name):
            signed_sums(small, public)
        (small / name).rmdir()


def test_another_owners_signature_is_refused(small: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    other, _ = write_keys(tmp_path, "other")
    sign(small, other)
    with pytest.raises(BundleAltered):
        Bundle(small, keys[1])


def test_keys_that_cannot_be_used_are_named(small: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    private, public = keys
    of_another_kind = tmp_path / "ec.pem"
    ec = generate_private_key(SECP256R1())
    of_another_kind.write_bytes(ec.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for path in (public, of_another_kind, tmp_path / "none", small / "bundle.json"):
        with pytest.raises(KeyUnusable, match=path.name):
            sign(small, path)
    assert not (small / SUMS).exists()
    for path in (private, tmp_path / "none", small / "bundle.json"):
        with pytest.raises(KeyUnusable, match=path.name):
            Bundle(small, path)


def test_a_link_out_of_the_folder_is_not_signed(small: Path, keys: tuple[Path, Path]) -> None:
    (small / "weights" / "more.safetensors").symlink_to("/etc/hostname")
    with pytest.raises(BundleError, match="leaves the bundle's folder"):
        sign(small, keys[0])


def test_the_service_does_not_start_with_a_bundle_that_the_key_does_not_open(
    small: Path, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys
    monkeypatch.setattr("service.bento.api.confine", lambda _: None)
    monkeypatch.setattr("service.logs.configure", lambda: None)
    monkeypatch.setenv("CXR_BUNDLE", str(small))
    monkeypatch.setenv("CXR_BUNDLE_KEY", str(public))
    with pytest.raises(SystemExit, match=r"cannot be served\. .* is not signed"):
        prepare()
    sign(small, private)
    (small / "MODEL_CARD.md").write_text("# Card, better\n")
    with pytest.raises(SystemExit, match=r"cannot be served\. .*MODEL_CARD\.md is not the file that was signed"):
        prepare()


def test_the_commands_sign_and_verify(small: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    run = CliRunner().invoke
    refused = run(app, ["bundle", "verify", str(small), "--key", str(public)])
    assert (refused.exit_code, "is not signed" in refused.stderr) == (2, True)
    assert run(app, ["bundle", "sign", str(small), "--key", str(private)]).exit_code == 0
    verified = run(app, ["bundle", "verify", str(small), "--key", str(public)])
    assert (verified.exit_code, verified.stdout.split()[0]) == (0, "Verified:")
    (small / "onnx" / "manifest.json").unlink()
    unexported = run(app, ["bundle", "sign", str(small), "--key", str(private)])
    assert (unexported.exit_code, "run `cxr export`" in unexported.stderr) == (2, True)


@pytest.mark.skipif(not all(map(shutil.which, ("openssl", "sha256sum"))), reason="needs openssl and coreutils")
def test_common_tools_read_what_is_written(small: Path, tmp_path: Path) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    for command in (
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)],
        ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    sign(small, private)
    verify(small, public)
    pkeyutl = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    for command in (["sha256sum", "--check", "--strict", SUMS], [*pkeyutl, "-in", SUMS, "-sigfile", SIGNATURE]):
        subprocess.run(command, cwd=small, check=True, capture_output=True, env=os.environ | {"LC_ALL": "C"})
