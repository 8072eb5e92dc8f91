"""A job that hangs ends its process; a job that ends in time does not."""

import subprocess
import sys

from scripts.server import REPOSITORY

BEGIN = "import sys, threading, time; from service.bento.watchdog import Watchdog; watchdog = Watchdog(sys.stdout)\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_job_that_hangs_ends_the_process_and_shows_where() -> None:
    result = run("def hang(secret):\n    with watchdog.watch(0.1):\n        time.sleep(3600)\nhang('CANARY')")
    assert result.returncode == 1
    assert "in hang" in result.stdout
    assert "CANARY" not in result.stdout


def test_also_where_the_interpreter_is_held() -> None:
    """As by a library that hangs while it holds the GIL."""
    result = run("import re\nwith watchdog.watch(0.1):\n    re.match('(a+)+$', 'a' * 64 + 'b')")
    assert result.returncode == 1


def test_jobs_that_end_in_time_end_nothing() -> None:
    result = run(
        "with watchdog.watch(3600):\n    pass\n"
        "try:\n    with watchdog.watch(0.2):\n        raise KeyError\nexcept KeyError:\n    pass\n"
        "time.sleep(0.4)\nprint('alive')"
    )
    assert result.stdout == "alive\n"


def test_the_earliest_deadline_of_several_jobs_counts() -> None:
    begin = (
        "other = watchdog.watch(3600)\nother.__enter__()\n"
        "hanging = watchdog.watch(0.1)\nhanging.__enter__()\n"
        "with watchdog.watch(3600):\n    pass\n"
    )
    assert run(begin + "time.sleep(3600)").returncode == 1
    ended = run(begin + "hanging.__exit__(None, None, None)\ntime.sleep(0.2)\nprint('alive')")
    assert ended.stdout == "alive\n"
