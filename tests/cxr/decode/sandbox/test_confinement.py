"""The things that a decoder process inherits from its parent, and the calls that the kernel refuses it."""

import json
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.decode import decode
from cxr.decode.sandbox import confinement, wire
from cxr.decode.sandbox.pool import Pool
from tests import files

TRIED = """
import ctypes, json, mmap, os, resource, signal, socket, subprocess
from cxr.decode.sandbox import confinement

def outcome(deed):
    try:
        deed()
    except OSError as error:
        return error.errno
    except MemoryError:
        return "memory"
    return "done"

ready, other = os.pipe()
missing = confinement.confine()
print(json.dumps({
    "missing": missing,
    "open": outcome(lambda: open("/proc/self/environ")),
    "write": outcome(lambda: open("/tmp/cxr-decoder", "w")),
    "socket": outcome(socket.socket),
    "fork": outcome(os.fork),
    "program": outcome(lambda: os.execv("/bin/true", ["/bin/true"])),
    "signal": outcome(lambda: os.kill(os.getppid(), 0)),
    "remove": outcome(lambda: os.unlink("/tmp/cxr-nothing")),
    "allocate": outcome(lambda: bytearray(1 << 20)),
    "outgrow": outcome(lambda: bytearray(2 * confinement.MEMORY)),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
}))
"""


def test_a_confined_process_computes_and_does_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", TRIED], capture_output=True, text=True, check=True)
    tried = json.loads(done.stdout)
    if tried["missing"]:
        pytest.skip("this kernel does not do it all")
    refused = ["open", "write", "socket", "fork", "program", "signal", "remove"]
    assert {deed: tried[deed] for deed in refused} == dict.fromkeys(refused, 1)  # EPERM
    assert (tried["allocate"], tried["outgrow"], tried["core"]) == ("done", "memory", [0, 0])


def test_a_machine_without_a_table_of_calls_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc64")
    assert not confinement._forbid_system_calls()


def test_a_decoder_has_no_environment_and_no_descriptor_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_API_KEYS", "a-key-that-nobody-may-see")
    with socket.socket() as listening:
        os.set_inheritable(listening.fileno(), True)
        listening.bind(("127.0.0.1", 0))
        pool = Pool(1)
        pool.decode(files.small_radiograph_dicom())
        (pid,) = pool.pids()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        links = [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()]
        pool.close()
    assert b"CXR_" not in environment
    assert b"HOME" not in environment
    # Shared memory; standard input, output and error; the socket.
    assert sorted(link.name.partition(":")[0] for link in links) == ["memfd", "null", "null", "null", "socket"]


def test_a_decoder_is_killed_first_when_memory_runs_out() -> None:
    pool = Pool(1)
    pool.decode(files.small_radiograph_dicom())
    (pid,) = pool.pids()
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n"
    pool.close()


def test_pydicom_and_the_decoders_are_only_in_the_child() -> None:
    program = (
        "import sys; from cxr.decode import decode; from pathlib import Path\n"
        "decode(Path(sys.argv[1]).read_bytes())\n"
        "print({'torch', 'pydicom', 'gdcm', 'openjpeg', 'jpeg_ls', 'rle'} & set(sys.modules))"
    )
    path = files.sample_path("RG1_UNCR.dcm")
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert done.stderr == ""


def test_the_limits_fit_each_other() -> None:
    assert wire.CPU_S < wire.DEADLINE_S
    assert decode(files.small_radiograph_dicom()).pixels.size


HEADERS = [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h")]


@pytest.mark.parametrize(("column", "header"), list(enumerate(HEADERS)), ids=["x86_64", "aarch64"])
def test_system_calls_have_the_kernels_numbers(column: int, header: Path) -> None:
    """A wrong number would allow another call, on a processor without tests. AArch64 uses the generic table."""
    if not header.exists():
        pytest.skip("needs Debian's linux-libc-dev")
    numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE))
    found = {name: numbers.get(name) for name in confinement._ALLOWED}
    # Generic tables for 64 bits leave setrlimit out; the kernel keeps its number for AArch64.
    assert found == {name: str(both[column]) for name, both in confinement._ALLOWED.items()}
