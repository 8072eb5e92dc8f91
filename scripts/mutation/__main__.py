"""Mutation testing of cxr/ and attribution/: `make mutation`.

A random sample of the mutants, stratified by module: those of each module are shuffled, and tried in an order in which
any beginning holds about the same share of every module. Prints the share that the tests kill, with Wilson's interval.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from typing import Final

from scipy.stats import binomtest

from scripts.mutation.judge import PLACE, ROOT, Job, judged
from scripts.mutation.mutants import mutants

RESULTS: Final = PLACE / "results.jsonl"
AGAIN: Final = PLACE / "again.jsonl"
SEED: Final = 20


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=45.0, help="of trying; then the sample ends")
    parser.add_argument("--seconds", type=float, default=15.0, help="of tests for each mutant")
    parser.add_argument("--processes", type=int, default=2, help="mutants at once; each wants a core and 2 GB")
    parser.add_argument("--again", action="store_true", help="only the survivors of the last run")
    parser.add_argument("modules", nargs="*", help="only these, such as cxr/decode")
    options = parser.parse_args()
    jobs = _survivors() if options.again else _sample(options.modules)
    done: list[Job] = []
    with (AGAIN if options.again else RESULTS).open("w", encoding="utf-8") as file:
        for job in judged(jobs, options.processes, options.seconds, time.time() + 60 * options.minutes):
            done.append(job)
            print(json.dumps(job), file=file, flush=True)
            if job["verdict"] == "survived":
                print(f"{job['module']}:{job['line']}: {job['before']} -> {job['after']}", flush=True)
    _report(done, len(jobs))


def _sample(modules: list[str]) -> list[Job]:
    """Every mutant, so ordered that any beginning is a stratified sample."""
    rng = random.Random(SEED)
    ranked = []
    for module in _modules():
        if not modules or module.startswith(tuple(modules)):
            jobs = list(_jobs(module))
            rng.shuffle(jobs)
            ranked += [((rank + rng.random()) / len(jobs), module, job) for rank, job in enumerate(jobs)]
    return [job for *_, job in sorted(ranked, key=lambda item: item[:2])]


def _survivors() -> list[Job]:
    """Those of the last run that are still in the source."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    lived = {_key(job) for job in lines if job["verdict"] == "survived"}
    jobs = [job for module in sorted({module for module, *_ in lived}) for job in _jobs(module)]
    return [job for job in jobs if _key(job) in lived]


def _key(job: Job) -> tuple[str, int, str, str]:
    return job["module"], job["line"], job["before"], job["after"]


def _modules() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT)) for name in ("cxr", "attribution") for path in (ROOT / name).rglob("*.py")
    )


def _jobs(module: str) -> Iterator[Job]:
    for mutant in mutants((ROOT / module).read_text(encoding="utf-8")):
        yield {"module": module, **vars(mutant)}


def _report(done: list[Job], of: int) -> None:
    """The mutation score by module, and of all."""
    killed: dict[str, list[bool]] = {}
    for job in done:
        killed.setdefault(job["module"], []).append(job["verdict"] != "survived")
    for module, verdicts in sorted(killed.items()):
        print(f"{sum(verdicts):4} of {len(verdicts):4}  {module}")
    timeouts = sum(job["verdict"] == "timeout" for job in done)
    dead = sum(sum(verdicts) for verdicts in killed.values())
    interval = binomtest(dead, len(done)).proportion_ci(method="wilson")
    print(f"{len(done)} of {of} mutants (seed {SEED}): {dead} killed, {timeouts} of them by the time limit")
    print(f"mutation score {dead / len(done):.3f} (95 % {interval.low:.3f} to {interval.high:.3f})")


if __name__ == "__main__":
    main()
