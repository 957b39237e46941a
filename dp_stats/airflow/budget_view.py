"""What the budget page shows, read from the ledger (never written) and the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from dp_stats import written
from dp_stats.airflow.burndown import burndown
from dp_stats.catalogue import Catalogue, read_catalogue
from dp_stats.errors import NoLedgerError
from dp_stats.ledger import Ledger
from dp_stats.ledger.records import Charge
from dp_stats.operations.forecast import BlockForecast, NextCharge, forecast
from dp_stats.plan.accounting import delta_of
from dp_stats.settings import Settings, load_settings


@dataclass(frozen=True)
class ChargeRow:
    """One charge, ready to print; links are empty where there is nothing to link to."""

    when: str
    who: str
    why: str
    category: str
    state: str
    share: str
    rho: str
    edition: str
    editions: int
    edition_link: str
    run_link: str


@dataclass(frozen=True)
class BlockView:
    """One block: shares are of the cap in ρ, in per cent; amounts are shown as ε."""

    block: str
    cap: str
    spent: str
    reserved: str
    left: str
    spent_share: float
    reserved_share: float
    left_share: float
    chart: str
    charges: tuple[ChargeRow, ...]
    coming: tuple[dict[str, str], ...]
    runs_out: str
    level: str


@dataclass(frozen=True)
class DatasetView:
    """One dataset with its charged blocks, newest first, and what will be charged to others."""

    id: str
    title: str
    unit: str
    delta: str
    custodians: str
    blocks: tuple[BlockView, ...]
    coming: tuple[dict[str, str], ...]


def open_ledger(settings: Settings) -> Ledger | None:
    """The ledger, read-only; None while nothing was ever charged."""
    try:
        return Ledger.open(settings.ledger_url, read_only=True)
    except NoLedgerError:
        return None


def datasets(only: str | None = None) -> list[DatasetView]:
    """Every dataset that was charged or will be (or the one named)."""
    settings = load_settings()
    catalogue = read_catalogue(settings.catalogue)
    ledger = open_ledger(settings)
    if ledger is None:
        return []
    now = datetime.now(UTC)
    views = []
    for dataset in catalogue.datasets.values():
        if only and dataset.id != only:
            continue
        charges = [c for c in ledger.charges(dataset.id) if c.state != "void"]
        blocks = forecast(catalogue, dataset, ledger, today=now.date())
        views.append(
            DatasetView(
                id=dataset.id,
                title=dataset.title,
                unit=f"one {dataset.privacy_unit.name}, per {dataset.privacy_unit.per}",
                delta=written.delta(delta_of(dataset.budget)),
                custodians=", ".join(person.name for person in dataset.custodians),
                blocks=tuple(
                    _block(block, [c for c in charges if c.block == block.budget.block], settings, now)
                    for block in reversed(blocks)
                    if block.budget.spent or block.budget.reserved
                ),
                coming=tuple(
                    _coming(charge, block.budget.cap)
                    for block in blocks
                    if not (block.budget.spent or block.budget.reserved)
                    for charge in block.next[:2]
                )[:8],
            )
        )
    return views


def _block(forecasted: BlockForecast, charges: list[Charge], settings: Settings, now: datetime) -> BlockView:
    state = forecasted.budget
    cap = state.cap

    def share(rho: Fraction) -> float:
        return float(100 * rho / cap) if cap else 0.0

    used, points = Fraction(0), []
    for charge in charges:
        used += charge.rho
        points.append((charge.at, float(used / cap), charge.edition))
    ahead = []
    for coming in forecasted.next:
        used += coming.rho
        ahead.append((coming.due, float(used / cap), coming.edition))
    out = forecasted.runs_out
    left = share(state.remaining)
    return BlockView(
        block=state.block,
        cap=written.epsilon(state.epsilon("cap")),
        spent=written.epsilon(state.epsilon("spent")),
        reserved=written.epsilon(state.epsilon("reserved")),
        left=written.epsilon(state.epsilon("remaining")),
        spent_share=share(state.spent),
        reserved_share=share(state.reserved),
        left_share=left,
        chart=burndown(points, ahead, now=now),
        charges=tuple(_charge(c, settings) for c in reversed(charges)),
        coming=tuple(_coming(c, cap) for c in forecasted.next[:6]),
        runs_out=f"{written.day(out.due)} (cannot pay for {out.edition})" if out else "",
        level="bad" if out or left < 10 else "low" if left < 35 else "good",
    )


def _coming(charge: NextCharge, cap: Fraction) -> dict[str, str]:
    return {
        "due": written.day(charge.due),
        "edition": charge.edition,
        "block": charge.block,
        "share": _percent(charge.rho, cap),
        "rho": written.rho(charge.rho),
    }


def _charge(charge: Charge, settings: Settings) -> ChargeRow:
    path = f"{charge.edition}/r{charge.revision}"
    return ChargeRow(
        when=written.moment(charge.at),
        who=charge.requested_by,
        why=charge.reason,
        category={"adhoc": "ad hoc"}.get(charge.category, charge.category),
        state=charge.state,
        share=_percent(charge.rho, charge.cap),
        rho=written.rho(charge.rho),
        edition=charge.edition,
        editions=len(charge.editions),
        edition_link=f"editions/{path}/" if edition_folder(settings, path) else "",
        run_link=run_link(charge.run),
    )


def moment_of(text: str) -> datetime:
    """A moment that was kept as ISO text."""
    return datetime.fromisoformat(text)


def run_link(run: str) -> str:
    """Where Airflow shows a run that the ledger knows as ``dag/run``."""
    dag, slash, run_id = run.partition("/")
    return f"/dags/{quote(dag)}/runs/{quote(run_id, safe='')}" if slash else ""


def edition_folder(settings: Settings, path: str) -> Any:
    """The folder of a published revision (``release/period/rN``), public or restricted; None if there is none."""
    for base in (settings.public_dir, settings.home / "restricted"):
        if (base / path / "edition.json").is_file():
            return base / path
    return None


def catalogue() -> Catalogue:
    """The declared catalogue."""
    return read_catalogue(load_settings().catalogue)


def _percent(rho: Fraction, cap: Fraction) -> str:
    return written.share(rho / cap) if cap else ""
