"""Quotes that people have asked for, kept for a month so that they can be looked at; nobody but who asked sees them.

They are no requests: nothing follows from them, and nothing is missed when they are lost.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from dp_stats.files import replace_file, sha256
from dp_stats.ledger.amounts import epsilon as epsilon_of
from dp_stats.ledger.budget import who
from dp_stats.ledger.records import Quote
from dp_stats.requests.approval import Way
from dp_stats.requests.preflight import part_of
from dp_stats.requests.trying import Tried
from dp_stats.settings import Settings

KEPT = timedelta(days=30)


class Left(TypedDict):
    """What may still be charged to a block, of one limit: its share of the block's budget, and as ε."""

    block: str
    of: str
    share: float
    epsilon: float
    most_share: float


class Costs(TypedDict):
    """One loss of the curve; see ``trying.Point``."""

    epsilon: float
    rho: float
    share: float
    margin: float | None
    fits: bool
    asked: bool


class KeptQuote(TypedDict):
    """A quote as it is kept; see ``trying.Tried``."""

    title: str
    at: str
    run: str
    way: Way
    points: list[Costs]
    left: list[Left]
    refusals: list[str]
    free_margin: float | None
    free_from: str
    fitting_epsilon: float | None
    fitting_margin: float | None
    asked_margin: float | None


def left_of(quote: Quote) -> list[Left]:
    """Every limit on every block of a quote."""
    caps = {state.block: state for state in quote.before}
    return [
        Left(
            block=block,
            of=limit.of,
            share=part_of(limit.left, caps[block].cap),
            epsilon=epsilon_of(limit.left, caps[block].delta),
            most_share=part_of(limit.most, caps[block].cap),
        )
        for block, limits in quote.limits.items()
        for limit in limits
    ]


def kept_quote(tried: Tried, *, run: str) -> KeptQuote:
    """A quote as it is kept."""
    free, fitting = tried.card.free, tried.fitting
    return KeptQuote(
        title=tried.card.release.title,
        at=datetime.now(UTC).isoformat(),
        run=run,
        way=tried.way,
        points=[
            Costs(epsilon=p.epsilon, rho=float(p.rho), share=p.share, margin=p.margin, fits=p.fits, asked=p.asked)
            for p in tried.points
        ],
        left=left_of(tried.card.quote),
        refusals=list(tried.card.refusals),
        free_margin=free.margin if free else None,
        free_from=free.title if free else "",
        fitting_epsilon=fitting.epsilon if fitting else None,
        fitting_margin=fitting.margin if fitting else None,
        asked_margin=tried.question.margin,
    )


def keep_tried(quote: KeptQuote, *, user: str, settings: Settings) -> None:
    """Keep a quote for who asked for it, and forget what is older than a month."""
    folder = settings.requests / "tried" / sha256(who(user).encode())[:32]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(folder / f"{sha256(quote['run'].encode())[:32]}.json", json.dumps(quote, ensure_ascii=False).encode())
    for path in folder.glob("*.json"):
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < datetime.now(UTC) - KEPT:
            path.unlink(missing_ok=True)


def tried_by(user: str, *, settings: Settings) -> list[KeptQuote]:
    """What a user has tried, newest first; a file that cannot be read is left out."""
    found: list[Any] = []
    for path in (settings.requests / "tried" / sha256(who(user).encode())[:32]).glob("*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and content.keys() >= KeptQuote.__required_keys__:
            found.append(content)
    return sorted(found, key=lambda quote: str(quote["at"]), reverse=True)
