"""Damaged files of every format are either decoded or refused."""

import secrets

import pytest

from tests.fuzzing.run import MUTATORS, file, fuzz


@pytest.mark.slow
def test_a_minute_of_damaged_files() -> None:
    """A new seed each time. It is printed on failure; `tests.fuzzing.run.file` makes the file again from it."""
    report = fuzz(secrets.randbits(32), seconds=60)
    print(report)
    assert report.wrong == []
    assert all(outcomes.total() > 20 and outcomes["decoded"] for outcomes in report.outcomes.values())


def test_some_damaged_files_of_a_seed() -> None:
    report = fuzz(seed=1, files=90)
    assert report.wrong == []


def test_a_run_can_be_repeated() -> None:
    for number, name in enumerate(MUTATORS):
        assert file(7, number) == file(7, number)
        assert file(7, number)[0] == name
        assert file(7, number) != file(8, number)
