"""What happens to one charge, register or edition happens to no other, and an entry that cannot follow is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import Clock, dataset, measured, new_ledger, plan, reserve, sealed
from sqlalchemy import Connection, select

from dp_stats.errors import LedgerError
from dp_stats.ledger import Reservation, schema
from dp_stats.ledger.projection import project

RICH = dataset(rho="1")


class Charged:
    """Two series of two releases, and the like of one for another dataset, each charged for two blocks."""

    def __init__(self, folder: Path) -> None:
        self.ledger = new_ledger(folder)
        self.week = reserve(self.ledger, plan("2021-W01", series="a"), dataset=RICH)
        border = plan("2021-W53", series="a", blocks=["2021", "2022"])
        self.border = reserve(self.ledger, border, dataset=RICH)
        monthly = plan("2021-W53", series="b", blocks=["2021", "2022"], release="monthly")
        self.monthly = reserve(self.ledger, monthly, dataset=RICH)
        like = replace(sealed(border), plan=border.model_copy(update={"dataset": "deaths", "release": "other"}))
        deaths = RICH.model_copy(update={"id": "deaths"})
        told: Any = {"dataset": deaths, "category": "scheduled", "requested_by": "scheduler", "reason": ""}
        self.deaths = self.ledger.reserve(like, **told)
        self.all = (self.border, self.monthly, self.deaths)

    def states(self) -> dict[tuple[str, str, str], str]:
        """(Dataset, release, block) → what became of the charge; all of them are reserved at first."""
        names = {(made.dataset, made.key): (made.dataset, made.release) for made in self.all}
        c = schema.charges.c
        with self.ledger._database.read() as connection:
            rows = connection.execute(select(c.dataset, c.key, c.block, c.state)).all()
        return {(*names[row.dataset, row.key], row.block): row.state for row in rows}

    def versions(self, made: Reservation) -> list[bool]:
        return [entry.replaced for entry in self.ledger.register_entries(made)]


@pytest.fixture
def charged(tmp_path: Path) -> Charged:
    return Charged(tmp_path)


BLOCKS = [
    ("cases", "weekly", "2021"),
    ("cases", "weekly", "2022"),
    ("cases", "monthly", "2021"),
    ("cases", "monthly", "2022"),
    ("deaths", "other", "2021"),
    ("deaths", "other", "2022"),
]
RESERVED = dict.fromkeys(BLOCKS, "reserved")


def test_an_edition_spends_its_own_blocks_of_its_own_charge(charged: Charged) -> None:
    assert charged.states() == RESERVED
    charged.ledger.register_entry(charged.week, expected=0, digest="one")
    charged.ledger.spend(charged.week)
    assert charged.states() == RESERVED | {("cases", "weekly", "2021"): "spent"}
    assert [charged.ledger.latest(m.edition).state for m in charged.all] == ["reserved"] * 3  # type: ignore[union-attr]
    assert charged.ledger.problems() == []


def test_what_is_given_back_is_the_editions_own_alone_and_can_be_charged_again(charged: Charged) -> None:
    charged.ledger.void(charged.border, "not wanted")
    assert charged.states() == RESERVED | {("cases", "weekly", "2022"): "void"}
    charged.ledger.void(charged.monthly, "not wanted")
    charged.ledger.void(charged.deaths, "not wanted")
    charged.ledger.void(charged.week, "not wanted")
    void = dict.fromkeys(BLOCKS, "void")
    assert charged.states() == void
    again = reserve(charged.ledger, plan("2022-W07", series="a", blocks=["2022"]), dataset=RICH)
    assert charged.states() == void | {("cases", "weekly", "2022"): "reserved"}
    assert again.charged == ("2022",)
    assert charged.ledger.problems() == []


def test_a_block_that_is_charged_cannot_be_charged_again_by_any_entry(charged: Charged) -> None:
    payload = next(entry.payload for entry in charged.ledger.entries() if entry.event == "reserved")
    with pytest.raises(LedgerError), charged.ledger._write() as writer:
        writer.append("reserved", {**payload, "edition": "weekly/2021-W30"})
    assert charged.states() == RESERVED


def test_a_version_of_a_register_replaces_those_of_its_own_edition_alone(charged: Charged) -> None:
    for made in (charged.border, charged.monthly, charged.deaths):
        charged.ledger.register_entry(made, expected=0, digest="one")
    charged.ledger.register_entry(charged.week, expected=1, digest="one")
    charged.ledger.register_entry(charged.border, expected=2, digest="two")
    assert [charged.versions(made) for made in charged.all] == [[True, False, False], [False], [False]]
    charged.ledger.void(charged.border, "not wanted")
    assert [charged.versions(made) for made in charged.all] == [[True, False, True], [False], [False]]


def test_what_a_decision_showed_and_what_made_the_files_are_kept_in_the_order_of_their_names(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan())
    shown: dict[str, Any] = {"2022": "1", "2021": "2"}
    ledger.approve("a plan", "custodian", "approved", "", Clock().now + timedelta(1), shown)
    with ledger._database.write() as connection:
        assert kept(connection, schema.approvals.c.shown) == json.dumps({"2021": "2", "2022": "1"})


def kept(connection: Connection, column: Any) -> object:
    return connection.execute(select(column)).scalar_one()


def test_measurements_that_are_rebuilt_from_their_entry_have_no_content(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    measured(ledger, plan(), b"noisy")
    entry = ledger.entries()[-1]
    with ledger._database.write() as connection:
        assert kept(connection, schema.measurements.c.content) == b"noisy"
        connection.exec_driver_sql("DROP TRIGGER ledger_measurements_delete")
        connection.execute(schema.measurements.delete())
        project(connection, entry, at="2021-03-01T09:30:00.000000Z")
        assert kept(connection, schema.measurements.c.content) == b""


def test_another_dataset_keeps_its_own_cap_and_kind_of_block(tmp_path: Path) -> None:
    charged = Charged(tmp_path)
    reserve(charged.ledger, plan("2021-W08", series="a"), dataset=dataset(rho="2"))
    c = schema.datasets.c
    with charged.ledger._database.read() as connection:
        rows = connection.execute(select(c.dataset, c.block_kind, c.cap, c.delta).order_by(c.dataset)).all()
    assert [tuple(row) for row in rows] == [("cases", "year", "2", "1/1000000"), ("deaths", "year", "1", "1/1000000")]
