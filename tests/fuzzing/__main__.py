"""`python -m tests.fuzzing --files 100000 [--seed N]`: a third of the files of each format."""

import argparse
import secrets
import sys

from tests.fuzzing.run import fuzz, peaks_mb

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--files", type=int, default=3000)
parser.add_argument("--seed", type=int, default=secrets.randbits(32))
parser.add_argument("--peaks", action="store_true", help="the service's memory instead, a file at a time")
arguments = parser.parse_args()
print(f"seed {arguments.seed}", flush=True)
if arguments.peaks:
    print({name: f"{peak:.0f} MiB" for name, peak in peaks_mb(arguments.seed, arguments.files).items()})
    sys.exit()
report = fuzz(arguments.seed, files=arguments.files)
print(report)
sys.exit(bool(report.wrong))
