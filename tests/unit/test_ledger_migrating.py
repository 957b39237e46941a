"""A ledger of the first schema is upgraded; what was reserved before plans were sealed is refused in words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from dp_stats.errors import LedgerError
from dp_stats.ledger import Ledger
from dp_stats.ledger.chain import link

RESERVED = {
    "dataset": "cases",
    "release": "weekly",
    "period": "2024-W01",
    "edition": "weekly/2024-W01",
    "revision": 1,
    "plan": "p" * 64,
    "key": "k",
    "series": True,
    "blocks": ["2024"],
    "charged": ["2024"],
    "rho": "1/100",
    "cap": "1",
    "delta": "1/1000000",
    "block_kind": "year",
    "category": "scheduled",
    "requested_by": "scheduler",
    "reason": "scheduled edition",
    "run": "",
    "approvers": [],
}


def test_a_ledger_of_the_first_schema_keeps_its_charges_and_refuses_plans_it_never_kept(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with create_engine(f"sqlite:///{file}").begin() as connection:
        config = Config()
        config.set_main_option("script_location", "dp_stats.ledger:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        now = datetime.now(UTC)
        first = link(connection, previous=None, now=now, event="created", payload={"ledger": "old", "format": 1})
        link(connection, previous=first, now=now, event="reserved", payload=RESERVED)
    ledger = Ledger.open(file)
    assert ledger.problems() == []
    assert [c.block for c in ledger.charges()] == ["2024"]
    assert ledger.series("weekly", dataset="cases") == []
    old = ledger.latest("weekly/2024-W01")
    assert old is not None
    with pytest.raises(LedgerError, match="earlier version of dp_stats"):
        ledger.sealed(old)
