"""Judges mutants in several processes, each with a copy of the tree."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from scripts.mutation.covering import Covering
from scripts.mutation.mutants import mutated
from scripts.mutation.trial import Outcome, Trials

ROOT: Final = Path(__file__).resolve().parents[2]
PLACE: Final = ROOT / "build" / "mutation"

Job = dict[str, Any]
"""A mutant, with its module; afterwards its verdict too."""

_judges: list["_Judge"] = []  # of this process: one, once it has begun


def judged(jobs: Iterable[Job], processes: int, seconds: float, end: float) -> Iterator[Job]:
    """The jobs with their verdicts, in their order.

    Args:
        jobs: in the order in which they are begun.
        processes: mutants at once.
        seconds: of tests for each mutant.
        end: of `time.time`; no mutant is begun afterwards.
    """
    shutil.rmtree(PLACE / "processes", ignore_errors=True)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for found in pool.map(partial(_judge, seconds=seconds, end=end), jobs):
            if found is not None:
                yield found


def _judge(job: Job, seconds: float, end: float) -> Job | None:
    if time.time() > end:
        return None
    if not _judges:
        _judges.append(_Judge(PLACE / "processes" / str(os.getpid())))
    return job | _judges[0].verdict(job, seconds)._asdict()


class _Judge:
    """One process's trials."""

    def __init__(self, place: Path) -> None:
        self._covering = Covering(ROOT, PLACE / "contexts", PLACE / "durations.txt")
        self._trials = Trials(_copy_of_the_tree(place))

    def verdict(self, job: Job, seconds: float) -> Outcome:
        """The verdict, where the test that kills passes without the mutant."""
        tests = self._covering.tests(job["module"], job["line"], seconds)
        source = mutated((ROOT / job["module"]).read_text(encoding="utf-8"), job["number"], job["choice"])
        while tests:
            outcome = self._trials.run(job["module"], source, tests, self._covering.expected(tests))
            if outcome.verdict == "survived" or self._trials.passes(outcome.test):
                return outcome
            print(f"left out, it fails as it is: {outcome.test}", flush=True)
            tests = [test for test in tests if test != outcome.test]
        return Outcome("survived", "")


def _copy_of_the_tree(place: Path) -> Path:
    """Committed and new files, where they can be changed, and links to the exported graphs and to the data."""
    tree = place / "tree"
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    graphs = ROOT / "models" / "default" / "onnx"
    if graphs.exists():
        (tree / "models" / "default" / "onnx").symlink_to(graphs)
    if (ROOT.parent / "shared").exists():
        (place / "shared").symlink_to(ROOT.parent / "shared")
    return tree
