"""What tests of units share: a new ledger, the clock that it reads, and a machine that stands elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
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


@pytest.fixture
def in_tokyo() -> Iterator[None]:
    """The clock of this machine is Japan's."""
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()
