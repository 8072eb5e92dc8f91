"""Bundles: a folder that differs from its manifest in any way is refused, with an error that names the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cxr.errors import BundleError
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle, Manifest, Recipe, onnx_name
from cxr.model.bundle_files import sha256
from cxr.model.frames import FRAMES, FULL, LUNGS
from tests.bundles import framed, variant

Json = dict[str, Any]


def test_a_whole_bundle_is_read_as_it_is(bundle: Bundle) -> None:
    first, second = bundle.manifest.members
    assert (first.architecture, second.architecture) == ("resnet18", "vgg16_bn")
    assert bundle.explainer is first
    assert bundle.manifest.labels == LABELS
    for member in (first, second):
        assert bundle.read_weights(member) == (bundle.root / "weights" / member.weights).read_bytes()
        name = onnx_name(member, "float16")
        assert bundle.read_onnx(member, "float16") == (bundle.root / "onnx" / name).read_bytes()


def test_a_manifest_survives_being_written_and_cannot_be_changed(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(bundle.manifest.model_dump_json())
    assert Bundle(tmp_path).manifest == bundle.manifest
    with pytest.raises(ValidationError):
        bundle.manifest.temperature = 1.0


def test_what_has_a_file_in_weights_is_listed(bundle: Bundle, tmp_path: Path) -> None:
    manifest = bundle.manifest
    assert manifest.stored == (*manifest.members, manifest.lungs, manifest.gate)
    bare = variant(bundle, tmp_path / "bare", gate=None)
    assert bare.manifest.stored == (*manifest.members, manifest.lungs)


@pytest.mark.parametrize(("name", "legal"), [("x" * 64, True), ("x" * 65, False), ("a.b_c-1", True), ("-a", False)])
def test_a_name_is_short_and_of_small_letters(bundle: Bundle, name: str, legal: bool) -> None:
    fields = bundle.manifest.model_dump(mode="json") | {"name": name}
    if legal:
        assert Manifest.model_validate_json(json.dumps(fields)).name == name
    else:
        with pytest.raises(ValidationError):
            Manifest.model_validate_json(json.dumps(fields))


@pytest.mark.parametrize("threshold", [-0.01, 1.01])
def test_a_threshold_is_a_probability(bundle: Bundle, threshold: float) -> None:
    fields = bundle.manifest.model_dump(mode="json")
    fields["gate"]["threshold"] = threshold
    with pytest.raises(ValidationError):
        Manifest.model_validate_json(json.dumps(fields))


def test_the_explainer_need_not_be_the_first(bundle: Bundle, tmp_path: Path) -> None:
    second = bundle.manifest.members[1]
    assert variant(bundle, tmp_path / "bundle", explainer=second.name).explainer.name == second.name


def test_sha256_of_the_standards_example() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- bundle.json


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}"])
def test_no_manifest_or_a_malformed_one_is_named(copy: Path, content: bytes | None) -> None:
    path = copy / "bundle.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        Bundle(copy)
    assert str(path) in str(caught.value)


def without(*keys: str) -> Callable[[Json], None]:
    def change(manifest: Json) -> None:
        for key in keys:
            del manifest[key]

    return change


def with_(**values: object) -> Callable[[Json], None]:
    return lambda manifest: manifest.update(values)


def member(**values: object) -> Callable[[Json], None]:
    return lambda manifest: manifest["members"][0].update(values)


def recipe(**values: object) -> Callable[[Json], None]:
    return lambda manifest: manifest["recipe"].update(values)


def thresholds(**values: object) -> Callable[[Json], None]:
    return lambda manifest: manifest["conformal"]["thresholds"].update(values)


def one_threshold_less(manifest: Json) -> None:
    del manifest["conformal"]["thresholds"]["covid19"]


def twins(manifest: Json) -> None:
    manifest["members"][1]["name"] = manifest["members"][0]["name"]


def lungs_without_a_segmenter(manifest: Json) -> None:
    manifest["members"][1]["frame"] = "lungs-1"
    manifest["lungs"] = None


INVALID: dict[str, Callable[[Json], None]] = {
    "schema 0": with_(schema_version=0),
    "schema 3": with_(schema_version=3),
    "schema as text": with_(schema_version="2"),
    "schema 1 as text": with_(schema_version="1"),
    "schema true": with_(schema_version=True),
    "schema 1.0": with_(schema_version=1.0),
    "schema 1 with a frame of a member": with_(schema_version=1),
    "schema 1 with members that are none": with_(schema_version=1, members=3),
    "schema 1 with a member that is none": with_(schema_version=1, members=["resnet18"]),
    "no schema": without("schema_version"),
    "labels reordered": with_(labels=["normal", "covid19", "pneumonia"]),
    "a label missing": with_(labels=["normal", "pneumonia"]),
    "another label": with_(labels=["normal", "pneumonia", "tuberculosis"]),
    "a fourth label": with_(labels=[*LABELS, "covid19"]),
    "another recipe": recipe(id="clahe-2"),
    "a recipe without version": recipe(id="clahe"),
    "no size": recipe(size=0),
    "huge size": recipe(size=4096),
    "fractional size": recipe(size=224.5),
    "another frame": member(frame="lungs-2"),
    "a frame without version": member(frame="lungs"),
    "a member without a frame": lambda manifest: manifest["members"][0].pop("frame"),
    "a frame for all in schema 2": with_(frame=FULL),
    "a frame of lungs without a segmenter": lungs_without_a_segmenter,
    "a head that is neither here nor not": member(opacity_head="yes"),
    "no members": with_(members=[]),
    "twins": twins,
    "unknown explainer": with_(explainer="resnet18-7"),
    "unknown rule": with_(ensemble="mean"),
    "a threshold less": one_threshold_less,
    "a threshold more": thresholds(tuberculosis=0.1),
    "a threshold that is no number": thresholds(normal=float("nan")),
    "coverage over 1": with_(conformal={"coverage": 1.5, "thresholds": dict.fromkeys(LABELS, 0.5)}),
    "no conformal": without("conformal"),
    "no temperature": without("temperature"),
    "temperature 0": with_(temperature=0.0),
    "negative temperature": with_(temperature=-1.0),
    "infinite temperature": with_(temperature=float("inf")),
    "temperature nan": with_(temperature=float("nan")),
    "temperature that makes all certain": with_(temperature=1e-300),
    "temperature that makes all alike": with_(temperature=1e308),
    "coverage 1": with_(conformal={"coverage": 1.0, "thresholds": dict.fromkeys(LABELS, 0.5)}),
    "coverage of chance": with_(conformal={"coverage": 0.1, "thresholds": dict.fromkeys(LABELS, 0.5)}),
    "a threshold below 0": thresholds(normal=-5.0),
    "a threshold beyond 1": thresholds(normal=1e300),
    "a hundred members": lambda manifest: with_(
        members=[manifest["members"][0] | {"name": f"m{index}"} for index in range(100)], explainer="m0"
    )(manifest),
    "an unknown architecture": member(architecture="alexnet"),
    "cycle 0": member(cycle=0),
    "a validation figure that is none": member(validation={"macro_f1": float("nan")}),
    "no hash": member(sha256=""),
    "hash in capitals": member(sha256="A" * 64),
    "no training hash": without("training_manifest_sha256"),
    "unknown field": with_(comment="hello"),
    "unknown field of a member": member(url="http://example.org"),
    "name with a path": with_(name="../other"),
    "member's name with a path": member(name="../weights/x"),
    "member's name with a newline": member(name="a\n"),
    "endless name": with_(name="a" * 65),
}
OUTSIDE = ["../bundle.json", "/etc/passwd", "a/b", "a\\b", "..", ".", "", ".hidden", "a\n", "a\0", "~", "C:x"]


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_manifest_is_refused_and_named(copy: Path, name: str) -> None:
    path = copy / "bundle.json"
    manifest = json.loads(path.read_text())
    INVALID[name](manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError) as caught:
        Bundle(copy)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("weights", OUTSIDE)
def test_weights_cannot_lie_outside_their_folder(bundle: Bundle, tmp_path: Path, weights: str) -> None:
    members = [bundle.manifest.members[0].model_dump() | {"weights": weights}]
    with pytest.raises(BundleError, match=r"bundle\.json"):
        variant(bundle, tmp_path / "bundle", members=members)


def of_schema_1(bundle: Bundle, **changes: object) -> Json:
    """A manifest as in versions 1 and 2: the frame is in the manifest itself, or missing."""
    manifest = json.loads(bundle.manifest.model_dump_json(exclude={"calibrated_on"}))
    for one in manifest["members"]:
        del one["frame"], one["opacity_head"]
    return dict(manifest | {"schema_version": 1} | changes)


@pytest.mark.parametrize(("stated", "frame"), [({}, FULL), ({"frame": FULL}, FULL), ({"frame": LUNGS}, LUNGS)])
def test_a_bundle_of_schema_1_shows_all_members_one_frame(copy: Path, stated: Json, frame: str) -> None:
    before = Bundle(copy)
    (copy / "bundle.json").write_text(json.dumps(of_schema_1(before, **stated)))
    manifest = Bundle(copy).manifest
    assert manifest.frames == (frame,)
    assert manifest.schema_version == 2
    members = [one.model_copy(update={"frame": frame, "opacity_head": False}) for one in before.manifest.members]
    assert manifest == before.manifest.model_copy(update={"members": tuple(members)})


def test_the_shipped_bundle_is_read_whatever_its_schema() -> None:
    assert Bundle(DEFAULT_BUNDLE).manifest.schema_version == 2


@pytest.mark.parametrize("stated", [{"frame": "lungs"}, {"frame": LUNGS, "lungs": None}, {"frame": 3}])
def test_an_impossible_frame_is_refused_in_schema_1_too(copy: Path, stated: Json) -> None:
    (copy / "bundle.json").write_text(json.dumps(of_schema_1(Bundle(copy), **stated)))
    with pytest.raises(BundleError, match="frame"):
        Bundle(copy)


@pytest.mark.parametrize("frame", FRAMES)
def test_every_registered_frame_is_accepted(bundle: Bundle, tmp_path: Path, frame: str) -> None:
    assert framed(bundle, tmp_path / "bundle", frame, frame).manifest.frames == (frame,)


def test_frames_are_named_once_in_the_members_order(bundle: Bundle, tmp_path: Path) -> None:
    mixed = framed(bundle, tmp_path / "bundle", LUNGS, FULL).manifest
    assert (mixed.frames, mixed.sees_lungs) == ((LUNGS, FULL), True)
    assert (bundle.manifest.frames, bundle.manifest.sees_lungs) == ((FULL,), False)


def test_every_registered_recipe_is_accepted() -> None:
    assert Recipe(id="clahe-1", size=224) != Recipe(id="paper-1", size=224)


def test_a_duplicate_key_is_refused(copy: Path) -> None:
    """Readers differ in which of two equal keys they use, so the reviewed value might not be the used one."""
    path = copy / "bundle.json"
    path.write_text('{"temperature": 3.0, ' + path.read_text().lstrip("{ \n"))
    with pytest.raises(BundleError, match="twice") as caught:
        Bundle(copy)
    assert str(path) in str(caught.value)


def test_json_that_is_nested_without_end_is_refused(copy: Path) -> None:
    (copy / "bundle.json").write_text("[" * 200_000)
    with pytest.raises(BundleError, match="not valid"):
        Bundle(copy)
