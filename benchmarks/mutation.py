"""Small wrong changes to a module's text, one at a time: what a test that checks it ought to notice.

Comparisons moved by one or turned round, a number one off, `and` for `or`, `max` for `min`, `True` for
`False`, a lost `not`, swapped arguments, and statements left out. Annotations and decorators stay.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
_NAMES = {"max": "min", "min": "max", "any": "all", "all": "any"}
_LEFT_OUT = (ast.Raise, ast.AugAssign, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Mutant:
    """One change; `id` stays the same while its function and its statement do."""

    function: str
    before: str
    after: str
    source: str
    """The whole module with the change."""

    @property
    def id(self) -> str:
        return f"{self.function}: {self.before} -> {self.after}"


def mutants(source: str, count: int, seed: str) -> list[Mutant]:
    """`count` of the module's possible changes (all, if there are fewer), the same ones for the same seed.

    They are drawn by a hash of each change, so that an edit elsewhere in the module leaves them as they are.
    """
    tree = ast.parse(source)
    found = {site.key: site for site in _sites(tree, "")}
    drawn = sorted(found, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())[:count]
    return [found[key].mutant(tree) for key in drawn]


@dataclass(frozen=True)
class _Site:
    """A place in the tree and what to put there: `parent.field`, or its item `index` where it is a list."""

    function: str
    parent: ast.AST
    field: str
    index: int | None
    new: ast.AST

    @property
    def old(self) -> ast.AST:
        value = getattr(self.parent, self.field)
        return value if self.index is None else value[self.index]  # type: ignore[no-any-return]

    @property
    def key(self) -> str:
        within, old, new = (ast.unparse(node) for node in (self.parent, self.old, self.new))
        return f"{self.function}: {within}: {old} -> {new}"

    def mutant(self, tree: ast.Module) -> Mutant:
        old = self.old
        shown = self.parent if isinstance(self.parent, ast.expr) else old
        before = _first_line(shown)
        self._put(self.new)
        after = _first_line(self.new if shown is old else self.parent)
        source = ast.unparse(tree)
        self._put(old)
        return Mutant(self.function, before, after, source)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _sites(parent: ast.AST, function: str) -> Iterator[_Site]:
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = f"{function}.{parent.name}".lstrip(".")
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield from (_Site(function, parent, field, index, new) for new in _changes(child))
                yield from _sites(child, function)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[first, *rest]):
            yield _with(node, ops=[_COMPARISONS[type(first)](), *rest])
        case ast.BoolOp(op=operator):
            yield _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=operator) if type(operator) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(operator)]())
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Name(id=name) if name in _NAMES:
            yield ast.Name(_NAMES[name])
        case ast.Call(func=ast.Name(id="max" | "min")):
            return
        case ast.Call(args=[one, two, *rest]) if not isinstance(one, ast.Starred):
            yield _with(node, args=[two, one, *rest])
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass()
        case ast.stmt() if isinstance(node, _LEFT_OUT):
            yield ast.Pass()


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    fields = {name: getattr(node, name) for name in node._fields}
    return ast.copy_location(type(node)(**(fields | changes)), node)


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]
