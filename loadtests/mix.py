"""The requests of a hospital in these tests: mostly classifications, of all three media types, some explanations."""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from loadtests.golden import GoldenRequest

MEDIA_SHARES: Final = {"image/jpeg": 0.5, "image/png": 0.3, "application/dicom": 0.2}
ROUTE_SHARES: Final = {"/classify": 0.9, "/explain": 0.1}
BAD_SHARE: Final = 0.1
DRAWN: Final = 2000  # number of requests before the sequence repeats


def draw(requests: Sequence[GoldenRequest], bad: Sequence[GoldenRequest] = (), seed: int = 0) -> list[GoldenRequest]:
    """`DRAWN` requests in these proportions, determined by the seed. One in ten is bad if bad ones are given."""
    chance = random.Random(seed)
    kinds: dict[tuple[str, str], list[GoldenRequest]] = defaultdict(list)
    for request in requests:
        kinds[request.route, request.sample.media_type].append(request)
    weights = [ROUTE_SHARES[route] * MEDIA_SHARES[media_type] for route, media_type in kinds]
    good = chance.choices(list(kinds.values()), weights, k=DRAWN)
    return [
        chance.choice(bad) if bad and chance.random() < BAD_SHARE else chance.choice(of_a_kind) for of_a_kind in good
    ]
