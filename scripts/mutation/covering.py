"""Which tests run a line, the quickest first: from a run of the tests under coverage with a context a test."""

import re
from collections import defaultdict
from pathlib import Path

from coverage import CoverageData

DURATION = re.compile(r"^([\d.]+)s (?:call|setup|teardown) +(tests/.+)$", re.MULTILINE)


class Covering:
    """Reads coverage's data file and what `pytest -vv --durations=0` printed."""

    def __init__(self, root: Path, data: Path, durations: Path) -> None:
        self._root = root
        self._data = CoverageData(str(data))
        self._data.read()
        self._seconds: dict[str, float] = defaultdict(float)
        for seconds, test in DURATION.findall(durations.read_text(encoding="utf-8")):
            self._seconds[test] += float(seconds)

    def tests(self, module: str, line: int, seconds: float) -> list[str]:
        """Tests of this line, in all no longer than that.

        Lines that no test was seen to run, because they run at import or elsewhere, have the tests of the whole
        module and of its folder.
        """
        lines = self._data.contexts_by_lineno(str(self._root / module))
        nearest = max((number for number in lines if number <= line), default=0)
        found, folder = _tests(lines.get(nearest, [])), f"tests/{Path(module).parent}"
        if not found:
            found = {test for contexts in lines.values() for test in _tests(contexts)}
            found |= {test for test in self._seconds if str(Path(test.partition("::")[0]).parent) == folder}
        return self._shortened(found, Path(module), seconds)

    def expected(self, tests: list[str]) -> float:
        """How long these took, seconds."""
        return sum(self._seconds[test] for test in tests)

    def _shortened(self, tests: set[str], module: Path, seconds: float) -> list[str]:
        """The module's own tests first, then the quick ones; every function once before its next parameters."""
        seen: dict[str, int] = defaultdict(int)
        ranked = []
        for test in sorted(tests, key=lambda test: (self._seconds[test], test)):
            function = test.partition("[")[0]
            own = f"test_{module.stem}.py" in test
            ranked.append((seen[function], not own, self._seconds[test], test))
            seen[function] += 1
        chosen: list[str] = []
        total = 0.0
        for *_, test in sorted(ranked):
            total += self._seconds[test]
            if total <= seconds or not chosen:
                chosen.append(test)
        return chosen


def _tests(contexts: list[str]) -> set[str]:
    """pytest-cov's contexts are NODEID|PHASE; that of an import is empty."""
    return {context.rpartition("|")[0] for context in contexts if context}
