"""An edition runs from source to site; whatever stops it, there is one charge, one draw and one edition."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dp_stats import pipeline
from dp_stats.errors import (
    BudgetError,
    CatalogueError,
    DpStatsError,
    LedgerError,
    NotDueError,
    OptOutError,
    QualityError,
    SourceError,
)
from dp_stats.ledger import Ledger
from dp_stats.transparency.kept import Kept
from dp_stats.transparency.verifying import verify
from tests.killing import dying_in
from tests.warm_python import python


def spent(clinic: Any) -> float:
    if not clinic.settings.home.exists():
        return 0
    ledger = Ledger.open(clinic.settings.ledger_url)
    return float(sum(block.spent + block.reserved for block in ledger.blocks("visits")))


def editions(clinic: Any) -> list[str]:
    public = clinic.settings.public_dir
    return sorted(str(p.parent.relative_to(public)) for p in public.glob("visits/*/r*/edition.json"))


def values(clinic: Any, edition: str, table: str = "clinic-day") -> list[float]:
    return pq.read_table(clinic.settings.public_dir / edition / f"{table}.parquet")["value_unbiased"].to_pylist()


def test_an_edition_is_published_and_running_it_again_changes_nothing(clinic: Any) -> None:
    pipeline.run_edition(clinic.first)
    before, cost = values(clinic, f"{clinic.first}/r1"), spent(clinic)
    assert cost > 0
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))
    pipeline.run_edition(clinic.first)
    assert values(clinic, f"{clinic.first}/r1") == before
    assert spent(clinic) == cost


def test_later_editions_of_a_series_cost_nothing_and_never_count_a_person_beyond_the_bound(clinic: Any) -> None:
    pipeline.run_edition(clinic.first)
    cost = spent(clinic)
    pipeline.run_edition(clinic.second)
    assert spent(clinic) == cost
    assert editions(clinic) == [f"{clinic.first}/r1", f"{clinic.second}/r1"]
    kept: dict[str, int] = {}
    for path in (clinic.settings.secure / "register").rglob("*.parquet"):
        table = pq.read_table(path).to_pydict()
        for person, rows in zip(table["hash"], table["kept"], strict=True):
            kept[person] = kept.get(person, 0) + rows
    assert max(kept.values()) == 3


def test_a_correction_needs_a_reason_costs_again_and_leaves_the_first_revision_alone(clinic: Any) -> None:
    pipeline.run_edition(clinic.first)
    before, cost = values(clinic, f"{clinic.first}/r1"), spent(clinic)
    with pytest.raises(DpStatsError, match="reason"):
        pipeline.run_edition(clinic.first, revision=2)
    assert spent(clinic) == cost
    pipeline.run_edition(clinic.first, revision=2, reason="The east clinic had sent its rows twice.")
    assert spent(clinic) > cost
    public = clinic.settings.public_dir
    found = verify(str(public), kept=Kept.read(str(public / clinic.first / "r1")))
    assert {block: float(rho) for block, rho in found.spent.items()} == {("visits", "2024"): spent(clinic)}
    assert (found.editions, found.charges, found.unnamed) == (2, 2, {})
    for page in ("budget.html", f"{clinic.first}/index.html"):
        assert f"dp-stats verify {clinic.settings.base_url}" in (public / page).read_text(), page
    assert values(clinic, f"{clinic.first}/r1") == before
    assert editions(clinic) == [f"{clinic.first}/r1", f"{clinic.first}/r2"]


def wrong_catalogue(clinic: Any) -> None:
    clinic.change("releases/visits.yaml", dataset="missing")


def missing_column(clinic: Any) -> None:
    path = clinic.folder / "visits.csv"
    path.write_text(path.read_text().replace("Clinic", "Place", 1))


def broken_line(clinic: Any) -> None:
    path = clinic.folder / "visits.csv"
    path.write_text(path.read_text() + 'p1,2024-01-09,"north,3.50,555\n')


def unreachable_database(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", source={"kind": "postgres", "table": "visits", "url_env": "CLINIC_URL"})


def exhausted_budget(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 0.1, "delta": "1e-6"})


def missing_opt_outs(clinic: Any) -> None:
    (clinic.folder / "opt-outs.csv").unlink()


def failed_gate(clinic: Any) -> None:
    path = clinic.folder / "expectations" / "visits.json"
    path.write_text(path.read_text().replace('"min_value": 10', '"min_value": 1000000'))


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (wrong_catalogue, CatalogueError, "there is no dataset 'missing'"),
        (missing_column, SourceError, "clinic"),
        (broken_line, SourceError, "line"),
        (unreachable_database, SourceError, "CLINIC_URL"),
        (exhausted_budget, BudgetError, "remaining"),
        (missing_opt_outs, OptOutError, "opt-outs.csv"),
        (failed_gate, QualityError, "expect_table_row_count_to_be_between"),
    ],
)
def test_a_fault_is_said_clearly_and_leaves_no_edition_and_no_charge(
    clinic: Any, monkeypatch: pytest.MonkeyPatch, fault: Any, error: type[DpStatsError], says: str
) -> None:
    monkeypatch.setenv("CLINIC_URL", "postgresql://nobody:secret-word@127.0.0.1:1/none")
    fault(clinic)
    with pytest.raises(error, match=says) as caught:
        pipeline.run_edition(clinic.first)
    assert "secret-word" not in str(caught.value)
    assert "p1" not in str(caught.value)
    assert editions(clinic) == []
    assert spent(clinic) == 0
    assert not list((clinic.settings.secure / "staging").rglob("*.parquet"))


def test_a_period_that_has_not_settled_is_not_run(clinic: Any) -> None:
    with pytest.raises(NotDueError, match="settles 3 days later"):
        pipeline.run_edition("visits/2199-W01")


def test_measuring_without_a_reservation_is_refused(clinic: Any) -> None:
    pipeline.pull(clinic.first)
    with pytest.raises(LedgerError, match="Run the reserve step first"):
        pipeline.measure(clinic.first)


def test_a_fault_after_the_draw_keeps_the_charge_and_the_measurements(clinic: Any) -> None:
    for step in (pipeline.pull, pipeline.check, pipeline.reserve, pipeline.measure):
        step(clinic.first)
    cost = spent(clinic)
    assert cost > 0
    stored = Ledger.open(clinic.settings.ledger_url).measurements(clinic.first, 1)
    shutil.rmtree(clinic.settings.secure / "staging")
    pipeline.run_edition(clinic.first)
    assert Ledger.open(clinic.settings.ledger_url).measurements(clinic.first, 1) == stored
    assert spent(clinic) == cost


KILLED = dying_in("pipeline.run_edition(*arguments)")

MOMENTS = [
    *(
        (f"dp_stats.pipeline.{step}", when)
        for step in ("pull", "check", "reserve", "measure", "estimate", "publish")
        for when in ("before", "after")
    ),
    *(
        (f"dp_stats.ledger.Ledger.{call}", when)
        for call in ("register_entry", "spend", "store", "published")
        for when in ("before", "after")
    ),
    ("dp_stats.secure.measure.add_noise", "after"),
    ("dp_stats.site.build_for", "before"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "when"), MOMENTS)
def test_killed_at_any_step_and_started_again_gives_one_charge_one_draw_and_one_edition(
    clinic: Any, target: str, when: str
) -> None:
    killed = python(KILLED, target, when, clinic.first, environment=clinic.environment)
    assert killed.returncode == -9, killed.stdout
    clinic.settings.home.mkdir(exist_ok=True)
    drawn = Ledger.open(clinic.settings.ledger_url).measurements(clinic.first, 1)
    charged = spent(clinic)
    pipeline.run_edition(clinic.first)
    stored = Ledger.open(clinic.settings.ledger_url).measurements(clinic.first, 1)
    assert stored is not None
    assert drawn is None or drawn == stored
    assert charged in (0, spent(clinic))
    assert editions(clinic) == [f"{clinic.first}/r1"]
    ledger = Ledger.open(clinic.settings.ledger_url)
    ledger.verify()
    assert len([c for c in ledger.charges("visits") if c.state != "void"]) == 1
    assert not [p for p in Path(clinic.settings.public_dir).rglob("*") if p.name.endswith((".tmp", ".part"))]
