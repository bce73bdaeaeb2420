"""Queries such as ``response == 'correct' and stim_present == 0``: parsed, never evaluated as code."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurognode.errors import listing

_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "isnan": lambda v: np.isnan(np.asarray(v, float)),
    "isfinite": lambda v: np.isfinite(np.asarray(v, float)),
}
_MAX_LENGTH = 2000


def select(query: str, columns: Mapping[str, np.ndarray], n: int, what: str = "trials") -> np.ndarray:
    """Rows for which a query holds.

    Comparisons (chained too), ``and``, ``or``, ``not``, ``in``, ``+ - * / %``, numbers, strings, lists,
    ``abs()``, ``isnan()``, ``isfinite()`` and column names; names with spaces go between backticks.

    Parameters
    ----------
    query : str
        The condition.
    columns : mapping of str to array of shape (n,)
        What the names mean.
    n : int
        Number of rows.
    what : str
        Name of the argument, for messages.

    Returns
    -------
    bool array of shape (n,)

    Raises
    ------
    ValueError
        If the query cannot be parsed, uses anything else, or names a column that does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from neurognode.loaders.alignment.query import select
    >>> columns = {"side": np.array(["left", "right"]), "rt": np.array([0.3, 0.2])}
    >>> select("side == 'left' and rt < 0.5", columns, 2)
    array([ True, False])
    """
    if len(query) > _MAX_LENGTH:
        raise ValueError(f"{what}: the query is longer than {_MAX_LENGTH} characters.")
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        name = f"column_{len(quoted)}_in_backticks"
        quoted[name] = match.group(1)
        return name

    text = re.sub(r"`([^`]+)`", stand_in, query)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        result = _Evaluator(columns, quoted, query, what).visit(tree.body)
    except SyntaxError as error:
        raise ValueError(
            f"{what}={query!r} cannot be read: {error.msg}. Example: \"response == 'left'\"."
        ) from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"{what}: the query is nested too deeply.") from error
    except (TypeError, OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"{what}={query!r} compares things that cannot be compared: {error}.") from error
    rows = np.asarray(result)
    if rows.dtype != bool:
        raise ValueError(f"{what}={query!r} gives {rows.dtype} values, not true or false for each row.")
    return np.broadcast_to(rows, (n,)).copy()


class _Evaluator:
    """Walks the few kinds of syntax that a query may hold."""

    def __init__(
        self, columns: Mapping[str, np.ndarray], quoted: dict[str, str], query: str, what: str
    ) -> None:
        self.columns, self.quoted, self.query, self.what = columns, quoted, query, what

    def visit(self, node: ast.AST) -> Any:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise ValueError(
                f"{self.what}={self.query!r} uses {type(node).__name__}; allowed are comparisons, and, or, "
                "not, in, arithmetic, abs, isnan and isfinite."
            )
        return method(node)

    def _name(self, node: ast.Name) -> np.ndarray:
        name = self.quoted.get(node.id, node.id)
        if name not in self.columns:
            raise ValueError(f"{self.what}: there is no column {name!r}. {listing(name, self.columns)}")
        return np.asarray(self.columns[name])

    def _constant(self, node: ast.Constant) -> Any:
        if not isinstance(node.value, (str, int, float, bool)) or (
            isinstance(node.value, int) and abs(node.value) > 2**63
        ):
            raise ValueError(f"{self.what}: {node.value!r} cannot be used in a query.")
        return node.value

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> list[Any]:
        return [self.visit(item) for item in node.elts]

    _tuple = _set = _list

    def _boolop(self, node: ast.BoolOp) -> Any:
        parts = [self._truth(self.visit(v)) for v in node.values]
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        out = parts[0]
        for part in parts[1:]:
            out = combine(out, part)
        return out

    def _truth(self, value: Any) -> np.ndarray:
        array = np.asarray(value)
        if array.dtype.kind not in "biu":
            raise ValueError(f"{self.what}={self.query!r}: both sides of and, or, not must be true or false.")
        return array.astype(bool)

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.visit(node.operand)
        if isinstance(node.op, (ast.Not, ast.Invert)):
            return np.logical_not(self._truth(value))
        return -value if isinstance(node.op, ast.USub) else +value

    def _binop(self, node: ast.BinOp) -> Any:
        if type(node.op) not in _ARITHMETIC:
            raise ValueError(f"{self.what}={self.query!r} uses an operator that queries do not have.")
        left, right = self.visit(node.left), self.visit(node.right)
        with np.errstate(all="ignore"):
            return _ARITHMETIC[type(node.op)](np.asarray(left), np.asarray(right))

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _FUNCTIONS or len(node.args) != 1 or node.keywords:
            raise ValueError(
                f"{self.what}: only {', '.join(_FUNCTIONS)} of one column can be called in a query."
            )
        return _FUNCTIONS[name](self.visit(node.args[0]))

    def _compare(self, node: ast.Compare) -> Any:
        left, out = self.visit(node.left), None
        for op, right_node in zip(node.ops, node.comparators):
            right = self.visit(right_node)
            part = self._one(op, left, right)
            out = part if out is None else np.logical_and(out, part)
            left = right
        return out

    def _one(self, op: ast.cmpop, left: Any, right: Any) -> np.ndarray:
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, list):
                raise ValueError(f"{self.what}={self.query!r}: write the values after 'in' as a list.")
            found = np.zeros(np.shape(left), bool)
            for value in right:
                found |= self._one(ast.Eq(), left, value)
            return found if isinstance(op, ast.In) else ~found
        if type(op) not in _COMPARE:
            raise ValueError(f"{self.what}={self.query!r}: 'is' cannot be used in a query; write == instead.")
        a, b = np.asarray(left), np.asarray(right)
        text = [x.dtype.kind in "USO" for x in (a, b)]
        if text[0] != text[1]:
            if isinstance(op, (ast.Eq, ast.NotEq)):
                same, other = (a, b) if text[0] else (b, a)
                shown = sorted({str(v) for v in np.atleast_1d(same)})[:10]
                raise ValueError(
                    f"{self.what}={self.query!r} compares text with numbers. The text: {', '.join(shown)}."
                    if other.ndim == 0
                    else f"{self.what}={self.query!r} compares numbers with text."
                )
            raise TypeError("text with numbers")
        if text[0]:
            a, b = a.astype(str), b.astype(str)
        return _COMPARE[type(op)](a, b)
