"""Check everything that a requirements file pins for known vulnerabilities, with pip-audit and OSV's database.

    python -m scripts.supply.audit requirements/api.txt pip-audit

Without a network or without pip-audit nothing is checked. This is reported as a failure.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

OPTIONS: Final = ("--vulnerability-service", "osv", "--disable-pip", "--format", "json", "--progress-spinner", "off")

FOUND, NOT_CHECKED = 1, 2


def audit(requirements: str, command: Sequence[str]) -> int:
    """Print vulnerabilities. Returns 0: none; 1: some; 2: nothing was checked. `command`: starts pip-audit."""
    try:
        done = subprocess.run([*command, *OPTIONS, "-r", requirements], capture_output=True, text=True, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, ValueError, KeyError):
        print(f"{requirements}: NOT CHECKED: pip-audit or its database could not be reached.")
        return NOT_CHECKED
    skipped = [package["name"] for package in found if "skip_reason" in package]
    known = [(package, each) for package in found for each in package.get("vulns", ())]
    for package, each in known:
        fixed = ", ".join(each["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    checked = len(found) - len(skipped)
    print(f"{requirements}: {checked} packages checked, {len(known)} vulnerabilities known.")
    if skipped:
        print(f"NOT CHECKED: {', '.join(skipped)}.")
    return FOUND if known else NOT_CHECKED if skipped else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1], sys.argv[2:]))
