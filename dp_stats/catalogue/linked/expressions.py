"""Scalar expressions over one row: SQL as sqlglot parses it, against a white list, with every type checked.

What is not on the list is refused, whatever it is: so nothing that looks at another row, at a clock or at chance can
be written. The result is a small tree of our own, which every engine compiles in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from dp_stats.catalogue.linked.functions import COMPARISONS, FUNCTIONS, NotAllowedError, agreed, compared, why_unknown
from dp_stats.catalogue.linked.kinds import DECIMALS, EARLIEST, LARGEST_WHOLE, LATEST, NAMED, Kind

if TYPE_CHECKING:
    from sqlglot import exp

LONGEST = 2000
"""Characters of an expression."""

LARGEST_FACTOR = 10**6
PUBLIC_DAYS = ("period_start", "period_end")
"""Names that stand for the first and the last day of the edition's period."""

CONSTANT_WORDS = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Expression:
    """A typed expression.

    Attributes:
        op: ``column``, ``literal``, ``public_day``, or the name of an operator or function. kind: of its values.
        of: what it is made of, in order. value: of a literal, or the name of a column or public day.
    """

    op: str
    kind: Kind
    of: tuple[Expression, ...] = ()
    value: str | int | bool | Decimal | date | None = None


def parse(text: str, columns: Mapping[str, Kind]) -> Expression:
    """Read an expression over ``columns``.

    Raises:
        NotAllowedError: it is no expression, uses what is not on the list, or types do not fit; says what to write.
    """
    if len(text) > LONGEST:
        raise NotAllowedError(f"an expression has at most {LONGEST} characters; derive parts of it in steps before")
    try:
        return _Reader(columns).read(_tree(text))
    except RecursionError:
        pass
    raise NotAllowedError("it is nested too deeply; derive parts of it in steps before")


def _tree(text: str) -> exp.Expression:
    """What sqlglot makes of the text, with every function as a plain name: what functions are is said here alone."""
    from sqlglot.errors import SqlglotError
    from sqlglot.parser import Parser
    from sqlglot.tokens import Tokenizer

    class Scalars(Parser):
        FUNCTIONS = {}  # noqa: RUF012
        FUNCTION_PARSERS = {}  # noqa: RUF012
        NO_PAREN_FUNCTIONS = {}  # noqa: RUF012

    try:
        found = [tree for tree in Scalars().parse(Tokenizer().tokenize(text), text) if tree is not None]
    except SqlglotError:
        found = []
    if len(found) != 1:
        raise NotAllowedError("it is not one SQL expression; write such as: age >= 18 and sex in ('1', '2')")
    return found[0]


