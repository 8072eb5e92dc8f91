"""Decoders that crash, hang, exceed memory or vanish affect one file only."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from cxr.decode import decode
from cxr.decode.dicom.acceptance import decode_dicom
from cxr.decode.sandbox import wire
from cxr.decode.sandbox.pool import Pool, decoders
from cxr.errors import DecoderCrashed, DecoderUnavailable, DecodingTooLarge, DecodingTooSlow, NotDecodable
from tests import files

GOOD = files.small_radiograph_dicom()


@pytest.fixture(scope="module")
def shared_pool() -> Iterator[Pool]:
    pool = Pool(1)
    yield pool
    pool.close()


@pytest.fixture
def pool(shared_pool: Pool) -> Pool:
    """A single decoder, warm."""
    shared_pool.warm()
    return shared_pool


def signalled(pool: Pool, number: signal.Signals) -> int:
    (pid,) = pool.pids()
    os.kill(pid, number)
    return pid


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only its id is left."""
    try:
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def wait_for_end(pid: int) -> None:
    for _ in range(1000):
        if has_ended(pid):
            return
        time.sleep(0.01)
    pytest.fail("it did not end")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_pixels_are_those_of_the_decoder(pool: Pool) -> None:
    there, here = pool.decode(GOOD), decode_dicom(GOOD)
    assert np.array_equal(there.pixels, here.pixels)
    assert there.without_pixels().__repr__() == here.without_pixels().__repr__()
    assert there.pixels.flags.c_contiguous
    assert there.pixels.flags.writeable


def test_one_decoder_decodes_one_file_after_another(pool: Pool) -> None:
    before = pool.pids()
    for _ in range(3):
        pool.decode(GOOD)
        pool.decode(files.large_radiograph_dicom())
    assert pool.pids() == before


def test_a_parent_whose_sockets_do_not_block_has_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """For example with a default timeout, or in locust, where gevent patches all sockets."""
    real = socket.socketpair
    monkeypatch.setattr(socket, "socketpair", lambda *kinds: _without_blocking(*real(*kinds)))
    pool = Pool(1)
    try:
        pool.decode(files.small_radiograph_dicom())
        before = pool.pids()
        time.sleep(0.3)  # both decoders wait for their next file meanwhile
        pool.decode(files.small_radiograph_dicom())
        assert pool.pids() == before
    finally:
        pool.close()


def _without_blocking(ours: socket.socket, theirs: socket.socket) -> tuple[socket.socket, socket.socket]:
    theirs.setblocking(False)
    return ours, theirs


def test_a_decoder_that_hangs_is_killed_at_the_deadline(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "DEADLINE_S", 0.3)
    hung = signalled(pool, signal.SIGSTOP)
    with pytest.raises(DecodingTooSlow):
        pool.decode(GOOD)
    wait_for_end(hung)
    monkeypatch.undo()
    assert pool.decode(GOOD).pixels.shape == (268, 220)


def test_a_file_that_kills_its_decoder_is_refused(pool: Pool) -> None:
    stopped = signalled(pool, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.decode, GOOD)
        time.sleep(0.2)  # the decoder has the file now
        assert not waiting.done()
        os.kill(stopped, signal.SIGKILL)
        with pytest.raises(DecoderCrashed):
            waiting.result()
    assert pool.decode(GOOD).pixels.shape == (268, 220)


