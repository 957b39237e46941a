"""What of the ledger the public is told: the lines of the public log, as they follow from the ledger's entries.

Spending is told, and publishing. Reservations, voids, refusals, approvals, registers and retries are not: they cost
nothing, so no line is there that tells of them. What was spent is told when a public edition is made ready
(``disclosed``), all of it at once and in an order of its own, so neither when nor in which order it happened shows. A
dataset of which nothing is public is not told at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from dp_stats.ledger.chain import Writer
from dp_stats.ledger.records import Account, Entry, Reservation
from dp_stats.ledger.reporting import account, entries
from dp_stats.transparency.leaves import (
    ChargeLeaf,
    EditionLeaf,
    Head,
    LostLeaf,
    Opening,
    commitment_of,
    drawn_key,
    opening_of,
)
from dp_stats.transparency.merkle import Tree, leaf_hash

Paid = tuple[str, str, str]
"""Dataset, key of the charge (see ``reserving.key_of``) and block."""


def disclose(writer: Writer, edition: str, revision: int, *, measured: int) -> Account:
    """Tell the public every charge of the edition's dataset so far, and what the edition must show of its cost.

    Once told, every later public log begins with these lines: the head stays true whatever happens before the edition
    is published, or if it never is.

    Args:
        measured: the revision whose measurements it is made of; its own, unless late rows were added to an earlier one.

    Returns:
        The account at this very moment, with the head of the log that adds up to it.

    Raises:
        LedgerError: nothing is reserved for it.
    """
    found = account(writer.connection, edition, measured)
    writer.append("disclosed", _payload(found.reservation, revision))
    lines = log_lines(told(writer.connection))
    root = Tree(leaf_hash(line.encode()) for line in lines).root().hex()
    return account(writer.connection, edition, measured, log=Head(size=len(lines), root=root))


def told(connection: Connection) -> Iterator[Entry]:
    """The entries that the public log follows from, oldest first."""
    return entries(connection, events=tuple(_Telling().events))


def _payload(reservation: Reservation, revision: int) -> dict[str, Any]:
    return {
        "edition": reservation.edition,
        "revision": revision,
        "dataset": reservation.dataset,
        "key": reservation.key,
        "blocks": list(reservation.blocks),
    }


def log_lines(chain: Iterable[Entry], *, published: bool = False) -> list[str]:
    """The public log of these entries, oldest first; more entries never change what fewer gave, they add to it.

    Args:
        published: only up to the last edition, which is where a published log ends.
    """
    telling = _Telling()
    for entry in chain:
        if (follow := telling.events.get(entry.event)) is not None:
            follow(entry.payload)
    return telling.lines[: telling.last] if published else telling.lines


@dataclass(frozen=True)
class _Amounts:
    rho: Fraction
    cap: Fraction


class _Telling:
    """The lines so far, and what is held back until an edition is made ready."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.last = 0
        self.events = {
            "created": self._created,
            "reserved": self._reserved,
            "spent": self._spent,
            "disclosed": self._disclosed,
            "published": self._published,
        }
        self._secret: str
        self._charged: dict[Paid, _Amounts] = {}
        self._with: dict[Paid, list[Paid]] = {}
        self._known: set[Paid] = set()
        self._waiting: list[Paid] = []
        self._numbers: dict[Paid, int] = {}
        self._datasets: set[str] = set()
        self._ready: dict[tuple[str, int], tuple[list[Paid], list[Paid]]] = {}

    def _created(self, values: Any) -> None:
        self._secret = str(values["ledger"])
        size, _, root = str(values.get("without", {}).get("log", "")).partition(":")
        if size:
            self.lines.append(LostLeaf(size=int(size), root=root).line)

    def _reserved(self, values: Any) -> None:
        amounts = _Amounts(Fraction(values["rho"]), Fraction(values["cap"]))
        own = _paid(values, "charged")
        self._charged |= {one: amounts for one in own}
        for draw in values.get("draws", ()):
            for one in own:
                also = (draw["dataset"], drawn_key(one[1], one[2]), draw["block"])
                self._charged[also] = _Amounts(Fraction(draw["rho"]), Fraction(draw["cap"]))
                if also not in self._with.setdefault(one, []):
                    self._with[one].append(also)

    def _spent(self, values: Any) -> None:
        paid = _paid(values, "blocks")
        new = [
            one
            for one in (*paid, *(also for own in paid for also in self._with.get(own, ())))
            if one not in self._known
        ]
        self._known.update(new)
        self._waiting += new

    def _disclosed(self, values: Any) -> None:
        own = _paid(values, "blocks")
        drawn = [also for one in own for also in self._with.get(one, ())]
        self._datasets.update((values["dataset"], *(also[0] for also in drawn)))
        self._ready[values["edition"], values["revision"]] = (own, drawn)
        told = [(self._leaf(one), one) for one in self._waiting if one[0] in self._datasets]
        self._waiting = [one for one in self._waiting if one[0] not in self._datasets]
        for leaf, one in sorted(told, key=lambda pair: (pair[0].dataset, pair[0].block, pair[0].commitment)):
            self._numbers[one] = len(self.lines)
            self.lines.append(leaf.line)

    def _published(self, values: Any) -> None:
        paid = self._ready.get((values["edition"], values["revision"]))
        if paid is None:  # for a restricted audience
            return
        leaf = EditionLeaf(
            edition=values["edition"],
            revision=values["revision"],
            sha256=values["checksum"],
            charges=tuple(Opening(leaf=self._numbers[one], opening=self._opening(one)) for one in paid[0]),
            draws=tuple(Opening(leaf=self._numbers[one], opening=self._opening(one)) for one in paid[1]),
        )
        self.lines.append(leaf.line)
        self.last = len(self.lines)

    def _leaf(self, paid: Paid) -> ChargeLeaf:
        dataset, key, block = paid
        amounts = self._charged[paid]
        commitment = commitment_of(self._opening(paid), key)
        return ChargeLeaf(dataset=dataset, block=block, rho=amounts.rho, cap=amounts.cap, commitment=commitment)

    def _opening(self, paid: Paid) -> str:
        dataset, key, block = paid
        return opening_of(self._secret, dataset=dataset, key=key, block=block)


def _paid(values: Any, blocks: str) -> list[Paid]:
    return [(values["dataset"], values["key"], block) for block in values[blocks]]
