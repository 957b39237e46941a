"""A log as a whole: its lines, the root after each, and what had been spent in each block by then."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from dp_stats.errors import HistoryError
from dp_stats.transparency.leaves import LOG, ChargeLeaf, EditionLeaf, Head, LostLeaf, OneLeaf, PublishedHead, read_leaf
from dp_stats.transparency.merkle import Tree, inclusion_path, leaf_hash

Block = tuple[str, str]
"""Dataset and block of time."""


@dataclass(frozen=True)
class History:
    """A log and what follows from it.

    Attributes:
        roots: the root of the first n lines, in hexadecimal, for every n from 0.
        editions: number of its line → edition.
    """

    lines: tuple[str, ...]
    leaves: tuple[OneLeaf, ...]
    roots: tuple[str, ...]
    editions: dict[int, EditionLeaf]
    _spent: dict[Block, tuple[list[int], list[Fraction]]] = field(repr=False)

    @classmethod
    def read(cls, lines: Sequence[str]) -> History:
        """Read a log and check that it makes sense by itself.

        Raises:
            HistoryError: a line is no leaf, a block has spent more than it could, a charge or an edition stands twice, or an
                edition names charges that are none.
        """
        tree = Tree()
        leaves: list[OneLeaf] = []
        roots = [tree.root().hex()]
        editions: dict[int, EditionLeaf] = {}
        spent: dict[Block, tuple[list[int], list[Fraction]]] = {}
        caps: dict[Block, Fraction] = {}
        once: set[str] = set()
        for number, line in enumerate(lines):
            leaf = read_leaf(line, number)
            name = (
                leaf.commitment if isinstance(leaf, ChargeLeaf) else leaf.path if isinstance(leaf, EditionLeaf) else ""
            )
            if name in once:
                raise HistoryError(
                    f"{LOG}: line {number + 1} repeats an earlier one: the same charge or edition twice."
                )
            once.add(name)
            if isinstance(leaf, ChargeLeaf):
                block = (leaf.dataset, leaf.block)
                numbers, totals = spent.setdefault(block, ([], []))
                numbers.append(number)
                totals.append((totals[-1] if totals else Fraction(0)) + leaf.rho)
                caps[block] = max(caps.get(block, leaf.cap), leaf.cap)
                if totals[-1] > caps[block]:
                    raise HistoryError(
                        f"{LOG}: with line {number + 1}, block {leaf.block} of '{leaf.dataset}' has spent ρ {totals[-1]}, more "
                        f"than its cap of {caps[block]}."
                    )
            elif isinstance(leaf, EditionLeaf):
                _check_openings(leaf, leaves)
                editions[number] = leaf
            leaves.append(leaf)
            tree.append(leaf_hash(line.encode()))
            roots.append(tree.root().hex())
        return cls(tuple(lines), tuple(leaves), tuple(roots), editions, spent)

    def head(self, size: int) -> Head:
        """The head that the first ``size`` lines have."""
        return Head(size=size, root=self.roots[size])

    @property
    def lost(self) -> Head | None:
        """Head of the log that this one takes the place of, because its ledger was lost; None if there was none."""
        first = self.leaves[0] if self.leaves else None
        return Head(size=first.size, root=first.root) if isinstance(first, LostLeaf) else None

    def heads(self) -> list[PublishedHead]:
        """The head after each edition: what ``heads.jsonl`` must hold."""
        return [
            PublishedHead(size=number + 1, root=self.roots[number + 1], edition=leaf.path)
            for number, leaf in self.editions.items()
        ]

    def spent(self, dataset: str, block: str, *, size: int) -> Fraction:
        """ρ that the first ``size`` lines charge to a block, exact."""
        numbers, totals = self._spent.get((dataset, block), ([], []))
        place = bisect_right(numbers, size - 1)
        return totals[place - 1] if place else Fraction(0)

    def revisions(self, edition: str) -> list[tuple[int, EditionLeaf]]:
        """The revisions of an edition (release and period) with the numbers of their lines, in order."""
        return self._revisions.get(edition, [])

    @cached_property
    def _revisions(self) -> dict[str, list[tuple[int, EditionLeaf]]]:
        found: dict[str, list[tuple[int, EditionLeaf]]] = {}
        for number, leaf in self.editions.items():
            found.setdefault(leaf.edition, []).append((number, leaf))
        return found

    @cached_property
    def opened(self) -> frozenset[int]:
        """Numbers of the lines of every charge that an edition shows to be its own."""
        return frozenset(number for leaf in self.editions.values() for number in leaf.opened)

    def charges(self, dataset: str) -> Mapping[str, list[tuple[int, ChargeLeaf]]]:
        """Block of a dataset → its charges with the numbers of their lines, in order."""
        return self._charges.get(dataset, {})

    @cached_property
    def _charges(self) -> dict[str, dict[str, list[tuple[int, ChargeLeaf]]]]:
        found: dict[str, dict[str, list[tuple[int, ChargeLeaf]]]] = {}
        for number, leaf in enumerate(self.leaves):
            if isinstance(leaf, ChargeLeaf):
                found.setdefault(leaf.dataset, {}).setdefault(leaf.block, []).append((number, leaf))
        return found

    def blocks(self) -> list[Block]:
        """Every dataset and block that was charged, in order."""
        return sorted(self._spent)

    def path(self, number: int, *, size: int) -> list[str]:
        """The proof, in hexadecimal, that a line is among the first ``size`` (RFC 9162, section 2.1.3)."""
        hashes = [leaf_hash(line.encode()) for line in self.lines[:size]]
        return [step.hex() for step in inclusion_path(number, hashes)]


def goes_on(there: Sequence[str], now: Sequence[str]) -> bool:
    """Whether a log may take the place of an earlier one: it begins with all its lines, or its ledger was lost and it says so."""
    return list(now[: len(there)]) == list(there) or replaces(there, now)


def replaces(there: Sequence[str], now: Sequence[str]) -> bool:
    """Whether a log says in its first line that it takes the place of ``there``, whose ledger was lost."""
    root = Tree(leaf_hash(line.encode()) for line in there).root().hex()
    return History.read(now[:1]).lost == Head(size=len(there), root=root) if there else False


def _check_openings(edition: EditionLeaf, before: Sequence[OneLeaf]) -> None:
    """An edition's charges come before it, are of one dataset, and are one for each block; what others paid came before it, too."""
    named = (*edition.charges, *edition.draws)
    leaves = [before[o.leaf] for o in named if o.leaf < len(before)]
    charges = [leaf for leaf in leaves if isinstance(leaf, ChargeLeaf)]
    found = charges[: len(edition.charges)]
    one_each = len({c.block for c in found}) == len(found) and len({c.dataset for c in found}) == 1
    if len(charges) != len(named) or len(edition.opened) != len(named) or not one_each:
        raise HistoryError(f"{LOG}: {edition.path} does not name one earlier charge for each of its blocks.")
