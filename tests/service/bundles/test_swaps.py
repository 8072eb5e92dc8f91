"""Fifty bundle swaps under load: no request fails, and each answer, including maps, comes from the bundle it names."""

import time
from pathlib import Path

import pytest

from loadtests.chaos import Load
from loadtests.golden import following_requests
from loadtests.samples import radiographs
from loadtests.year.bundles import Shelf
from scripts.server import serve

SWAPS = 50
PNG = {"Content-Type": "image/png"}
RETURN_S = 120.0


@pytest.mark.slow
def test_fifty_swaps_under_load_lose_nothing_and_confuse_nothing(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    asked = following_requests(radiographs(2), shelf.bundles)
    png = next(request.sample.data for request in asked if request.sample.media_type == "image/png")
    with serve(tmp_path / "log", shelf.current) as server:
        server.wait_for_explainer(png)
        with Load(str(server.client.base_url), asked) as load:
            for _ in range(SWAPS):
                wanted, end = shelf.swap().sha256, time.monotonic() + RETURN_S
                while server.client.post("/classify", content=png, headers=PNG).json()["bundle"]["sha256"] != wanted:
                    assert time.monotonic() < end, server.log_text()[-4000:]
                    time.sleep(0.1)
        text = server.client.get("/metrics").text
    assert f"cxr_bundle_swaps_total {SWAPS}.0" in text
    assert "cxr_failed_bundle_swaps_total 0.0" in text
    assert [(reply.request.route, reply.status, reply.error) for reply in load.replies if not reply.right] == []
    assert {reply.request.route for reply in load.replies} == {"/classify", "/explain"}
    assert len(load.replies) > SWAPS
