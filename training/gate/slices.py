"""Draw slices of heads and bodies as in CT and MR: ellipses within ellipses, after Shepp & Logan 1974.

They need no picture of a patient. Sizes, positions and greys are random, over wider ranges than in real anatomy.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np

from cxr.arrays import Grey

SIDE: Final = 256


class _Oval(NamedTuple):
    """An ellipse: centre and half axes in pixels, rotation in degrees."""

    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float

    def within(self, x: float, y: float, wide: float, high: float, turn: float = 0.0) -> "_Oval":
        """A smaller ellipse inside: position and half axes as shares of this one's half axes."""
        angle = np.deg2rad(self.angle)
        across, down = x * self.axes[0], y * self.axes[1]
        centre = (
            self.centre[0] + across * float(np.cos(angle)) - down * float(np.sin(angle)),
            self.centre[1] + across * float(np.sin(angle)) + down * float(np.cos(angle)),
        )
        return _Oval(centre, (wide * self.axes[0], high * self.axes[1]), self.angle + turn)

    def somewhere(self, rng: np.random.Generator, far: float, sizes: tuple[float, float]) -> "_Oval":
        """A random ellipse inside: offset of its centre up to `far`, half axes within `sizes`, as shares; any angle."""
        x, y = rng.uniform(-far, far, 2).tolist()
        wide, high = rng.uniform(*sizes, 2).tolist()
        return self.within(x, y, wide, high, rng.uniform(0, 180))

    def fill(self, canvas: Grey, shade: float, line: int = -1) -> None:
        """Draw it: filled, or as a line of `line` pixels."""
        centre, axes = tuple(map(round, self.centre)), tuple(max(1, round(axis)) for axis in self.axes)
        cv2.ellipse(canvas, centre, axes, self.angle, 0, 360, int(np.clip(shade, 0, 255)), line)


def slice_of_a_body(rng: np.random.Generator) -> Grey:
    """A noisy slice [256, 256] of a head (two of three) or a trunk, in air or in a round field of view."""
    air = int(rng.integers(0, 30))
    canvas = np.full((SIDE, SIDE), air, np.uint8)
    shape = _oval(rng)
    if rng.random() < 0.4:
        _table(canvas, rng)
    (_head if rng.random() < 2 / 3 else _trunk)(canvas, shape, rng)
    soft = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 3)).astype(np.float32)
    grain = cv2.resize(rng.normal(0, 1, (int(rng.integers(32, SIDE)),) * 2), (SIDE, SIDE))
    seen = np.clip(soft + rng.uniform(0, 14) * grain, 0, 255).astype(np.uint8)
    return _round(seen, rng) if rng.random() < 0.5 else seen


def _oval(rng: np.random.Generator) -> _Oval:
    """The body's outline: from half of the image to larger than the image."""
    size = rng.uniform(60, 140)
    centre = (SIDE / 2 + rng.uniform(-25, 25), SIDE / 2 + rng.uniform(-25, 25))
    return _Oval(centre, (size, size * rng.uniform(0.75, 1.35)), rng.uniform(-25, 25))


def _head(canvas: Grey, head: _Oval, rng: np.random.Generator) -> None:
    """Scalp, skull, brain; ventricles and the gap between the halves, or a base with sinuses, petrous bones, eyes."""
    bright = rng.random() < 0.7  # bright bone as in CT; in MR bone is dark and fat is bright
    bone, fat = (rng.uniform(170, 256), rng.uniform(30, 110)) if bright else (rng.uniform(0, 40), rng.uniform(150, 256))
    brain = rng.uniform(60, 190)
    rim = rng.uniform(0.03, 0.2)
    head.fill(canvas, fat)
    head.within(0, 0, 0.95, 0.95).fill(canvas, bone)
    inside = head.within(0, 0, 0.95 - rim, 0.95 - rim)
    inside.fill(canvas, brain)
    _base(canvas, inside, bone, rng) if rng.random() < 0.5 else _ventricles(canvas, inside, brain, rng)
    for _ in range(int(rng.integers(0, 6))):
        inside.somewhere(rng, 0.6, (0.05, 0.3)).fill(canvas, brain + rng.normal(0, 25))


