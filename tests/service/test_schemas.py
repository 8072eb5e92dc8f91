"""The parts of an answer about the model and the image, without a server."""

from dataclasses import replace
from pathlib import Path

from cxr.errors import Unfamiliar
from cxr.model.bundle import Bundle, Site
from cxr.model.gate import Judgement
from service.errors import status_of
from service.schemas import classification
from tests.bundles import variant
from tests.findings import make_finding

SITE = Site(name="lakeside", images={"normal": 9}, base="random 0", base_sha256="0" * 64, labels_sha256="0" * 64)


def test_every_answer_names_the_site_of_a_recalibrated_bundle(bundle: Bundle, tmp_path: Path) -> None:
    assert classification(make_finding(), bundle, {}, "id").bundle.site is None
    recalibrated = variant(bundle, tmp_path / "lakeside", site=SITE.model_dump(), version="0-lakeside")
    answer = classification(make_finding(), recalibrated, {}, "id").bundle
    assert (answer.site, answer.version) == ("lakeside", "0-lakeside")
    assert answer.sha256 == recalibrated.sha256 != bundle.sha256


def test_the_gate_is_null_where_it_was_not_asked(bundle: Bundle) -> None:
    finding = make_finding()
    assert classification(finding, bundle, {}, "id").gate is None
    judged = replace(finding, gate=Judgement(0.02, "unfamiliar"))
    gate = classification(judged, bundle, {}, "id").gate
    assert gate is not None
    assert (gate.score, gate.verdict) == (0.02, "unfamiliar")


def test_a_refused_image_is_a_422() -> None:
    assert status_of(Unfamiliar()) == 422
