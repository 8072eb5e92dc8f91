"""One pre-processing: the same bytes give the same array in every program and on every machine."""

import asyncio
import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner

from cli import app
from cxr.anatomy.lungs import LUNG_LOGITS
from cxr.arrays import Grey, Views
from cxr.decode import decode
from cxr.errors import TooSmall
from cxr.limits import MIN_SIDE
from cxr.model import preprocess
from cxr.model.bundle import Bundle
from cxr.model.bundle_files import sha256
from cxr.model.frames import FULL, LUNGS
from cxr.model.gate import GATE_LOGIT
from cxr.model.preprocess import RECIPES, SHORT_SIDE
from cxr.model.sessions import INPUT
from cxr.pipeline import Preprocessor
from evaluation.bundle_images import bundle_images
from service.metrics import Metrics
from service.runtime import Runtime
from service.settings import Settings
from tests import files
from tests.bundles import framed
from tests.cxr.anatomy.test_zones import lungs_mask
from training import data
from training.lungs.mask_file import find_masks, load_masks, save_masks

SIZE = 224

# SHA-256 of the arrays for pydicom-data's chest radiograph. They change only with a recipe's id: otherwise a bundle
# that was trained on other pixels would silently give worse answers. The PNG has the DICOM file's own pixels.
# The hashes for the lung frame also change with the default bundle's segmenter.
OF_DICOM = {
    "clahe-1": {
        FULL: "b9aa76163ec559d949527d93db251ce5a9cdf13a2faec4bcdfb5a63a48eda312",
        LUNGS: "87fa3ef3b2322e000bcdfcb142cd3aea6008cb2bddf18df076033352e90f8ed1",
    },
    "paper-1": {
        FULL: "5634af121f10fefa2331f2292fc9d46a2e77eded7df07d98f3d2262aaf10b606",
        LUNGS: "22b74ee646e823c49e27ad9165842d9609d7333586dd01293e536b40a6759ef0",
    },
    "plain-1": {
        FULL: "348c4cd34c753c169f06a73ead357aca2c3f191beb838d62fd3aae92a7c539db",
        LUNGS: "bc6a1381eb4c020b8767a83ee2c67109fa9701a0f39e20a3710e3f93dd2864b1",
    },
}
OF_JPEG = {
    "clahe-1": {
        FULL: "a8c58dd2abcc66cd7b9e8d8b64836f486314d57afd3fe71caaac6d6808064dac",
        LUNGS: "32ce8aede450977acd56eab89dbcca9b10e822fba8d7d6534b8a4cbaf669c12c",
    },
    "paper-1": {
        FULL: "be6383f21c744642496745902a10f1de3c016f044adfbdaaf3d9239ab5223bea",
        LUNGS: "6edd662b082a8e7195237b20f51c63ae17773144f168d1e145b1b99a0356decb",
    },
    "plain-1": {
        FULL: "4ad895251f8cb2344fd70cc3ec787be00860c1ea4d14af341567f0c78448bc3e",
        LUNGS: "12b11618ee896b192c13218227f0c2cd036ea29bd996bd8427169f56ebfa8c29",
    },
}
GOLDEN = {"dicom": OF_DICOM, "png": OF_DICOM, "jpeg": OF_JPEG}
# Of the lung frame in clahe-1 with lungs drawn by a test, independent of the segmenter.
DRAWN_LUNGS = "fa907da43ccb3ae7652a88bb35a496ccdbacf940ec8583f6addc2cc0cabbe44d"
# The JPEG is encoded by the test. If this differs, the encoder has changed, not the pre-processing.
JPEG_FILE = "1a824e5c14db3726474296dcb279ed18c5c8d4d15670f28c44ea706fbd9b0cab"
VALIDATION_SPLIT = "41e40933f3ac951e333d4d4663190989f301dd5706c34cf212c326d02e0e5845"

FILES: dict[str, Callable[[], bytes]] = {
    "dicom": files.radiograph_dicom,
    "png": files.radiograph_png,
    "jpeg": files.radiograph_jpeg,
}


def digest(array: NDArray[Any]) -> str:
    assert array.dtype == np.uint8
    return sha256(array.tobytes())


def digests(views: Views) -> dict[str, str]:
    return {frame: digest(images) for frame, images in views.items()}


