"""An explainer that hangs or is killed by a request is replaced; only that request is affected."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from cxr.model.bundle import Bundle
from scripts.server import Server, serve
from service.bento.explainer import PATIENCE
from tests import files

pytestmark = pytest.mark.slow  # each test starts another explainer

LRP_S = 3.0


@pytest.fixture(scope="module")
def planted(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("planted") / "log"
    with serve(log, bundle.root, ("loadtests.hanging:Api",), lrp_seconds=LRP_S) as server:
        server.wait_for_explainer(files.radiograph_png())
        yield server


def explain(server: Server, method: str) -> httpx.Response:
    url, png = f"/explain?method={method}", {"Content-Type": "image/png"}
    return server.client.post(url, content=files.radiograph_png(), headers=png)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_a_hanging_request_ends_at_its_deadline_and_its_explainer_is_replaced(planted: Server) -> None:
    hung = planted.explainer()
    with ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(lambda _: explain(planted, "lrp"), range(3)))
    assert [(answer.status_code, code(answer)) for answer in answers] == [(504, "deadline_exceeded")] * 3
    psutil.wait_procs([hung], timeout=10 * PATIENCE * LRP_S)
    assert not hung.is_running()
    planted.wait_for_explainer(files.radiograph_png())
    assert planted.explainer().pid != hung.pid
    assert planted.log_text().count("Timeout (0:") == 1, "the other two never began"


def test_a_request_ends_one_explainer_and_not_the_next(planted: Server) -> None:
    old = planted.explainer()
    answer = explain(planted, "gradcam")
    assert (answer.status_code, code(answer)) == (503, "explainer_died")
    assert "Retry-After" not in answer.headers
    planted.wait_for_explainer(files.radiograph_png())
    assert not old.is_running()
    assert planted.log_text().count("lost during an explanation") == 2, "the one that hung, and this one"
