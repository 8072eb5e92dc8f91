"""Large images wait for each other; small ones need not wait."""

import threading
from concurrent.futures import ThreadPoolExecutor

from cxr.decode.budget import Budget


def test_only_images_that_do_not_fit_wait() -> None:
    budget, inside, may_end = Budget(100), threading.Event(), threading.Event()
    order: list[str] = []

    def large(name: str) -> None:
        with budget.hold(80):
            order.append(name)
            inside.set()
            assert may_end.wait(30)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(large, "first")
        assert inside.wait(30)
        second = threads.submit(large, "second")
        with budget.hold(20):
            order.append("small")
        may_end.set()
        first.result(30)
        second.result(30)
    assert order == ["first", "small", "second"]


def test_room_comes_back_after_an_error() -> None:
    budget = Budget(10)
    for _ in range(2):
        try:
            with budget.hold(10):
                raise KeyError
        except KeyError:
            pass
