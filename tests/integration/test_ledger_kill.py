"""Processes killed at any instant leave a ledger that is whole, within its caps, and with one set of values."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_examples import Ledger, alone, check_witnesses, measured, plan, postgres, reserve, storm


@pytest.mark.slow
def test_sixty_processes_killed_on_sqlite_leave_it_whole(tmp_path: Path) -> None:
    head = alone(storm, url=f"sqlite:///{tmp_path / 'ledger.db'}", folder=tmp_path, kills=60)
    assert head.sequence > 60, "the kills came before anything was written"


@pytest.mark.slow
def test_twenty_processes_killed_on_postgresql_leave_it_whole(tmp_path: Path) -> None:
    with postgres() as database:
        head = alone(storm, url=database(), folder=tmp_path, kills=20, seed=2)
    assert head.sequence > 20, "the kills came before anything was written"


def test_a_draw_before_it_was_paid_for_would_be_noticed(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.db")
    reserve(ledger, plan())
    witness = tmp_path / "witness"
    witness.write_text("drew weekly/2021-W07\n")
    with pytest.raises(AssertionError, match="before it was paid for"):
        check_witnesses(ledger, [witness])


def test_a_second_set_of_values_would_be_noticed(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.db")
    measured(ledger, plan(), b"kept")
    witness = tmp_path / "witness"
    witness.write_text("got weekly/2021-W07 other\n")
    with pytest.raises(AssertionError, match="two sets"):
        check_witnesses(ledger, [witness])
