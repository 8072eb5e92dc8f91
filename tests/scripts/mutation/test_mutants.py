"""Mutants: the code that is mutated, and the code that is not."""

import pytest

from scripts.mutation.mutants import mutants, mutated


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"a <= b"}),
        ("x = a == b", {"a != b"}),
        ("x = a not in b", {"a in b"}),
        ("x = a * b - c", {"a * b + c", "a / b"}),
        ("x //= a", {"x /= a"}),
        ("x = a and b", {"a or b"}),
        ("x = -a", {"+a"}),
        ("x = not a", {"not not a"}),
        ("x = 3", {"4"}),
        ("x = True", {"False"}),
        ("def f():\n    return a", {"return None"}),
        ("if a:\n    pass", {"if not a"}),
        ("if a is b:\n    pass", {"a is not b"}),  # the same fault is not made twice
        ("if not a:\n    pass", {"not not a"}),
    ],
)
def test_what_is_made_wrong(source: str, expected: set[str]) -> None:
    found = mutants(source)
    assert {mutant.after for mutant in found} == expected
    assert len({mutated(source, mutant.number, mutant.choice) for mutant in found}) == len(found) == len(expected)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "x: Literal[1] | None",
        "def f(x: A | None) -> A | None:\n    return None",
        "x = 'text' + y",
        "x = f'{a}' + y",
        "@dataclass(frozen=True)\nclass A:\n    pass",
        "assert a == 1",
        "raise E(1)",
        "zip(a, b, strict=True)",
        "if TYPE_CHECKING:\n    x = 1",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert mutants(source) == []


def test_a_mutant_differs_in_one_place() -> None:
    source = "def f(a):\n    if a > 1:\n        return a\n    return a + 2\n"
    (mutant,) = [mutant for mutant in mutants(source) if mutant.after == "a - 2"]
    assert (mutant.line, mutant.before) == (4, "a + 2")
    assert mutated(source, mutant.number, mutant.choice) == source.replace("a + 2", "a - 2").rstrip()
