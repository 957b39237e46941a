"""Figures that no scheduled release has: ask, see what it costs, decide, and what published editions tell for free.

``requests`` → ``preflight`` (the card; ``free``: what is published already) → ``approval`` (who decides) → ``decisions``,
which DAGs call through the names here → the same steps as any release (``dp_stats.pipeline``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dp_stats.requests.approval import may_decide
    from dp_stats.requests.decisions import (
        Request,
        answer,
        ask,
        authorise,
        card,
        decide,
        hand_over,
        name_of,
        request,
        withdraw,
        would_count,
    )
    from dp_stats.requests.trying import try_out

__all__ = [
    "Request",
    "answer",
    "ask",
    "authorise",
    "card",
    "decide",
    "hand_over",
    "may_decide",
    "name_of",
    "request",
    "try_out",
    "withdraw",
    "would_count",
]


def __getattr__(name: str) -> Any:
    """Import the planner and the ledger only when a decision is called: Airflow reads the form at every parse."""
    if name not in __all__:
        raise AttributeError(f"module 'dp_stats.requests' has no attribute '{name}'")
    return getattr(import_module(f"dp_stats.requests.{'trying' if name == 'try_out' else 'decisions'}"), name)
