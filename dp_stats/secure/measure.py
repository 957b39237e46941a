"""Measure an edition once: register → bound → aggregate → charge → noise → store.

What was stored first is what every later call returns, so a retry costs nothing and learns nothing.
Exact answers live in the memory of one function; they are never written, logged or put in an error.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import LedgerError, RegisterError, SourceError
from dp_stats.plan.late_cost import costs_no_more
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.plan.sealed import SealedPlan
from dp_stats.plan.sensitivity import shared_blocks
from dp_stats.secure.aggregate import exact_answers
from dp_stats.secure.bound import Bound, Bounded, apply_bound
from dp_stats.secure.engines import open_snapshot
from dp_stats.secure.in_place.pinning import POINTER, PinnedTable, pinned_in_place
from dp_stats.secure.late import Views, late_answers, late_rows
from dp_stats.secure.noise import add_noise
from dp_stats.secure.pull import mapping_of
from dp_stats.secure.register import Register
from dp_stats.secure.rows import Rows, rows_that_count
from dp_stats.secure.sealed import sealed
from dp_stats.secure.secret import load_key
from dp_stats.secure.snapshots import pinned
from dp_stats.settings import Settings

if TYPE_CHECKING:
    from dp_stats.ledger import Ledger, Reservation


def measure(
    sealed_plan: SealedPlan,
    *,
    snapshot: Path,
    ledger: Ledger,
    reservation: Reservation,
    settings: Settings,
) -> NoisyMeasurements:
    """Return the noisy measurements of an edition: those in the ledger, or else new ones, drawn and stored.

    The charge turns from reserved to spent before the first random number is drawn; for a request and for a correction,
    before the first of its rows is read: whoever asks chooses the question, so a failure must cost what an answer costs. A
    reservation is given back only if nothing of the rows was read. Of two processes that draw at the same time, one stores; both
    return what is stored.

    Args:
        sealed_plan: the only declaration that is read. snapshot: rows that were pulled as it says.

    Raises:
        RegisterError: a file of the contribution register is missing or altered. Nothing was drawn.
        BudgetError, ApprovalError, LedgerError: the ledger does not allow the charge, or has it for another plan.
            Nothing was drawn.
        SourceError: the snapshot could not be read or aggregated. Nothing was drawn; the charge stands. Or it is missing
            or altered: nothing was read.
    """
    plan = sealed_plan.plan
    stored = _stored(plan, ledger, reservation)
    if stored is not None:
        return stored
    with ExitStack() as held:
        try:
            rows = held.enter_context(_pinned(sealed_plan, snapshot, settings))
            _authorise(sealed_plan, snapshot=rows, ledger=ledger, reservation=reservation)
        except Exception:
            _give_back(ledger, reservation)
            raise
        exact = partial(answer, sealed_plan, snapshot=rows, ledger=ledger, reservation=reservation, settings=settings)
        try:
            return _measure_anew(plan, exact, ledger, reservation)
        except RegisterError:
            stored = _stored(plan, ledger, reservation)  # another run may have been faster, from other rows
            if stored is None:
                raise
        return stored


def _pinned(sealed_plan: SealedPlan, snapshot: Path, settings: Settings) -> AbstractContextManager[Path | PinnedTable]:
    """The rows of this attempt alone, wherever they are."""
    if snapshot.name == POINTER:
        return pinned_in_place(snapshot, sealed_plan.dataset, sealed_plan.period, settings=settings)
    return pinned(snapshot, settings=settings)


def _opened(
    rows: Path | PinnedTable, dataset: Dataset, settings: Settings
) -> AbstractContextManager[tuple[ibis.BaseBackend, ir.Table]]:
    if isinstance(rows, PinnedTable):
        return nullcontext((rows.backend, rows.table))
    return open_snapshot(rows, engine="spark" if dataset.engine == "spark" else "duckdb", settings=settings)


def _stored(plan: Plan, ledger: Ledger, reservation: Reservation) -> NoisyMeasurements | None:
    found = ledger.measurements(reservation.edition, reservation.revision)
    return None if found is None else NoisyMeasurements.from_bytes(found.stored, plan=plan)


def _authorise(
    sealed_plan: SealedPlan, *, snapshot: Path | PinnedTable, ledger: Ledger, reservation: Reservation
) -> None:
    """All that can be refused before a row is read; a request is paid for here.

    Raises:
        LedgerError: the plan is not the reserved one. ApprovalError, RegisterError: the ledger does not let it be spent.
        SourceError: the snapshot is missing, or its rows were not read as the plan says.
    """
    if sealed_plan.hash != reservation.plan_hash:
        raise LedgerError(
            f"What is to be measured for {reservation.edition} is not what was reserved. Nothing was drawn. Run it again "
            "from the reserve step."
        )
    mapping = snapshot.mapping if isinstance(snapshot, PinnedTable) else mapping_of(snapshot)
    if mapping != sealed_plan.reading:
        raise SourceError(
            f"The snapshot of {reservation.edition} was not read as its sealed plan says: the dataset's columns, value maps, "
            "opt-outs or code lists were edited between the two. Nothing was drawn. Run it again from the pull step."
        )
    if reservation.paid_before_reading:
        ledger.spend(reservation)


def _give_back(ledger: Ledger, reservation: Reservation) -> None:
    """Release a reservation of which no row was read."""
    standing = ledger.reservation(reservation.edition, reservation.revision)
    if standing is not None and standing.id == reservation.id and standing.state == "reserved":
        ledger.void(standing, "refused before any row was read")


def _measure_anew(
    plan: Plan, answered: Callable[[], dict[str, NDArray[np.int64]]], ledger: Ledger, reservation: Reservation
) -> NoisyMeasurements:
    exact = sealed("the snapshot was bounded and aggregated", answered)
    try:
        ledger.spend(reservation)
        noisy = sealed("noise was drawn", lambda: draw(plan, exact))
    finally:
        exact.clear()
    return NoisyMeasurements.from_bytes(ledger.store(reservation, noisy.to_bytes()), plan=plan)


def answer(
    sealed_plan: SealedPlan,
    *,
    snapshot: Path | PinnedTable,
    ledger: Ledger,
    reservation: Reservation,
    settings: Settings,
) -> dict[str, NDArray[np.int64]]:
    """The exact bounded answers of a plan, after what each person contributes to them has been registered.

    A series whose editions share blocks needs the register; otherwise the bound holds within the edition alone.
    """
    plan, period, grid, release = sealed_plan.plan, sealed_plan.period, sealed_plan.grid, sealed_plan.release
    dataset = sealed_plan.dataset
    key = load_key(settings.secure)
    register = None
    if shared_blocks(release, plan.block_kind):
        register = Register(settings.secure, ledger=ledger, reservation=reservation, plan=plan, key=key)
    bound = Bound(
        plan.contribution_rows, plan.one_per_cell, plan.truncated_rows_cap, key=subkey(key, f"rows/{reservation.key}")
    )
    with (
        _opened(snapshot, dataset, settings) as (backend, table),
        register or nullcontext(),
    ):
        rows = rows_that_count(
            backend, table, dataset=dataset, release=release, grid=grid, period=period, blocks=plan.block_kind
        )

        def bounded(counted: Rows, allowances: ir.Table | None) -> Bounded:
            return apply_bound(backend, counted, bound, grid=grid, period=period, allowances=allowances)

        if register is None:
            kept, late = bounded(rows, None), None
        elif release.late is None:
            kept, late = register.enter(backend, rows, partial(bounded, rows)), None
        else:
            more = late_rows(backend, table, plan=plan, dataset=dataset, release=release, grid=grid)
            kept, late = register.enter_late(backend, Views(rows, more), bounded)
        own = exact_answers(plan, kept, grid=grid, release=release, period=period)
        return own | late_answers(plan, late, grid=grid, release=release)


def draw(plan: Plan, exact: dict[str, NDArray[np.int64]]) -> NoisyMeasurements:
    """Add noise to every exact answer; each table's cost is asserted against the plan before it is drawn."""
    if not all(costs_no_more(late.measurements, plan.measurements, plan.mechanism) for late in plan.late):
        raise LedgerError(f"A late row of {plan.edition} would cost more than what was charged. Make the plan again.")
    return NoisyMeasurements(plan.hash, {m.id: _noisy(m, plan, exact[m.id]) for m in plan.tables})


def _noisy(measurement: Measurement, plan: Plan, exact: NDArray[np.int64]) -> NDArray[np.int64]:
    if exact.shape != measurement.shape:
        raise LookupError("an answer has other cells than the public grid")
    return add_noise(
        exact,
        mechanism=plan.mechanism,
        scale=measurement.scale,
        l1=measurement.l1,
        l2_squared=measurement.l2_squared,
        epsilon=measurement.epsilon,
        rho=measurement.rho,
    )


def subkey(key: bytes, purpose: str) -> str:
    """A key for one purpose, from the installation's secret key; 128 bits in hexadecimal."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest()[:32]
