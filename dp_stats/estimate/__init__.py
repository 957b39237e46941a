"""Noisy measurements → the best consistent value, with an interval, of every published cell. No rows here."""

from __future__ import annotations

from dp_stats.estimate.model import EditionEstimates, Estimate, TruncationEstimate
from dp_stats.estimate.tables import estimate

__all__ = ["EditionEstimates", "Estimate", "TruncationEstimate", "estimate"]
