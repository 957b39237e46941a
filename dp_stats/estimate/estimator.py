"""The version of the method by which values are estimated from noisy measurements."""

from __future__ import annotations

VERSION = 5
"""Goes up by one with every change that gives other values or intervals for the same stored measurements.

Each published edition says by which version it was estimated. What is published never changes: other estimates of stored
measurements are a revision of kind ``method``, which costs nothing. ``tests/unit/test_estimator_version.py`` keeps what each
version gives.
"""
