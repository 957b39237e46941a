"""What tests of units share: a new ledger, and the clock that it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_examples import Clock, new_ledger

from dp_stats.ledger import Ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return new_ledger(tmp_path, clock)
