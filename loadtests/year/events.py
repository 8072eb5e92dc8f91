"""The events of a year. Each returns when the service works again as it should, or raises `Fault`."""

import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from loadtests.golden import GoldenRequest
from loadtests.year.bundles import Shelf
from loadtests.year.clients import KeyRing
from scripts.server import Server

RETURN_S: Final = 180.0
FOLLOWED_S: Final = 3.0  # the file of keys is read every second
DISK_FULL_S: Final = 10.0
CLOCK_STEPS: Final = ("+3600s", "-86400s", "+31536000s", "+0s")
"""An hour ahead, a day back, a year ahead, and the true time again, in libfaketime's format."""


class Fault(Exception):
    """The service failed a requirement. The message names it."""


@dataclass(frozen=True)
class World:
    """A running service and what its operator controls.

    keys:     the service's keys, and the one that clients use
    disk:     folder of its log and its temporary files; a small file system of its own if one can be mounted
    clock:    the file that libfaketime reads; None without it
    probe:    for each route, a request whose answer shows that its worker is alive
    """

    server: Server
    shelf: Shelf
    keys: KeyRing
    disk: Path
    clock: Path | None
    probe: dict[str, GoldenRequest]

    def ask(self, route: str = "/classify", key: str | None = None) -> httpx.Response | None:
        """One answer; None if the connection broke."""
        sample = self.probe[route].sample
        headers = {"Content-Type": sample.media_type, "X-API-Key": key or self.keys.current}
        try:
            return self.server.client.post(route, content=sample.data, headers=headers)
        except httpx.HTTPError:
            return None

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Return when the condition holds. Raises Fault if it does not hold within `RETURN_S` seconds."""
        end = time.monotonic() + RETURN_S
        while not holds():
            if time.monotonic() > end:
                raise Fault(f"{what} within {RETURN_S:.0f} s")
            time.sleep(0.5)


def swap(world: World) -> None:
    """Replace the link, and wait for answers of the other bundle."""
    bundle = world.shelf.swap()

    def served() -> bool:
        answer = world.ask()
        named = answer.json()["bundle"]["sha256"] if answer is not None and answer.status_code == 200 else ""
        return bool(named == bundle.sha256)

    world.wait(served, "a new bundle was not served")


def rotate_keys(world: World) -> None:
    """Add a new key, switch the clients to it, and remove the old one. The old one must then be refused."""
    keys, old, new = world.keys, world.keys.current, secrets.token_hex(16)
    keys.open_to(old, new)
    time.sleep(FOLLOWED_S)
    keys.current = new
    time.sleep(FOLLOWED_S)  # for requests that were sent with the old key
    keys.open_to(new)

    def refused() -> bool:
        answer = world.ask(key=old)
        return answer is not None and answer.status_code == 403

    world.wait(refused, "an old key was not refused")


def kill(worker: str, route: str) -> Callable[[World], None]:
    """Kill a worker with SIGKILL, and wait until the next one answers."""

    def event(world: World) -> None:
        process = world.server.worker(worker)
        process.send_signal(signal.SIGKILL)
        world.wait(lambda: not process.is_running(), f"a dead {worker} was not removed")
        world.wait(partial(_answers, world, route), f"no {worker} answered again")

    return event


def rotate_log(world: World) -> None:
    """Rotate as logrotate's copytruncate does: copy the log and truncate it. The next request must be logged."""
    log = world.server.log
    shutil.copy(log, log.with_suffix(".1"))
    with log.open("r+b") as file:
        file.truncate()

    def logged() -> bool:
        world.ask()
        return log.stat().st_size > 0 and not log.read_bytes().startswith(b"\0")

    world.wait(logged, "nothing was logged after a rotation")


def step_clock(world: World, step: str) -> None:
    """Set the clock of all the service's processes at once. Their monotonic clock continues, as in a real step."""
    if world.clock is None:
        raise Fault("libfaketime is not installed")
    world.clock.write_text(step)
    see_right_answers(world)


def fill_disk(world: World) -> None:
    """Fill the disk of log and temporary files for a while, and replace the bundle meanwhile."""
    filler = world.disk / "filler"
    full = subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True, check=False)
    try:
        if b"No space left" not in full.stderr:
            raise Fault("the disk did not fill up")
        time.sleep(DISK_FULL_S)
        swap(world)
    finally:
        filler.unlink(missing_ok=True)
    see_right_answers(world)


def see_right_answers(world: World) -> None:
    """Require status 200 on each route. The clients check whether answers are golden."""
    for route in world.probe:
        world.wait(partial(_answers, world, route), f"{route} did not answer")


def _answers(world: World, route: str) -> bool:
    answer = world.ask(route)
    return answer is not None and answer.status_code == 200