def _ventricles(canvas: Grey, inside: _Oval, brain: float, rng: np.random.Generator) -> None:
    dark, apart, wide = brain - rng.uniform(20, 90), rng.uniform(0.08, 0.22), rng.uniform(0.05, 0.14)
    lean, high = rng.uniform(5, 25), rng.uniform(0.2, 0.45)
    for way in (-1, 1):
        inside.within(way * apart, -0.12, wide, high, -way * lean).fill(canvas, dark)
        inside.within(way * apart * 1.6, 0.35, wide, high * 0.7, way * lean).fill(canvas, dark)
    gap = brain + (1 if rng.random() < 0.5 else -1) * rng.uniform(15, 60)
    inside.within(0, 0, 0.015, 0.97).fill(canvas, gap)


def _base(canvas: Grey, inside: _Oval, bone: float, rng: np.random.Generator) -> None:
    """Sinuses with walls of bone in front, petrous bones at the sides, eyes, sometimes a jaw with teeth."""
    air, up = rng.uniform(0, 40), float(rng.choice((-1, 1)))
    for way in (-1, 1):
        inside.within(way * rng.uniform(0.4, 0.6), -0.1 * up, 0.42, rng.uniform(0.08, 0.2), way * 30).fill(canvas, bone)
        for _ in range(int(rng.integers(1, 4))):
            x, y = way * rng.uniform(0.05, 0.6), up * rng.uniform(0.1, 0.8)
            cave = inside.within(x, y, rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.3), rng.uniform(0, 90))
            cave.fill(canvas, air)
            cave.fill(canvas, bone, int(rng.integers(1, 6)))
        if rng.random() < 0.5:
            inside.within(way * 0.5, 0.75 * up, 0.22, 0.2).fill(canvas, rng.uniform(90, 200))
    if rng.random() < 0.3:
        for angle in np.linspace(-1.1, 1.1, int(rng.integers(6, 15))):
            inside.within(0.6 * float(np.sin(angle)), 0.8 * up * float(np.cos(angle)), 0.07, 0.07).fill(canvas, 255)


def _trunk(canvas: Grey, whole: _Oval, rng: np.random.Generator) -> None:
    """Fat, muscle and a spine; two lungs with a heart, or abdominal organs."""
    body = _Oval(whole.centre, (whole.axes[0] * 1.2, whole.axes[1] * 0.75), whole.angle)
    fat, flesh, bone = rng.uniform(20, 120), rng.uniform(80, 190), rng.uniform(180, 256)
    body.fill(canvas, fat)
    inside = body.within(0, 0, rng.uniform(0.75, 0.95), rng.uniform(0.75, 0.95))
    inside.fill(canvas, flesh)
    if rng.random() < 0.5:
        for way in (-1, 1):
            inside.within(way * 0.5, 0, rng.uniform(0.3, 0.42), rng.uniform(0.55, 0.85)).fill(
                canvas, rng.uniform(0, 50)
            )
        inside.within(rng.uniform(-0.2, 0.3), -0.25, 0.35, 0.4, rng.uniform(0, 90)).fill(canvas, flesh + 20)
    else:
        for _ in range(int(rng.integers(3, 9))):
            inside.somewhere(rng, 0.7, (0.08, 0.45)).fill(canvas, flesh + rng.normal(0, 40))
    inside.within(0, 0.65, 0.14, 0.2).fill(canvas, bone)
    inside.within(0, 0.88, 0.05, 0.07).fill(canvas, flesh)
    for _ in range(int(rng.integers(0, 12))):  # cross-sections of ribs
        angle = rng.uniform(0, 2 * np.pi)
        x, y = 0.93 * float(np.cos(angle)), 0.93 * float(np.sin(angle))
        inside.within(x, y, 0.1, 0.04, float(np.rad2deg(angle)) + 90).fill(canvas, bone)


def _table(canvas: Grey, rng: np.random.Generator) -> None:
    """The patient table: an arc below the body."""
    middle = (SIDE // 2, int(rng.integers(60, 140)))
    cv2.ellipse(canvas, middle, (int(rng.integers(90, 160)), 110), 0, 20, 160, int(rng.integers(60, 200)), 2)


def _round(pixels: Grey, rng: np.random.Generator) -> Grey:
    """A round field of view, with a uniform dark or light grey outside."""
    field = np.zeros_like(pixels)
    cv2.circle(field, (SIDE // 2, SIDE // 2), int(rng.uniform(0.42, 0.56) * SIDE), 255, -1)
    shade = int(rng.choice((0, 0, int(rng.integers(0, 256)))))
    return np.where(field > 0, pixels, shade).astype(np.uint8)
