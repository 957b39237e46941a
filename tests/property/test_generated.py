"""Generated catalogues: whatever check accepts publishes, and the public files keep every promise."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from benchmarks.generated import try_out
from tests.catalogues import Declared, catalogues
from tests.public_files import html_faults

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

EXAMPLES = 20
"""What three minutes of one core allow, the same each time; benchmarks/generated.py tries thousands of others."""


def test_what_check_accepts_publishes_and_its_public_files_keep_every_promise(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(catalogues())
    def search(declared: Declared) -> None:
        with tempfile.TemporaryDirectory() as folder:
            outcome = try_out(declared, Path(folder), pages=tmp_path)
            assert outcome.sound, outcome
            outcomes[outcome.kind] += 1

    search()
    assert outcomes["published"] > EXAMPLES / 4, outcomes  # a generator of refused catalogues would test nothing
    if shutil.which("java"):
        assert not (said := html_faults(sorted(tmp_path.glob("*.html")))), said[:2000]
