"""The spool: an accepted radiograph is answered once, wherever a process dies."""

import os
import stat
import time
from pathlib import Path

import pytest

from hospital import spool as module
from hospital.spool import FOLDERS, Spool, SpoolFull, SpoolInUse

UID = "1.2.826.0.1.3680043.8.498.1"
OBJECTS = {"sr": b"report", "sc": b"picture"}


class Died(BaseException):
    """Simulates kill -9: no code catches it."""


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", least_free=0)


def contents(spool: Spool) -> dict[str, int]:
    return {folder: spool.count(folder) for folder in FOLDERS if spool.count(folder)}


def answer_one(spool: Spool) -> None:
    job = spool.claim()
    assert job is not None
    spool.answer(job, OBJECTS)


def test_from_a_radiograph_to_a_result_that_was_sent(spool: Spool) -> None:
    spool.add(b"radiograph", UID)
    assert contents(spool) == {"new": 1}
    job = spool.claim()
    assert job is not None
    assert job.path.read_bytes() == b"radiograph"
    assert contents(spool) == {"work": 1}
    assert spool.claim() is None
    spool.answer(job, OBJECTS)
    assert contents(spool) == {"out": 1}
    (result,) = spool.results()
    assert {path.stem: path.read_bytes() for path in result.iterdir()} == OBJECTS
    spool.sent(result)
    assert contents(spool) == {"done": 1}
    spool.expire(3600)
    assert contents(spool) == {"done": 1}
    spool.expire(0)
    assert contents(spool) == {}


def test_a_refusal_is_a_note(spool: Spool) -> None:
    spool.add(b"radiograph", UID)
    job = spool.claim()
    assert job is not None
    spool.refuse(job, "lateral_view")
    assert contents(spool) == {"refused": 1}
    (note,) = (spool.root / "refused").iterdir()
    assert note.read_text() == '{"code": "lateral_view"}'


def test_the_oldest_goes_first_and_one_that_is_released_last(spool: Spool) -> None:
    for number in range(3):
        spool.add(str(number).encode(), f"{UID}.{number}")
    first = spool.claim()
    assert first is not None
    assert first.path.read_bytes() == b"0"
    spool.release(first)
    order = [job.path.read_bytes() for job in (spool.claim(), spool.claim(), spool.claim()) if job]
    assert order == [b"1", b"2", b"0"]


def test_failed_attempts_do_not_reset_a_radiographs_age(spool: Spool) -> None:
    """The alert on an unreachable service depends on this."""
    spool.add(b"radiograph", UID)
    (path,) = (spool.root / "new").iterdir()
    os.utime(path, (0, time.time() - 3600))
    for _ in range(3):
        job = spool.claim()
        assert job is not None
        spool.release(job)
    assert spool.oldest_s() > 3590


def test_the_same_instance_twice_waits_once(spool: Spool) -> None:
    spool.add(b"radiograph", UID)
    spool.add(b"radiograph", UID)
    assert contents(spool) == {"new": 1}


def test_the_same_instance_while_it_is_being_answered(spool: Spool) -> None:
    spool.add(b"radiograph", UID)
    job = spool.claim()
    assert job is not None
    spool.add(b"radiograph", UID)
    assert spool.claim() is None, "it is in work"
    spool.answer(job, OBJECTS)
    answer_one(spool)
    assert contents(spool) == {"out": 1}, "the same objects once"


def test_another_bundle_gives_another_result(spool: Spool) -> None:
    spool.add(b"radiograph", UID)
    answer_one(spool)
    spool.add(b"radiograph", UID)
    job = spool.claim()
    assert job is not None
    spool.answer(job, {"sr": b"of another bundle"})
    assert contents(spool) == {"out": 2}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("folder", ["new", "work", "out", "done"])
def test_a_process_that_dies_at_a_rename_loses_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, folder: str, after: bool
) -> None:
    move = Spool._move

    def die(self: Spool, path: Path, target: Path) -> None:
        if target.parent.name == folder:
            if after:
                move(self, path, target)
            raise Died
        move(self, path, target)

    def work(spool: Spool) -> None:
        answer_one(spool)
        for result in spool.results():
            sent.append({path.stem for path in result.iterdir()})
            spool.sent(result)

    sent: list[set[str]] = []
    monkeypatch.setattr(Spool, "_move", die)
    accepted = True
    try:
        spool.add(b"radiograph", UID)
        work(spool)
    except Died:
        accepted = folder != "new" or after
    monkeypatch.setattr(Spool, "_move", move)
    restarted = Spool(spool.root, least_free=0)
    with restarted.served():
        if not accepted:  # the router got no success, and sends again
            restarted.add(b"radiograph", UID)
        if restarted.count("new"):
            answer_one(restarted)
        for result in restarted.results():
            sent.append({path.stem for path in result.iterdir()})
            restarted.sent(result)
    assert contents(restarted) == {"done": 1}
    assert set(map(frozenset, sent)) == {frozenset(OBJECTS)}
    assert len(sent) <= 2, "at most one step is repeated"


def test_it_is_full_by_bytes_and_by_the_disk(tmp_path: Path) -> None:
    small = Spool(tmp_path / "small", most_bytes=100, least_free=0)
    small.add(bytes(60), UID)
    with pytest.raises(SpoolFull):
        small.add(bytes(60), f"{UID}.1")
    assert contents(small) == {"new": 1}
    with pytest.raises(SpoolFull):
        Spool(tmp_path / "disk", least_free=1 << 62).add(b"x", UID)


def test_only_its_owner_has_access_and_file_names_reveal_nothing(spool: Spool) -> None:
    spool.add(b"radiograph", UID)
    for path in (spool.root, *spool.root.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (waiting,) = (spool.root / "new").iterdir()
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
    assert UID not in waiting.name


def test_one_process_serves_it(spool: Spool) -> None:
    with spool.served(), pytest.raises(SpoolInUse), Spool(spool.root).served():
        pass
    with Spool(spool.root).served():
        pass


def test_old_files_in_tmp_are_deleted(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    (spool.root / "tmp" / "broken.dcm").write_bytes(b"half")
    spool.expire(0)
    assert spool.count("tmp") == 1, "a radiograph may be coming in"
    monkeypatch.setattr(module, "_ABANDONED_S", 0.0)
    spool.expire(0)
    assert spool.count("tmp") == 0


def test_figures(spool: Spool) -> None:
    assert spool.oldest_s() == 0
    spool.add(bytes(1000), UID)
    answer_one(spool)
    assert spool.bytes_waiting() == sum(map(len, OBJECTS.values()))
    assert spool.oldest_s() >= 0
