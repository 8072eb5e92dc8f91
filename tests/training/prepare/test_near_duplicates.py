"""Near-duplicates: altered copies are found, other pictures are not, and hostile frames do no harm."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from cxr.arrays import Grey
from cxr.decode import decode
from tests.training.prepare.trees import chest
from training.prepare.near_duplicates import FRAME, SAME, find_pairs, frame
from training.prepare.registration import levelled, registered_correlation

COUNT = 40
PICTURES = [chest(seed, 256, 240) for seed in range(COUNT)]
UNCUT = (0.0, 0.0, 0.0, 0.0)


def jpeg(pixels: Grey) -> Grey:
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return decode(data.tobytes()).pixels


def smaller(pixels: Grey) -> Grey:
    return cv2.resize(pixels, (130, 120), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def brighter(pixels: Grey) -> Grey:
    return (255 * (pixels / 255.0) ** 0.7 * 0.9 + 25).clip(0, 255).astype(np.uint8)


def cut(pixels: Grey) -> Grey:
    return pixels[12:-3, 2:-14]


@pytest.mark.parametrize(
    "alter", [jpeg, smaller, brighter, cv2.equalizeHist, cut, lambda pixels: jpeg(brighter(smaller(cut(pixels))))]
)
def test_altered_copies_are_found_among_others(alter: Callable[[Grey], Grey]) -> None:
    frames = [frame(picture) for picture in PICTURES]
    copies = [frame(np.asarray(alter(picture), np.uint8)) for picture in PICTURES[:5]]
    pairs = find_pairs([*frames, *copies])
    assert [(pair.first, pair.second) for pair in pairs] == [(index, COUNT + index) for index in range(5)]
    assert all(SAME <= pair.correlation <= 1 + 1e-6 for pair in pairs)


def test_an_uncut_copy_finds_the_cut_one_from_either_side() -> None:
    picture, part = frame(PICTURES[0]), frame(cut(PICTURES[0]))
    assert [(pair.first, pair.second) for pair in find_pairs([picture, part])] == [(0, 1)]
    assert [(pair.first, pair.second) for pair in find_pairs([part, picture])] == [(0, 1)]


def test_more_copies_than_neighbours_are_still_one_group() -> None:
    from training.prepare.groups import connected

    copies = [frame(cv2.convertScaleAbs(PICTURES[0], alpha=1 - 0.02 * step).astype(np.uint8)) for step in range(12)]
    pairs = find_pairs([*copies, *(frame(picture) for picture in PICTURES[1:20])])
    groups = connected(31, [(pair.first, pair.second) for pair in pairs])
    assert groups[0] == list(range(12))
    assert len(groups) == 20


@pytest.mark.parametrize("others", [0, 1])
def test_blank_frames_match_nothing(others: int) -> None:
    blanks = [np.full((FRAME, FRAME), level, np.uint8) for level in (0, 0, 128, 255)]
    assert find_pairs([*blanks, *(frame(picture) for picture in PICTURES[:others])]) == []


def test_few_frames_have_no_pairs() -> None:
    assert find_pairs([]) == []
    assert find_pairs([frame(PICTURES[0])]) == []


def test_progress_runs_from_nothing_to_all() -> None:
    told: list[float] = []
    find_pairs([frame(PICTURES[0]), frame(jpeg(PICTURES[0]))], told.append)
    assert told == sorted(told)
    assert told[0] >= 0
    assert told[-1] == 1


def test_levelling_removes_brightness_and_contrast() -> None:
    before, after = levelled(PICTURES[0], 1.5, 4, 6), levelled(brighter(PICTURES[0]), 1.5, 4, 6)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.97
    assert abs(float(before.mean())) < 0.1


def test_registration_finds_the_part_that_two_pictures_share() -> None:
    picture = frame(PICTURES[0])
    assert registered_correlation(picture, picture, UNCUT) == pytest.approx(1, abs=1e-3)
    assert registered_correlation(picture, frame(cut(PICTURES[0])), (0.06, 0, 0, 0.06)) > 0.9
    assert registered_correlation(picture, frame(PICTURES[1]), UNCUT) < SAME
