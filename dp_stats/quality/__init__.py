"""Quality gates: suites of expectations, run on rows before anything is charged and on tables before they are published."""

from __future__ import annotations

from dp_stats.quality.gx import DatabaseTable, SparkTable
from dp_stats.quality.suites import ROWS, QualityReport, check, check_published, find_suite, review

__all__ = ["ROWS", "DatabaseTable", "QualityReport", "SparkTable", "check", "check_published", "find_suite", "review"]
