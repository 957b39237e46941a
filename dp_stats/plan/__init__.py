"""What will be measured: strategy, noise scales, cost and expected error; all privacy accounting."""

from dp_stats.plan.make import make_plan, make_sealed
from dp_stats.plan.model import ExpectedError, Measurement, Plan
from dp_stats.plan.sealed import SealedPlan

__all__ = ["ExpectedError", "Measurement", "Plan", "SealedPlan", "make_plan", "make_sealed"]