class RecordingSession:
    """Replaces onnxruntime's session: records a network's input batches. Lung segmenter and gate work normally."""

    seen: ClassVar[list[Grey]] = []
    real = onnxruntime.InferenceSession

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._make = partial(self.real, *arguments, **options)

    @cached_property
    def _real(self) -> Any:
        return self._make()

    def run(self, outputs: list[str], feed: dict[str, Grey]) -> Any:
        if outputs in ([LUNG_LOGITS], [GATE_LOGIT]):
            return self._real.run(outputs, feed)
        self.seen.append(feed[INPUT].copy())
        return [np.zeros((len(feed[INPUT]), 3), np.float32)]

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def write_table(folder: Path, records: list[tuple[str, str, str, str]]) -> None:
    with (folder / "metadata.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("file", "label", "patient", "split"), *records])


# --- Bit-equal everywhere


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("kind", GOLDEN)
def test_training_evaluation_command_line_and_service_prepare_the_same_golden_arrays(
    kind: str, recipe: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bundle whose first member sees the lungs, and whose second one sees the whole radiograph."""
    content, file = FILES[kind](), tmp_path / f"rg1.{kind}"
    if kind == "jpeg":
        assert sha256(content) == JPEG_FILE
    golden = GOLDEN[kind][recipe]
    mixed = framed(bundle, tmp_path / "bundle", LUNGS, FULL, recipe={"id": recipe, "size": SIZE})
    file.write_bytes(content)
    write_table(tmp_path, [(file.name, "normal", "p1", "val")])

    # training, on a machine that got the lung masks as a file
    save_masks(tmp_path / "lungs.npz", find_masks(mixed, tmp_path, [file.name]))
    masks = load_masks(tmp_path / "lungs.npz")
    for frame, expected in golden.items():
        cached = data.load(tmp_path, "val", recipe, SIZE, tmp_path / "cache", frame, masks).images
        assert cached.shape == (1, SIZE, SIZE)
        assert digest(cached) == expected

    # evaluation
    monkeypatch.setattr(data, "DEFAULT_CACHE", tmp_path / "other cache")
    assert digests(bundle_images(mixed, tmp_path, "val").views) == golden

    # the explainer
    assert digests(Preprocessor(mixed).prepare(content).views) == golden

    # command line and service: onnxruntime's input for each of the two members
    monkeypatch.setattr("onnxruntime.InferenceSession", RecordingSession)
    runtime = Runtime(Settings(bundle=mixed.root), Metrics(), None)
    for classify in (
        lambda: CliRunner().invoke(app, ["classify", str(file), "--bundle", str(mixed.root)]),
        lambda: asyncio.run(runtime.classify(runtime.served, content)),
    ):
        monkeypatch.setattr(RecordingSession, "seen", [])
        classify()
        assert [batch.shape for batch in RecordingSession.seen] == [(1, 1, SIZE, SIZE)] * 2
        assert [digest(batch) for batch in RecordingSession.seen] == [golden[LUNGS], golden[FULL]]


def test_the_lung_frame_of_given_lungs_is_golden() -> None:
    pixels = decode(files.radiograph_png()).pixels
    assert digest(preprocess.preprocess(pixels, "clahe-1", SIZE, LUNGS, lungs_mask())) == DRAWN_LUNGS


@pytest.mark.slow
@pytest.mark.skipif(not data.DEFAULT_DATA.exists(), reason="needs ../shared/data/cxr")
def test_the_whole_validation_split_is_as_on_the_training_machine(tmp_path: Path) -> None:
    images = data.load(data.DEFAULT_DATA, "val", "clahe-1", SIZE, tmp_path).images
    assert digest(images) == VALIDATION_SPLIT


@pytest.mark.parametrize("recipe", RECIPES)
def test_threads_do_not_disturb_each_other(recipe: str) -> None:
    images = [decode(files.radiograph_png()).pixels, noise((700, 300)), noise((64, 900))]
    alone = [digest(preprocess.preprocess(image, recipe, SIZE)) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: digest(preprocess.preprocess(images[i % 3], recipe, SIZE)), range(48)))
    assert together == alone * 16


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_number_of_opencvs_threads_does_not_matter(recipe: str) -> None:
    pixels = decode(files.radiograph_png()).pixels
    before = cv2.getNumThreads()
    hashes = set()
    try:
        for threads in (1, 2, 7):
            cv2.setNumThreads(threads)
            hashes.add(digest(preprocess.preprocess(pixels, recipe, SIZE)))
    finally:
        cv2.setNumThreads(before)
    assert hashes == {OF_DICOM[recipe][FULL]}


# --- Sizes


def noise(shape: tuple[int, int], seed: int = 0) -> Grey:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "seen"),
    [
        ((1955, 1841), (272, 256)),
        ((1024, 512), (512, 256)),
        ((512, 1024), (256, 512)),
        ((257, 257), (256, 256)),
        ((256, 400), (256, 400)),  # smaller images are not enlarged before the recipe
        ((255, 4000), (255, 4000)),
        ((200, 300), (200, 300)),
        ((64, 64), (64, 64)),
        ((300, 13_000), (256, 11_093)),
    ],
)
def test_the_recipe_sees_a_short_side_of_256_or_less(
    shape: tuple[int, int], seen: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []

    def probe(pixels: Grey) -> Grey:
        shapes.append(pixels.shape)
        return pixels

    monkeypatch.setitem(RECIPES, "probe", probe)
    assert preprocess.preprocess(noise(shape), "probe", SIZE).shape == (SIZE, SIZE)
    assert shapes == [seen]
    assert SHORT_SIDE == 256


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("size", [32, 224, 512])
@pytest.mark.parametrize("shape", [(64, 64), (64, 40_000), (40_000, 64), (MIN_SIDE, 257), (640, 480)])
def test_any_shape_becomes_a_contiguous_square(shape: tuple[int, int], size: int, recipe: str) -> None:
    image = noise(shape)
    before = image.copy()
    prepared = preprocess.preprocess(image, recipe, size)
    assert prepared.shape == (size, size)
    assert prepared.dtype == np.uint8
    assert prepared.flags.c_contiguous
    assert not np.shares_memory(prepared, image)
    assert np.array_equal(image, before)


@given(st.integers(MIN_SIDE, 900), st.integers(MIN_SIDE, 900))
def test_shrinking_keeps_the_ratio_and_the_mean(height: int, width: int) -> None:
    image = noise((height, width))
    shrunk = preprocess.shrink(image)
    assert min(shrunk.shape) == min(SHORT_SIDE, height, width)
    scale = min(shrunk.shape) / min(image.shape)
    assert shrunk.shape == pytest.approx((height * scale, width * scale), abs=0.5)
    assert float(shrunk.mean()) == pytest.approx(float(image.mean()), abs=0.6)


@given(st.integers(SHORT_SIDE, 400), st.integers(2, 4), st.booleans(), st.sampled_from(sorted(RECIPES)))
def test_the_files_resolution_does_not_matter(side: int, times: int, upright: bool, recipe: str) -> None:
    image = noise((side, SHORT_SIDE) if upright else (SHORT_SIDE, side))
    larger = np.kron(image, np.ones((times, times), np.uint8))
    assert np.array_equal(preprocess.preprocess(larger, recipe, 32), preprocess.preprocess(image, recipe, 32))


@pytest.mark.parametrize("shape", [(63, 64), (64, 63), (1, 5000), (5000, 1), (1, 1)])
def test_thumbnails_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(TooSmall):
        preprocess.preprocess(noise(shape), "clahe-1", SIZE)


def test_an_unknown_frame_is_refused() -> None:
    with pytest.raises(KeyError):
        preprocess.preprocess(noise((64, 64)), "clahe-1", SIZE, "lungs")


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(KeyError):
        preprocess.preprocess(noise((64, 64)), "clahe", SIZE)


@pytest.mark.parametrize("recipe", RECIPES)
def test_views_and_read_only_arrays_are_prepared_as_their_copies(recipe: str) -> None:
    image = noise((300, 400))
    for view in (image[:, ::-1], image[::2, ::3], image.T):
        expected = preprocess.preprocess(np.ascontiguousarray(view), recipe, SIZE)
        assert np.array_equal(preprocess.preprocess(view, recipe, SIZE), expected)
    frozen = image.copy()
    frozen.flags.writeable = False
    assert np.array_equal(preprocess.preprocess(frozen, recipe, SIZE), preprocess.preprocess(image, recipe, SIZE))


# --- The recipes


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_flat_image_stays_flat_within_a_grey_level(recipe: str, level: int) -> None:
    prepared = preprocess.preprocess(np.full((300, 300), level, np.uint8), recipe, SIZE)
    assert np.ptp(prepared) <= 1


@pytest.mark.parametrize("recipe", sorted(set(RECIPES) - {"plain-1"}))
def test_a_faint_image_gains_contrast(recipe: str) -> None:
    faint = (noise((300, 300)) // 16 + 100).astype(np.uint8)
    assert preprocess.preprocess(faint, recipe, 256).std() > 2 * faint.std()


def test_global_equalisation_ignores_exposure_and_the_other_recipe_does_not() -> None:
    image = noise((256, 300)) // 4
    darker, brighter = image, image + 150
    paper, paper_brighter = (preprocess.preprocess(x, "paper-1", SIZE) for x in (darker, brighter))
    clahe, clahe_brighter = (preprocess.preprocess(x, "clahe-1", SIZE) for x in (darker, brighter))
    assert np.array_equal(paper, paper_brighter)
    assert not np.array_equal(clahe, clahe_brighter)
