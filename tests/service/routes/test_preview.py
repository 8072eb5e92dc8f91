"""POST /preview on the live server: the core's values, in the layout that its headers describe."""

from collections.abc import Callable

import numpy as np
import pytest

from cxr.decode import preview
from scripts.server import Server
from tests import files
from tests.service.forms import FORM, form


@pytest.mark.parametrize("build", [files.radiograph_dicom, files.radiograph_png, files.radiograph_jpeg])
def test_the_values_of_the_core(server: Server, build: Callable[[], bytes]) -> None:
    data = build()
    answer, expected = server.client.post("/preview", content=data), preview(data)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    shape = (int(answer.headers["Image-Height"]), int(answer.headers["Image-Width"]))
    assert np.array_equal(np.frombuffer(answer.content, "<u2").reshape(shape), expected.values)
    assert int(answer.headers["Image-Scale"]) == expected.scale
    assert int(answer.headers["Image-Orientation"]) == expected.turned
    assert answer.headers["Image-Inverted"] == str(expected.inverted).lower()
    assert float(answer.headers["Window-Low"]) == expected.low
    assert float(answer.headers["Window-High"]) == expected.high


def test_a_form_does_too(server: Server) -> None:
    data = files.small_radiograph_dicom()
    raw = server.client.post("/preview", content=data)
    answer = server.client.post("/preview", content=form(data), headers={"Content-Type": FORM})
    assert answer.content == raw.content


def test_it_is_described(server: Server) -> None:
    operation = server.client.get("/docs.json").json()["paths"]["/preview"]["post"]
    answer = operation["responses"]["200"]
    assert set(answer["content"]) == {"application/octet-stream"}
    assert len(answer["headers"]) == 7
    assert {"400", "401", "413", "415", "422", "429", "504"} <= set(operation["responses"])
