"""evaluation.json: all kinds of figures are read back unchanged, the file is readable, and errors name the file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cxr.errors import DataError
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from evaluation.checks import Check
from evaluation.evaluation_file import FILE, BundleEvaluation
from evaluation.figure import Figure
from evaluation.gate import GateCheck
from evaluation.maps.quality import Explanations
from evaluation.table_facts import TableFacts
from export.verify import Flip, Parity

SOME, NONE = Figure(0.5, 0.4, 0.6), Figure(None, None, None)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The default bundle's manifest in a temporary folder."""
    (tmp_path / "bundle.json").write_text((DEFAULT_BUNDLE / "bundle.json").read_text())
    return Bundle(tmp_path)


def test_every_kind_of_figure_comes_back(bundle: Bundle) -> None:
    found = BundleEvaluation(
        bundle,
        BundleEvaluation.read(Bundle(DEFAULT_BUNDLE)).splits,
        (Parity("resnet18", "float16", 3, 1e-7, 0.0, (Flip("a.png", 1e-9),)),),
        (Check("probe", "all", 20, {"accuracy": SOME, "commonest": NONE}),),
        (GateCheck("strangers", "noisy", 20, {"auroc": SOME, "let_in": SOME}),),
        (Explanations("resnet18", 300, 290, 16, "CPU", 1.0, {"lrp/lungs": NONE}),),
        TableFacts("0" * 64, {"val": {"normal": 7}}, {"val": 9}, {"here": {"normal": 7}}, ["a.png"], {"val": 3}),
    )
    found.write()
    read = BundleEvaluation.read(bundle)
    assert read == found
    lines = (bundle.root / FILE).read_text().splitlines()
    assert '    "commonest": { "value": null, "low": null, "high": null }' in lines  # one figure per line


def test_another_file_is_a_named_error(bundle: Bundle) -> None:
    assert BundleEvaluation.read(bundle).splits == {}
    for content in ("", "{}", "[]"):
        (bundle.root / FILE).write_text(content)
        with pytest.raises(DataError, match="is not an evaluation"):
            BundleEvaluation.read(bundle)
    values = json.loads((DEFAULT_BUNDLE / FILE).read_text())
    del values["splits"]["val"]["images"]
    (bundle.root / FILE).write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"is not an evaluation.*1 values"):
        BundleEvaluation.read(bundle)


def test_a_file_of_version_1_loads_equal(bundle: Bundle) -> None:
    """Version 1 calls near-duplicates `doubles`."""
    values = json.loads((DEFAULT_BUNDLE / FILE).read_text())
    values["data"]["doubles"] = values["data"].pop("near_duplicates")
    (bundle.root / FILE).write_text(json.dumps(values))
    read, shipped = BundleEvaluation.read(bundle), BundleEvaluation.read(Bundle(DEFAULT_BUNDLE))
    assert replace(read, bundle=shipped.bundle) == shipped
    assert read.data is not None
    assert read.data.near_duplicates
