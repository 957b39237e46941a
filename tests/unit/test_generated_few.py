"""A quick look at generated catalogues: what check accepts publishes, and the public files keep every promise."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from benchmarks.generated import try_out
from tests.catalogues import Declared, catalogues


@pytest.mark.slow
@settings(
    max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(catalogues())
def test_what_check_accepts_publishes(declared: Declared) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcome = try_out(declared, Path(folder))
        assert outcome.sound, outcome
