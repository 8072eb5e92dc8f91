"""Clients at once get what each gets alone."""

import asyncio

import pytest

from loadtests import concurrency
from scripts.server import Server


@pytest.mark.slow
def test_concurrent_answers_are_those_given_alone(server: Server) -> None:
    clients = {"/classify": 16, "/explain": 4}
    files = concurrency.load(None, count=1)
    tallies = asyncio.run(concurrency.main(str(server.client.base_url), clients, 10, files))
    for tally in tallies.values():
        assert len(tally.seconds) >= 10
        assert not tally.errors
        assert tally.wrong == 0
        assert tally.largest <= concurrency.TOLERANCE


def test_the_check_sees_a_wrong_answer() -> None:
    alone: concurrency.Answer = {
        "prediction": "normal",
        "prediction_set": [],
        "instance": None,
        "probabilities": {"normal": 0.5},
    }
    sample = concurrency.Sample(b"", "image/png", alone)
    for change in ({"prediction": "covid19"}, {"prediction_set": ["normal"]}, {"probabilities": {"normal": 0.5001}}):
        tally = concurrency.Tally()
        tally.judge(sample, alone)
        assert tally.wrong == 0
        tally.judge(sample, alone | change)
        assert tally.wrong == 1
