"""The files of a bundle: altered, missing or mismatched files are refused, with an error that names the file."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from cxr.errors import BundleError
from cxr.model import bundle_files
from cxr.model.bundle import Bundle, onnx_name
from cxr.model.bundle_files import read_verified, sha256
from cxr.model.inference import Ensemble
from tests.bundles import variant


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def test_altered_or_missing_weights_are_named(copy: Path) -> None:
    bundle = Bundle(copy)
    for member in bundle.manifest.members:
        path = copy / "weights" / member.weights
        flip_a_bit(path)
        with pytest.raises(BundleError, match="SHA-256 differs") as altered:
            bundle.read_weights(member)
        path.unlink()
        with pytest.raises(BundleError, match="cannot be read") as missing:
            bundle.read_weights(member)
        assert all(str(path) in str(caught.value) for caught in (altered, missing))


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("index", [0, 1])
def test_altered_or_missing_graphs_are_named(copy: Path, index: int, precision: Any) -> None:
    bundle = Bundle(copy)
    member = bundle.manifest.members[index]
    path = copy / "onnx" / onnx_name(member, precision)
    flip_a_bit(path)
    with pytest.raises(BundleError, match="SHA-256 differs") as altered:
        bundle.read_onnx(member, precision)
    path.unlink()
    with pytest.raises(BundleError, match="cannot be read") as missing:
        bundle.read_onnx(member, precision)
    assert all(str(path) in str(caught.value) for caught in (altered, missing))


def test_an_altered_graph_never_reaches_onnxruntime(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle(copy)
    for precision in ("float32", "float16"):
        flip_a_bit(copy / "onnx" / f"{bundle.manifest.members[0].name}.{precision}.onnx")
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(BundleError):
        Ensemble(bundle)


def test_graphs_of_other_weights_are_refused(copy: Path) -> None:
    """The bundle was trained again but not exported again."""
    path = copy / "bundle.json"
    manifest = json.loads(path.read_text())
    new_weights = b"trained again"
    (copy / "weights" / "again.safetensors").write_bytes(new_weights)
    manifest["members"][0] |= {"weights": "again.safetensors", "sha256": sha256(new_weights)}
    path.write_text(json.dumps(manifest))
    bundle = Bundle(copy)
    first, second = bundle.manifest.members
    assert bundle.read_weights(first) == new_weights
    with pytest.raises(BundleError, match="run `cxr export`") as caught:
        bundle.read_onnx(first, "float32")
    assert str(copy / "onnx" / onnx_name(first, "float32")) in str(caught.value)
    bundle.read_onnx(second, "float32")


def test_a_new_temperature_needs_no_new_export(bundle: Bundle, tmp_path: Path) -> None:
    warmer = variant(bundle, tmp_path / "bundle", temperature=2.5)
    assert warmer.manifest.temperature == 2.5
    for member in warmer.manifest.members:
        assert warmer.read_onnx(member, "float32") == bundle.read_onnx(member, "float32")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "run `cxr export`"),
        (b"{", "not valid"),
        (b"{}", "not valid"),
        (b'{"files": {"../x.onnx": {"sha256": "%s", "weights_sha256": "%s"}}}' % (b"0" * 64, b"0" * 64), "not valid"),
        (b'{"files": {"x.onnx": {"sha256": "%s"}}}' % (b"0" * 64), "not valid"),
        (b'{"files": {}}', "run `cxr export`"),
    ],
    ids=["missing", "truncated", "empty", "outside", "no weights", "no entry"],
)
def test_a_bad_export_manifest_is_refused(copy: Path, content: bytes | None, message: str) -> None:
    path = copy / "onnx" / "manifest.json"
    path.unlink() if content is None else path.write_bytes(content)
    bundle = Bundle(copy)
    with pytest.raises(BundleError, match=message) as caught:
        bundle.read_onnx(bundle.manifest.members[0], "float32")
    assert str(copy / "onnx") in str(caught.value)


# --- Other kinds of files


def replaced(copy: Path) -> tuple[Bundle, Path]:
    """A bundle, and the path of its first member's weights, which were removed."""
    bundle = Bundle(copy)
    path = copy / "weights" / bundle.manifest.members[0].weights
    path.unlink()
    return bundle, path


@pytest.mark.parametrize("target", ["/dev/full", "/dev/zero", "../../outside", "nowhere", "weights-loop"])
def test_a_link_out_of_the_bundle_is_refused(copy: Path, target: str) -> None:
    bundle, path = replaced(copy)
    (copy.parent / "outside").write_bytes(b"")
    if target == "weights-loop":
        target = path.name
    path.symlink_to(target)
    with pytest.raises(BundleError, match=r"link|cannot be read") as caught:
        bundle.read_weights(bundle.manifest.members[0])
    assert str(path) in str(caught.value)


def test_a_bundle_that_is_itself_a_link_is_read(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(copy)
    bundle = Bundle(tmp_path / "current")
    assert bundle.read_weights(bundle.manifest.members[0])


def test_a_pipe_or_a_folder_is_refused_at_once(copy: Path) -> None:
    bundle, path = replaced(copy)
    os.mkfifo(path)
    with pytest.raises(BundleError, match="not a regular file"):
        bundle.read_weights(bundle.manifest.members[0])
    path.unlink()
    path.mkdir()
    with pytest.raises(BundleError, match=r"not a regular file|cannot be read"):
        bundle.read_weights(bundle.manifest.members[0])


def test_a_file_of_implausible_size_is_refused_before_it_is_read(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, path = replaced(copy)
    with path.open("wb") as file:
        file.truncate(bundle_files.MAX_NETWORK_BYTES + 1)  # a sparse file: it takes no space on the disk
    monkeypatch.setattr("cxr.model.bundle_files.sha256", lambda _: pytest.fail("it was read"))
    with pytest.raises(BundleError, match="no file of its kind"):
        bundle.read_weights(bundle.manifest.members[0])
    (copy / "bundle.json").write_bytes(b" " * (bundle_files.MAX_JSON_BYTES + 1))
    with pytest.raises(BundleError, match="no file of its kind"):
        Bundle(copy)


@pytest.mark.slow
def test_no_flipped_bit_and_no_cut_is_missed(bundle: Bundle, tmp_path: Path) -> None:
    """A thousand flips and a thousand cuts of every hashed file, at random places."""
    rng = random.Random(0)
    hashed = [(bundle.root / "weights" / member.weights, member.sha256) for member in bundle.manifest.members]
    hashed += [(bundle.root / "onnx" / name, entry.sha256) for name, entry in bundle.onnx.files.items()]
    altered = tmp_path / "altered"
    for original, expected in hashed:
        data = original.read_bytes()
        assert read_verified(bundle.root, original, expected) == data
        size = min(len(data), 1 << 16)  # only the beginning: hashing the rest 2,000 times adds nothing
        short = data[:size]
        for _ in range(1000):
            place = rng.randrange(size)
            flipped = bytearray(short)
            flipped[place] ^= 1 << rng.randrange(8)
            for content in (bytes(flipped), short[:place]):
                altered.write_bytes(content)
                with pytest.raises(BundleError, match="SHA-256 differs"):
                    read_verified(tmp_path, altered, sha256(short))