class _Reader:
    """Reads trees of sqlglot over the columns of one table."""

    def __init__(self, columns: Mapping[str, Kind]) -> None:
        self.columns = columns

    def read(self, tree: exp.Expression) -> Expression:
        """The typed expression of a tree."""
        reader = getattr(self, f"_{type(tree).__name__.lower()}", None)
        if reader is None:
            raise NotAllowedError(why_unknown(type(tree).__name__))
        read: Expression = reader(tree)
        return read

    def _paren(self, tree: exp.Paren) -> Expression:
        return self.read(tree.this)

    def _column(self, tree: exp.Column) -> Expression:
        if tree.table:
            raise NotAllowedError(f"'{tree.table}.{tree.name}': write the column's name alone; a step has one table")
        name = tree.name
        if name in self.columns:
            return Expression("column", self.columns[name], value=name)
        if name in PUBLIC_DAYS:
            return Expression("public_day", "date", value=name)
        if not CONSTANT_WORDS.fullmatch(name):
            raise NotAllowedError("a name holds small letters, digits and '_'")
        raise NotAllowedError(
            why_unknown(name, columns=[*self.columns, *PUBLIC_DAYS]),
        )

    def _literal(self, tree: exp.Literal) -> Expression:
        if tree.is_string:
            return Expression("literal", "text", value=str(tree.this))
        return self._number(str(tree.this))

    def _number(self, text: str) -> Expression:
        if re.fullmatch(r"[0-9]{1,12}", text):
            return Expression("literal", "whole", value=int(text))
        if re.fullmatch(rf"[0-9]{{1,12}}[.][0-9]{{1,{DECIMALS}}}", text):
            return Expression("literal", "number", value=Decimal(text))
        raise NotAllowedError(f"a number is at most {LARGEST_WHOLE} and has at most {DECIMALS} decimals")

    def _boolean(self, tree: exp.Boolean) -> Expression:
        return Expression("literal", "truth", value=bool(tree.this))

    def _null(self, tree: exp.Null) -> Expression:
        return Expression("literal", "nothing")

    def _cast(self, tree: exp.Cast) -> Expression:
        """``DATE '2024-06-30'``; nothing else is cast."""
        day = str(tree.this.this) if tree.this.key == "literal" and tree.to.sql() == "DATE" else ""
        try:
            value = date.fromisoformat(day)
        except ValueError:
            value = None
        if value is None or not EARLIEST <= value <= LATEST:
            raise NotAllowedError(
                f"nothing is cast but a day such as DATE '2024-06-30', from {EARLIEST} to {LATEST}; how a column is read is "
                "declared in the table's 'columns'"
            )
        return Expression("literal", "date", value=value)

    def _not(self, tree: exp.Not) -> Expression:
        return Expression("not", "truth", (self._condition(tree.this, "NOT"),))

    def _and(self, tree: exp.And) -> Expression:
        return self._joined("and", tree)

    def _or(self, tree: exp.Or) -> Expression:
        return self._joined("or", tree)

    def _joined(self, op: str, tree: exp.Connector) -> Expression:
        parts = (self._condition(tree.left, op.upper()), self._condition(tree.right, op.upper()))
        return Expression(op, "truth", parts)

    def _condition(self, tree: exp.Expression, where: str) -> Expression:
        part = self.read(tree)
        if part.kind not in ("truth", "nothing"):
            raise NotAllowedError(f"{where} needs true or false, not {NAMED[part.kind]}")
        return part

    def _compared(self, op: str, left: Expression, right: Expression) -> Expression:
        compared(op, left.kind, right.kind)
        return Expression(op, "truth", (left, right))

    def _eq(self, tree: exp.EQ) -> Expression:
        return self._comparison(tree)

    _neq = _lt = _lte = _gt = _gte = _eq

    def _comparison(self, tree: exp.Binary) -> Expression:
        return self._compared(COMPARISONS[tree.key], self.read(tree.left), self.read(tree.right))

    def _between(self, tree: exp.Between) -> Expression:
        value = self.read(tree.this)
        low, high = self.read(tree.args["low"]), self.read(tree.args["high"])
        parts = (self._compared("ge", value, low), self._compared("le", value, high))
        return Expression("and", "truth", parts)

    def _in(self, tree: exp.In) -> Expression:
        if tree.args.get("query") or tree.args.get("unnest") or tree.args.get("field"):
            raise NotAllowedError(why_unknown("Subquery"))
        value = self.read(tree.this)
        listed = tuple(self.read(each) for each in tree.expressions)
        if any(each.op != "literal" for each in listed):
            raise NotAllowedError("IN needs a list of constants that stand in the declaration")
        for each in listed:
            compared("eq", value.kind, each.kind)
        return Expression("in", "truth", (value, *listed))

    def _is(self, tree: exp.Is) -> Expression:
        if tree.expression.key != "null":
            raise NotAllowedError("IS needs NULL or NOT NULL behind it; compare with =")
        return Expression("is_null", "truth", (self.read(tree.this),))

    def _case(self, tree: exp.Case) -> Expression:
        subject = self.read(tree.this) if tree.this is not None else None
        parts: list[Expression] = []
        for branch in tree.args["ifs"]:
            test = (
                self._compared("eq", subject, self.read(branch.this))
                if subject
                else self._condition(branch.this, "WHEN")
            )
            parts += [test, self.read(branch.args["true"])]
        default = tree.args.get("default")
        parts.append(self.read(default) if default is not None else Expression("literal", "nothing"))
        kind = agreed("CASE", [part.kind for part in (*parts[1::2], parts[-1])])
        return Expression("case", kind, tuple(parts))

    def _neg(self, tree: exp.Neg) -> Expression:
        part = self.read(tree.this)
        if part.op != "literal" or part.kind not in ("whole", "number"):
            return self._called("subtract", (Expression("literal", "whole", value=0), part))
        value = part.value
        assert isinstance(value, (int, Decimal))
        return Expression("literal", part.kind, value=-value)

    def _add(self, tree: exp.Add) -> Expression:
        return self._called("add", (self.read(tree.left), self.read(tree.right)))

    def _sub(self, tree: exp.Sub) -> Expression:
        return self._called("subtract", (self.read(tree.left), self.read(tree.right)))

    def _mul(self, tree: exp.Mul) -> Expression:
        parts = (self.read(tree.left), self.read(tree.right))
        constants = [p.value for p in parts if p.op == "literal" and isinstance(p.value, int)]
        small = any(abs(value) <= LARGEST_FACTOR for value in constants)
        if not small or any(part.kind != "whole" for part in parts):
            raise NotAllowedError(
                f"'*' multiplies a whole number by a constant of at most {LARGEST_FACTOR}: larger products, and those of "
                "decimals, are not exact on every engine"
            )
        return Expression("multiply", "whole", parts)

    def _anonymous(self, tree: exp.Anonymous) -> Expression:
        name = str(tree.this).casefold()
        if name not in FUNCTIONS:
            raise NotAllowedError(why_unknown(name))
        return self._called(name, tuple(self.read(part) for part in tree.expressions))

    def _called(self, name: str, parts: tuple[Expression, ...]) -> Expression:
        function = FUNCTIONS[name]
        kind = function.check([part.kind for part in parts])
        for position in function.constant:
            part = parts[position]
            if part.op != "literal" or part.value is None:
                raise NotAllowedError(f"{name}: what stands at place {position + 1} must be a constant")
        return Expression(name, kind, parts)
