"""Measuring: charged before drawn, drawn once, and no exact answer or value in anything that leaves."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest

from dp_stats.errors import BudgetError, DpStatsError, LedgerError, RegisterError, SourceError
from dp_stats.ledger import Ledger, Reservation
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.secure import measure as measuring
from dp_stats.secure.measure import measure
from dp_stats.secure.staging import secure_folder
from dp_stats.settings import Settings, load_settings

MONDAY = date(2021, 2, 15)
CANARY = "canary-7731"
SECRET_COUNT = 73_313


@dataclass
class Measured:
    """An edition ready to be measured."""

    fully_measured: Any
    settings: Settings
    ledger: Ledger
    snapshot: Path

    def measure(self, **other: Any) -> NoisyMeasurements:
        w = self.fully_measured
        return measure(
            w.sealed,
            **{
                "snapshot": self.snapshot,
                "ledger": self.ledger,
                **({} if "reservation" in other else {"reservation": self.reserve()}),
                "settings": self.settings,
                **other,
            },
        )

    def reserve(self, category: Any = "scheduled") -> Reservation:
        return self.ledger.reserve(
            self.fully_measured.sealed,
            dataset=self.fully_measured.dataset,
            category=category,
            requested_by="test",
            reason="test",
        )

    @property
    def state(self) -> str | None:
        standing = self.ledger.reservation(self.fully_measured.plan.edition)
        return standing and standing.state


@pytest.fixture
def edition(tmp_path: Path, fully_measured: Callable[..., Any], table: Callable[..., Any]) -> Measured:
    settings = load_settings({"DP_STATS_HOME": str(tmp_path / "home")})
    secure_folder(settings.secure)
    snapshot = settings.secure / "snapshot.parquet"
    made = fully_measured(k=2)
    made.write(table([(CANARY, MONDAY + timedelta(days=i % 7), "A", 7) for i in range(5)]), snapshot)
    few = tuple(
        m for m in made.plan.measurements if m.id in ("cases@area.day", "amount@region.week", "people@all.week")
    )
    made = replace(made, plan=made.plan.model_copy(update={"measurements": few}))
    made = replace(made, plan=made.sealed.plan)
    return Measured(made, settings, Ledger.open(settings.ledger_url), snapshot)


def same(first: NoisyMeasurements, second: NoisyMeasurements) -> bool:
    return all((first.values[name] == second.values[name]).all() for name in first.values)


def test_a_second_call_returns_what_the_first_stored_without_reading_a_row(edition: Measured) -> None:
    first = edition.measure()
    edition.snapshot.unlink()
    assert same(first, edition.measure())


def test_noise_is_on_every_cell_of_the_public_grid(edition: Measured) -> None:
    noisy = edition.measure()
    assert {name: values.shape for name, values in noisy.values.items()} == {
        m.id: m.shape for m in edition.fully_measured.plan.measurements
    }
    assert (noisy.values["cases@area.day"] != 0).mean() > 0.5  # nearly all cells hold no rows


def test_removing_any_person_leaves_every_key_as_it_was(
    edition: Measured, fully_measured: Callable[..., Any], table: Any, duck: ibis.BaseBackend
) -> None:
    rows = [(f"p{i}", MONDAY + timedelta(days=i), "ABC"[i % 3], 1) for i in range(3)]
    w = fully_measured(statistics=fully_measured().release.statistics[:1])
    shapes = {
        tuple((name, values.shape) for name, values in w.answer(duck, ibis.memtable(table(part))).items())
        for part in (rows, *(rows[:i] + rows[i + 1 :] for i in range(3)), [])
    }
    assert len(shapes) == 1


def test_the_charge_is_spent_before_the_first_draw(edition: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    draw = measuring.draw

    def watched(plan: Any, exact: Any) -> Any:
        states.append(edition.ledger.reservation(plan.edition).state)  # type: ignore[union-attr]
        return draw(plan, exact)

    monkeypatch.setattr(measuring, "draw", watched)
    edition.measure()
    assert states == ["spent"]


@pytest.mark.parametrize("refusal", [BudgetError("no budget"), RegisterError("no register")])
def test_a_refused_charge_draws_nothing(
    edition: Measured, monkeypatch: pytest.MonkeyPatch, refusal: DpStatsError
) -> None:
    def refuse(*_: Any) -> None:
        raise refusal

    monkeypatch.setattr(Ledger, "spend", refuse)
    monkeypatch.setattr(measuring, "draw", lambda *_: pytest.fail("noise was drawn"))
    with pytest.raises(type(refusal)):
        edition.measure()
    assert edition.ledger.measurements(edition.fully_measured.plan.edition) is None


def test_a_plan_that_was_altered_after_it_was_reserved_draws_nothing(
    edition: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less noise than was approved, a wider bound, no register: the hash in the ledger is of the whole plan."""
    monkeypatch.setattr(measuring, "draw", lambda *_: pytest.fail("noise was drawn"))
    w = edition.fully_measured
    reservation = edition.ledger.reserve(
        w.sealed, dataset=w.dataset, category="scheduled", requested_by="test", reason="test"
    )
    quiet = tuple(m.model_copy(update={"scale": 0.01, "epsilon": Fraction(10**5)}) for m in w.plan.measurements)
    for change in ({"measurements": quiet}, {"contribution_rows": 10**6}, {"series": True}):
        altered = replace(w, plan=w.plan.model_copy(update=change))
        with pytest.raises(LedgerError, match="not what was reserved"):
            replace(edition, fully_measured=altered).measure(reservation=reservation)


