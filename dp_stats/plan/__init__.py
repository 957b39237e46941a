"""What will be measured: strategy, noise scales, cost and expected error; all privacy accounting."""

from dp_stats.plan.make import make_plan
from dp_stats.plan.model import ExpectedError, Measurement, Plan

__all__ = ["ExpectedError", "Measurement", "Plan", "make_plan"]
