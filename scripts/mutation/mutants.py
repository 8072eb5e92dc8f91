"""The mutants of a module: comparison, arithmetic, boolean, number, negation, return and condition operators.

Left alone: strings, annotations, decorators, assertions, raised errors, `zip(strict=...)` and `if TYPE_CHECKING`.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    line: int
    """Where it is in the source, from 1."""
    before: str
    after: str
    number: int
    """Of its node, in the order of `_nodes`."""
    choice: int
    """Which of the node's faults."""


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a module's source."""
    found = []
    for number, node in enumerate(_nodes(ast.parse(source))):
        for choice in range(len(_faults(node))):
            wrong = copy.deepcopy(node)
            _faults(wrong)[choice]()
            found.append(Mutant(node.lineno, _shown(node), _shown(wrong), number, choice))
    return found


def mutated(source: str, number: int, choice: int) -> str:
    """The module's source with one of its mutants."""
    tree = ast.parse(source)
    _faults(list(_nodes(tree))[number])[choice]()
    return ast.unparse(tree)


class _Fault:
    """Sets a field of a node."""

    def __init__(self, node: ast.AST, field: str, value: object) -> None:
        self.node, self.field, self.value = node, field, value

    def __call__(self) -> None:
        setattr(self.node, self.field, self.value)


def _faults(node: ast.AST) -> list[_Fault]:
    """What can be made wrong in this node, not counting the nodes below it."""
    match node:
        case ast.Compare(ops=[first, *others]) if type(first) in COMPARISONS:
            return [_Fault(node, "ops", [COMPARISONS[type(first)](), *others])]
        case ast.BinOp(left=left, right=right) | ast.AugAssign(target=left, value=right):
            is_text = any(isinstance(side, ast.JoinedStr) or _is_a(str, side) for side in (left, right))
            other = ARITHMETIC.get(type(node.op))
            return [] if is_text or other is None else [_Fault(node, "op", other())]
        case ast.BoolOp():
            return [_Fault(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())]
        case ast.UnaryOp(op=ast.USub()):
            return [_Fault(node, "op", ast.UAdd())]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [_Fault(node, "operand", ast.UnaryOp(ast.Not(), operand))]
        case ast.Constant(value=bool()):
            return [_Fault(node, "value", not node.value)]
        case ast.Constant(value=int() | float() as value):
            return [_Fault(node, "value", value + 1)]
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            return [_Fault(node, "value", ast.Constant(None))]
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if not _is_negated_below(test):
            return [_Fault(node, "test", ast.UnaryOp(ast.Not(), test))]
        case _:
            return []


def _is_negated_below(test: ast.expr) -> bool:
    """Whether a fault of a node below is already this condition's opposite."""
    match test:
        case ast.Compare(ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]):
            return True
        case ast.UnaryOp(op=ast.Not()) | ast.Constant():
            return True
        case _:
            return False


def _nodes(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The nodes that may be mutated, in a fixed order."""
    if isinstance(node, ast.expr | ast.stmt):
        yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                yield from _nodes(child)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Raise() | ast.keyword(arg="strict"):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case _:
            return False


def _is_a(kind: type, node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, kind)


def _shown(node: ast.expr | ast.stmt) -> str:
    """A node as one line; of an if or a while, the condition."""
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())