def test_of_two_draws_the_first_to_store_is_what_both_return(
    edition: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process that also drew gets the first one's values; its own are thrown away."""
    stored: list[NoisyMeasurements] = []
    draw = measuring.draw

    def overtaken(plan: Any, exact: Any) -> Any:
        if not stored:
            stored.append(draw(plan, exact))
            stored.append(edition.measure())
        return draw(plan, exact)

    monkeypatch.setattr(measuring, "draw", overtaken)
    assert same(edition.measure(), stored[1])
    assert not same(stored[0], stored[1])


def test_a_run_whose_rows_were_overtaken_returns_what_the_other_stored(
    edition: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[NoisyMeasurements] = []
    answer = measuring.answer

    def overtaken(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(measuring, "answer", answer)
        stored.append(edition.measure())
        raise RegisterError("measured from other rows")

    monkeypatch.setattr(measuring, "answer", overtaken)
    assert same(edition.measure(), stored[0])


def test_a_crash_after_the_draw_leaves_nothing_readable_and_one_charge(
    edition: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    store = Ledger.store
    monkeypatch.setattr(Ledger, "store", killed)
    with pytest.raises(Killed):
        edition.measure()
    assert edition.ledger.measurements(edition.fully_measured.plan.edition) is None
    monkeypatch.setattr(Ledger, "store", store)
    edition.measure()
    (block,) = edition.ledger.blocks()
    assert block.spent >= edition.fully_measured.plan.rho > block.spent - edition.fully_measured.plan.rho


def test_rows_that_are_pulled_while_others_are_measured_change_nothing(
    edition: Measured, monkeypatch: pytest.MonkeyPatch, table: Callable[..., Any]
) -> None:
    """Another attempt's snapshot takes the name between two queries: bounded in one, a person must not count from both."""
    honest, draw = measuring.apply_bound, measuring.draw
    exact: list[Any] = []

    def overtaken(*given: Any, **named: Any) -> Any:
        kept = honest(*given, **named)
        other = table([(f"{CANARY}-2", MONDAY, "B", 5)] * 40)
        edition.fully_measured.write(other, edition.snapshot)
        return kept

    def seen(plan: Any, answers: Any) -> Any:
        exact.append({name: values.copy() for name, values in answers.items()})
        return draw(plan, answers)

    monkeypatch.setattr(measuring, "apply_bound", overtaken)
    monkeypatch.setattr(measuring, "draw", seen)
    edition.measure()
    assert exact[0]["cases@area.day"].sum() == 2  # k rows of one person, of the snapshot that was opened
    assert exact[0]["people@all.week"].sum() == 1


def test_a_snapshot_whose_bytes_were_altered_is_refused_before_anything_is_read(edition: Measured) -> None:
    reservation = edition.reserve("adhoc")
    content = bytearray(edition.snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    edition.snapshot.write_bytes(bytes(content))
    with pytest.raises(SourceError, match="another digest"):
        edition.measure(reservation=reservation)
    assert edition.state is None


AMONG_ROWS = ["open_snapshot", "rows_that_count", "apply_bound", "exact_answers", "add_noise"]


def failing(*_: Any, **__: Any) -> None:
    raise ArithmeticError("among rows")


@pytest.mark.parametrize("step", AMONG_ROWS)
def test_a_request_that_fails_among_its_rows_costs_what_an_answer_costs(
    edition: Measured, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    reservation = edition.reserve("adhoc")
    with monkeypatch.context() as broken:
        broken.setattr(measuring, step, failing)
        with pytest.raises(SourceError):
            edition.measure(reservation=reservation)
    assert edition.state == "spent"
    with pytest.raises(LedgerError, match="cannot be void"):
        edition.ledger.void(edition.reserve("adhoc"), "a pity")
    (block,) = edition.ledger.blocks()
    edition.measure(reservation=edition.reserve("adhoc"))  # again: the same price, one answer
    assert [block.spent] == [b.spent for b in edition.ledger.blocks()]
    assert edition.state == "stored"


@pytest.mark.parametrize("step", AMONG_ROWS)
def test_a_scheduled_edition_that_fails_among_its_rows_keeps_its_reservation(
    edition: Measured, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(measuring, step, failing)
        with pytest.raises(SourceError):
            edition.measure()
    assert edition.state == ("spent" if step == "add_noise" else "reserved")
    edition.measure()
    assert len(edition.ledger.charges()) == 1


@pytest.mark.parametrize("category", ["scheduled", "adhoc"])
def test_what_is_refused_before_any_row_is_read_costs_nothing(
    edition: Measured, monkeypatch: pytest.MonkeyPatch, category: str
) -> None:
    reservation = edition.reserve(category)
    quiet = edition.fully_measured.plan.model_copy(update={"contribution_rows": 10**6})
    monkeypatch.setattr(measuring, "open_snapshot", lambda *_, **__: pytest.fail("rows were read"))
    with pytest.raises(LedgerError, match="not what was reserved"):
        replace(edition, fully_measured=replace(edition.fully_measured, plan=quiet)).measure(reservation=reservation)
    assert edition.state is None
    assert [b.spent + b.reserved for b in edition.ledger.blocks()] in ([], [0])


@pytest.mark.parametrize("step", ["exact_answers", "add_noise", "rows_that_count"])
def test_an_error_among_rows_carries_no_value_out(
    edition: Measured, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        try:
            raise ValueError(f"could not convert {CANARY}")
        except ValueError as error:
            raise ArithmeticError(f"the count is {SECRET_COUNT}") from error

    monkeypatch.setattr(measuring, step, fail)
    with pytest.raises(SourceError) as caught:
        edition.measure()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY not in told
    assert str(SECRET_COUNT) not in told
    assert "ArithmeticError" in told


def test_a_snapshot_with_a_wrong_column_says_what_to_do_and_no_value(edition: Measured) -> None:
    edition.fully_measured.write(pa.table({"person": [CANARY], "area": [CANARY]}), edition.snapshot)
    with pytest.raises(SourceError, match="pull and check") as caught:
        edition.measure()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_nothing_exact_and_nobody_is_written_anywhere_but_the_secure_store(edition: Measured) -> None:
    edition.measure()
    for path in edition.settings.home.rglob("*"):
        if path.is_file() and edition.settings.secure not in path.parents:
            assert CANARY.encode() not in path.read_bytes(), path
    left = {p.name for p in edition.settings.secure.iterdir()}
    kept = {p.name for p in edition.settings.secure.glob("*.parquet") if p.samefile(edition.snapshot)}
    assert left == {"key", *kept}  # no spill is left behind
    assert len(kept) == 2  # the name, and the name of its content


def test_a_mechanism_that_draws_again_would_be_seen(edition: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first test has power: without the look into the ledger, or with a store that overwrites, values change."""
    first = edition.measure()
    kept: list[bytes] = []
    monkeypatch.setattr(Ledger, "measurements", lambda *_: None)
    monkeypatch.setattr(Ledger, "store", lambda _self, _reservation, stored: kept.append(stored) or stored)
    assert not same(first, edition.measure())


def test_a_float_sum_never_reaches_noise(edition: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    w = edition.fully_measured
    floats = {m.id: np.zeros(m.shape) for m in w.plan.measurements}
    monkeypatch.setattr(measuring, "exact_answers", lambda *_, **__: floats)
    with pytest.raises(SourceError, match="TypeError"):
        edition.measure()


def test_keys_taken_from_the_data_are_refused(edition: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that answers only for cells with rows would tell which cells have some."""
    honest = measuring.exact_answers

    def only_found(*given: Any, **named: Any) -> Any:
        return {name: values[values != 0] for name, values in honest(*given, **named).items()}

    monkeypatch.setattr(measuring, "exact_answers", only_found)
    with pytest.raises(SourceError, match="LookupError"):
        edition.measure()
    assert edition.ledger.measurements(edition.fully_measured.plan.edition) is None
