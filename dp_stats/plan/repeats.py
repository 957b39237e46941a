"""How often people repeat, from the noisy counts of an earlier edition: a guess to declare, at no cost to anyone's privacy."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10

from scipy.optimize import brentq

ENOUGH = 2.0
"""Persons with truncated rows are told from none where their number is this many times its standard error."""
LEAST_PERSONS = 1e-4
"""Numbers of rows that fewer persons have are left to the one before."""
SINGLY, STEP = 4, 1.6
"""So many numbers of rows beyond the bound are told one by one, then in steps that grow so."""


@dataclass(frozen=True)
class Seen:
    """What an edition published of the rows that its bound kept and truncated, all with noise.

    Attributes:
        bound: rows of one person that counted. kept: rows that did. truncated: rows that did not.
        persons, error: persons with truncated rows, and the standard error of their number.
    """

    bound: int
    kept: float
    truncated: float
    persons: float
    error: float


def repeats_seen(seen: Seen) -> dict[int, float]:
    """Rows per person → share of persons, to declare as ``contribution.repeats``; empty where too few persons have truncated
    rows to tell them from none.

    Up to the bound and one beyond, the chance of a further row is taken to be constant (a geometric law), such that the share
    of rows kept of persons who have more comes out as it was seen; beyond, another constant gives the mean that was seen.
    """
    if seen.persons < ENOUGH * seen.error or seen.kept <= 0:
        return {}
    k = seen.bound
    among_kept = min(seen.persons / seen.kept, 0.999 / k)
    again = _again(k, among_kept)
    found = {rows: (1 - again) * again ** (rows - 1) for rows in range(1, k + 1)}
    further = 1 - 1 / max(seen.truncated / seen.persons, 1.0)
    left, rows = again**k, k + 1
    while left > 0:
        last = rows if rows - k <= SINGLY else floor(k + (rows - k) * STEP)
        stays = left * further ** (last - rows + 1)
        if stays < LEAST_PERSONS:
            stays = 0.0
        place = round(rows + (_mean_within(further, last - rows + 1) if stays else further / (1 - further)))
        found[place] = found.get(place, 0.0) + left - stays
        left, rows = stays, last + 1
    return {rows: _digits(float(share)) for rows, share in found.items() if share > 0}


def _again(k: int, among_kept: float) -> float:
    """The chance a of a further row at which persons with more than ``k`` are so many per kept row: each has ``k`` kept,
    persons in all are kept·(1 − a)/(1 − aᵏ), and aᵏ of them have more."""
    if k == 1:
        return among_kept

    def too_many(a: float) -> float:
        return float(a**k * (1 - a) / (1 - a**k) - among_kept)

    return float(brentq(too_many, 1e-9, 1 - 1e-9))


def _mean_within(further: float, width: int) -> float:
    """Mean of a geometric law from 0 that stops before ``width``."""
    weights = [further**i for i in range(width)]
    return sum(i * w for i, w in enumerate(weights)) / sum(weights)


def _digits(share: float) -> float:
    return round(share, 2 - floor(log10(share)))
