"""What a custodian was shown before deciding: the facts of a card, kept by hash with the decision, and alone binding.

An approval promises nothing about the budget but a floor: so much of each block is left after what was approved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction

from sqlalchemy import Connection

from dp_stats.errors import LedgerError
from dp_stats.files import sha256
from dp_stats.ledger import amounts, sealing
from dp_stats.ledger.chain import canonical
from dp_stats.ledger.records import Quote


@dataclass(frozen=True)
class ShownCard:
    """The facts of one card, as they stood before the eyes of who decided.

    Attributes:
        plan: the hash of the plan. edition, revision: what would be measured.
        requested_by, purpose, audience: who asks, what for, and who may read it.
        rho: cost per block. left: block → ρ that was left. floors: block → ρ that is left after it, at least; the blocks of
            other datasets that pay as well are named ``dataset: block``.
        text: the card's whole text.
    """

    plan: str
    edition: str
    revision: int
    requested_by: str
    purpose: str
    audience: str
    rho: Fraction
    left: Mapping[str, Fraction]
    floors: Mapping[str, Fraction]
    text: str = ""

    @property
    def content(self) -> bytes:
        """The facts as they are kept."""
        values = asdict(self)
        exact = {"rho": str(self.rho)}
        exact |= {name: {b: str(rho) for b, rho in values[name].items()} for name in ("left", "floors")}  # type: ignore[misc]
        return canonical({**values, **exact}).encode()

    @property
    def hash(self) -> str:
        """SHA-256 of the facts, by which a decision names them."""
        return sha256(self.content)

    @classmethod
    def read(cls, content: bytes) -> ShownCard:
        """The card that was kept as ``content``.

        Raises:
            LedgerError: it is none.
        """
        try:
            values = json.loads(content)
            exact = {n: {b: Fraction(rho) for b, rho in values[n].items()} for n in ("left", "floors")}
            return cls(**{**values, **exact, "rho": Fraction(values["rho"])})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise LedgerError("What a custodian was shown cannot be read. Show the card again.") from None


def kept_card(connection: Connection, hash: str) -> ShownCard:
    """A card that a decision names.

    Raises:
        LedgerError: it is missing or was altered.
    """
    return ShownCard.read(sealing.closure(connection, (), leaves=(hash,))[hash])


def objections(
    card: ShownCard, *, plan: str, revision: int, purpose: str | None = None, quote: Quote | None = None
) -> Iterator[str]:
    """Why an approval of what ``card`` showed is none of this plan, at this cost, now; nothing if it is.

    Args:
        purpose: of what would be measured; None where it has been compared before.
        quote: what it would cost now, and what would be left; None once that is reserved.
    """
    if (card.plan, card.revision) != (plan, revision):
        yield "another plan was shown"
    if purpose is not None and card.purpose != purpose:
        yield "another purpose was shown"
    if quote is None:
        return
    if card.rho != quote.rho:
        yield "another cost was shown"
    deltas = {state.block: state.delta for state in quote.before}
    for one in quote.drawn if quote.charged else ():
        deltas[one.name] = one.before.delta
    left_after = {block: quote.remaining_after[block] for block in quote.charged}
    left_after |= {one.name: one.after for one in quote.drawn if quote.charged}
    for block, after in left_after.items():
        if block not in card.floors:
            yield f"block {block} was not shown"
        elif after < card.floors[block]:
            promised, left = (amounts.shown(rho, deltas[block]) for rho in (card.floors[block], after))
            yield f"the card promised that at least {promised} of block {block} is left after it, and {left} would be"