def test_a_decoder_that_used_up_its_processor_time_was_too_slow(pool: Pool) -> None:
    stopped = signalled(pool, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(pool.decode, GOOD)
        time.sleep(0.2)
        os.kill(stopped, signal.SIGXCPU)  # as the kernel does at the limit
        os.kill(stopped, signal.SIGCONT)
        with pytest.raises(DecodingTooSlow):
            waiting.result()


def test_a_file_survives_a_decoder_that_had_died_before(pool: Pool) -> None:
    wait_for_end(signalled(pool, signal.SIGKILL))
    assert pool.decode(GOOD).pixels.shape == (268, 220)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_service_that_stops_still_decodes_accepted_files(pool: Pool, stop: signal.Signals) -> None:
    """Its supervisor sends the signal to all its children."""
    pid = signalled(pool, stop)
    assert pool.decode(files.small_radiograph_dicom()).pixels.any()
    assert pool.pids() == [pid]


def test_a_file_that_outgrows_the_limit_is_refused() -> None:
    colours = np.zeros((6_300, 6_340, 3), np.uint8)
    colours[:3000] = 77
    data = files.compressed(files.synthetic_dicom(colours, PhotometricInterpretation="YBR_FULL"), uid.RLELossless)
    assert len(data) < 2_000_000
    with pytest.raises(DecodingTooLarge):
        decode(data)


def test_a_damaged_file_is_a_decoders_last(pool: Pool) -> None:
    before = pool.pids()
    with pytest.raises(NotDecodable):
        pool.decode(GOOD[:400] + bytes(len(GOOD) - 400))
    pool.decode(GOOD)
    assert pool.pids() != before


def test_a_dead_fork_server_is_replaced(pool: Pool) -> None:
    (decoder,) = pool.pids()
    (server,) = (int(line.split()[1]) for line in _status(decoder) if line.startswith("PPid"))
    os.kill(server, signal.SIGKILL)
    wait_for_end(decoder)  # the decoder dies with its fork server
    assert pool.decode(GOOD).pixels.shape == (268, 220)


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


def test_files_are_not_mixed_up_between_threads() -> None:
    bodies = [files.synthetic_dicom(np.arange(6400, dtype=np.uint16).reshape(80, 80)[:, ::step]) for step in (1, 2, -1)]
    expected = [decode_dicom(body).pixels for body in bodies]
    with ThreadPoolExecutor(8) as threads:
        for index, radiograph in enumerate(threads.map(decode, bodies * 20)):
            assert np.array_equal(radiograph.pixels, expected[index % 3])
    assert len(decoders().pids()) <= decoders().size


def test_no_descriptor_and_no_process_is_left_behind() -> None:
    decode(GOOD)
    before = open_descriptors()
    pool = Pool(2)
    pool.warm()
    pids = pool.pids()
    with pytest.raises(NotDecodable):
        pool.decode(GOOD[:400] + bytes(len(GOOD) - 400))
    pool.close()
    assert open_descriptors() == before
    for pid in pids:
        wait_for_end(pid)


def test_shared_memory_is_given_back_after_a_large_file(pool: Pool) -> None:
    (decoder,) = pool._decoders
    pool.decode(files.large_radiograph_dicom())
    assert os.fstat(decoder._memory).st_blocks > 0
    pool.decode(files.synthetic_dicom(np.arange(20_000_000, dtype=np.uint16).reshape(4_000, 5_000)))
    assert os.fstat(decoder._memory).st_blocks == 0


def test_if_no_decoder_starts_it_is_the_services_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    pool = Pool(1)
    for _ in range(2):
        with pytest.raises(DecoderUnavailable):
            pool.decode(GOOD)
    pool.close()


PARENT = """
import sys, time
from cxr.decode.sandbox.pool import decoders
pool = decoders()
pool.warm()
print(*pool.pids(), flush=True)
time.sleep(60)
"""


def test_decoders_die_with_their_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = list(map(int, parent.stdout.readline().split()))
        assert pids
        assert not any(map(has_ended, pids))
        parent.kill()
    for pid in pids:
        wait_for_end(pid)


FORK = """
import os, sys
from cxr.decode import decode
from cxr.decode.sandbox.pool import decoders
from tests import files
data = files.small_radiograph_dicom()
expected = decode(data).pixels.tobytes()
pids = decoders().pids()
if child := os.fork():
    same = [decode(data).pixels.tobytes() == expected for _ in range(20)]
    print(all(same), os.waitpid(child, 0)[1], decoders().pids() == pids)
else:
    same = [decode(data).pixels.tobytes() == expected for _ in range(20)]
    apart = not set(decoders().pids()) & set(pids)
    decoders().close()
    os._exit(0 if all(same) and apart else 1)
"""


def test_a_fork_of_the_parent_has_decoders_of_its_own() -> None:
    """Data loader workers also decode."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "True 0 True\n"
    assert done.stderr == ""
