"""Noisy measurements → the best consistent value, with an interval, of every published cell. No rows here."""

from __future__ import annotations

from dp_stats.estimate.model import CutEstimate, EditionEstimates, Estimate
from dp_stats.estimate.tables import estimate

__all__ = ["CutEstimate", "EditionEstimates", "Estimate", "estimate"]
