"""`python -m tests.fuzzing --files 100000 [--seed N]`: a third of them of each format."""

import argparse
import secrets
import sys

from tests.fuzzing.run import fuzz

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--files", type=int, default=3000)
parser.add_argument("--seed", type=int, default=secrets.randbits(32))
arguments = parser.parse_args()
print(f"seed {arguments.seed}", flush=True)
report = fuzz(arguments.seed, files=arguments.files)
print(report)
sys.exit(bool(report.wrong))
