"""Whole numbers, none negative, that add up exactly across every published table of a statistic.

Tables are settled from the coarsest to the finest. Each is the table nearest to its least-squares target
(in squares, jointly for all its margins) among those that are not negative and add up to what is already
settled; then it is rounded so that it still adds up. A table with one settled margin is rounded by largest
remainders; with two, by controlled rounding of a two-way table, which always has a solution in whole
numbers (Bacharach 1966; Causey, Cox and Ernst 1985). Where the finest tables would meet in three or more
margins, for which no solution need exist, one table that is finer than all of them is settled instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid
from dp_stats.estimate.fit import nearest_with_margins
from dp_stats.estimate.lattice import Lattice, LevelIndex
from dp_stats.estimate.rounding import round_two_way, round_within, settled

Integers = NDArray[np.int64]
Target = Callable[[LevelIndex], NDArray[np.float64]]


def make_consistent(
    grid: Grid,
    published: Sequence[LevelIndex],
    target: Target,
    *,
    also: Sequence[LevelIndex] = (),
    signed: bool = False,
) -> dict[LevelIndex, Integers]:
    """Whole numbers for every published table of one additive statistic, agreeing on all they share.

    Args:
        grid: the public grid.
        published: levels of the published tables (see ``Lattice.key``).
        target: the value each cell should be near to, as an array of the shape of a level; must be
            available for every published level, every level they share, and their common refinement.
        also: further levels to keep near their target (they are not returned).
        signed: allow negative values (sums with a negative lower bound).

    Returns:
        One int64 array per distinct published level.
    """
    lattice = Lattice(grid)
    wanted = list(dict.fromkeys(published))
    leading = lattice.maximal(wanted)
    settled = _settle_all(lattice, wanted, leading, target, also, signed)
    if settled is None:
        joint = lattice.finest(leading)
        leading = [joint]
        settled = _settle_all(lattice, [*wanted, joint], leading, target, also, signed)
        assert settled is not None, "a single leading table need not agree with another"
    done: dict[LevelIndex, Integers] = {}
    for key in wanted:
        source = next(lead for lead in leading if lattice.sums_to(lead, key))
        done[key] = lattice.roll_up(settled[source], source, key).astype(np.int64)
    return done


def _settle_all(
    lattice: Lattice,
    wanted: Sequence[LevelIndex],
    leading: list[LevelIndex],
    target: Target,
    also: Sequence[LevelIndex],
    signed: bool,
) -> dict[LevelIndex, Integers] | None:
    helpful = [k for k in also if any(lattice.sums_to(lead, k) for lead in leading)]
    settler = _Settler(lattice, target, signed, leading, {})
    for key in lattice.closure([*wanted, *helpful]):
        if not settler.settle(key):
            return None
    return settler.settled


@dataclass(frozen=True)
class _Settler:
    """Tables settled so far; ``leading`` are the finest published ones, from which all others are summed."""

    lattice: Lattice
    target: Target
    signed: bool
    leading: list[LevelIndex]
    settled: dict[LevelIndex, Integers]

    def settle(self, key: LevelIndex) -> bool:
        """Settle one table; False if whole numbers that agree with all leading tables may not exist."""
        must = self._must_meet(key)
        if len(must) > 2 or (len(must) == 2 and not self.lattice.comparable(*must)):
            return False
        exact = dict(must)
        useful = {k: v for k, v in self.settled.items() if k != key and self.lattice.sums_to(key, k)}
        for k in sorted(self.lattice.maximal(useful), key=lambda k: -useful[k].size):
            if len(exact) < 2 and self._can_join(k, useful[k], exact):
                exact[k] = useful[k]
        also = {k: useful[k] for k in self.lattice.maximal(useful) if k not in exact}
        if len(exact) == 2 and self.lattice.finest(exact) != key:
            between = self.lattice.finest(exact)
            self._place(between, exact, {k: v for k, v in also.items() if self.lattice.sums_to(between, k)})
            exact = {between: self.settled[between]}
        self._place(key, exact, also)
        return True

    def _must_meet(self, key: LevelIndex) -> dict[LevelIndex, Integers]:
        shared: dict[LevelIndex, Integers] = {}
        for other in self.leading:
            if other in self.settled:
                at = self.lattice.coarsest((key, other))
                shared[at] = self.lattice.roll_up(self.settled[other], other, at).astype(np.int64)
        return {k: shared[k] for k in self.lattice.maximal(shared)}

    def _can_join(self, key: LevelIndex, values: Integers, exact: Mapping[LevelIndex, Integers]) -> bool:
        for other, others in exact.items():
            if self.lattice.sums_to(other, key) or not self.lattice.comparable(other, key):
                return False
            at = self.lattice.coarsest((key, other))
            if not np.array_equal(self.lattice.roll_up(values, key, at), self.lattice.roll_up(others, other, at)):
                return False
        return True

    def _place(
        self, key: LevelIndex, exact: Mapping[LevelIndex, Integers], also: Mapping[LevelIndex, Integers]
    ) -> None:
        index = {k: self.lattice.cell_index(key, k) for k in (*also, *exact)}
        totals = {k: v.ravel() for k, v in (*also.items(), *exact.items())}
        # the first exact margin comes last: the fit meets it to rounding error, which rounding relies on
        order = [*also, *list(exact)[::-1]]
        fitted = nearest_with_margins(
            self.target(key).ravel(),
            [(index[k], totals[k].astype(np.float64)) for k in order],
            signed=self.signed,
        )
        if not exact:
            whole = np.rint(settled(fitted)).astype(np.int64)
        elif len(exact) == 1:
            (one,) = exact
            whole = round_within(fitted, index[one], totals[one])
        else:
            rows, columns = exact
            block = self.lattice.cell_index(key, self.lattice.coarsest(exact))
            whole = round_two_way(
                fitted, block, index[rows], totals[rows], index[columns], totals[columns], signed=self.signed
            )
        self.settled[key] = whole.reshape(self.lattice.shape(key))
