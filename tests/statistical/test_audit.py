"""An empirical audit of the whole path: what an attacker who knows all but one person can prove never passes the claim.

Two sources differ by one person. Each is pulled, bounded, aggregated, charged, drawn and stored by the real
functions, as many thousand times as the audit needs: the exact answers of one run are repeated, noise is not.
Half of the outputs choose an event, the other half gives its probability with exact (Clopper and Pearson)
bounds, so ε̂ = ln((P − δ)/P′) is below the true ε but for a chance of FALSE_ALARM, whatever the event.
Choosing and testing apart is what DP-Sniper (Bichsel et al. 2021) and Google's DP Auditorium do; the neighbouring
inputs are compared with the declared sensitivity as by dp-recorder in tests/integration/test_rules_replay.py.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from dp_stats import pipeline
from dp_stats.errors import SourceError
from dp_stats.ledger import Ledger
from dp_stats.plan.accounting import epsilon_at
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.plan.sealed import SealedPlan, seal
from dp_stats.run import Run, open_run
from dp_stats.secure import bound, noise, register
from dp_stats.secure import measure as measuring
from dp_stats.secure.aggregate import exact_answers
from dp_stats.secure.late import late_answers
from dp_stats.secure.register import Register
from dp_stats.settings import Settings, load_settings

DRAWS = 12_000
FALSE_ALARM = 2e-8
"""Of one bound. Sound mechanisms are bounded 36 times below (18 audits, 2 directions): together less than 1e-6."""

ABSENT = -(10**12)
DIGITS = 1000
"""Broken versions publish through whole numbers: a missing cell as ABSENT, decimals as thousandths."""

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="PySpark needs Java")
Outputs = NDArray[np.int64]
Rows = list[tuple[str, str, str, str]]
OTHERS: Rows = [(f"p{i}", f"2024-01-{8 + i % 14:02}", "north", "3") for i in range(28)]
PERSON: Rows = [("target", "2024-01-09", "south", "5.34")] * 9


@dataclass(frozen=True)
class Observed:
    """What an attacker sees of one source: draws × cells of all views, with the exact answers they know it is around."""

    noisy: Outputs
    exact: NDArray[np.int64]
    plans: tuple[Plan, ...]

    @property
    def scales(self) -> NDArray[np.float64]:
        """The claimed scale of each cell."""
        return np.concatenate([np.full(math.prod(m.shape[1:]), m.scale) for plan in self.plans for m in plan.tables])


def shaped(plan: Plan, shape: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Plan:
    """A plan with other shapes of its tables."""

    def tables(measurements: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
        return tuple(m.model_copy(update={"shape": shape(m.shape)}) for m in measurements)

    late = tuple(one.model_copy(update={"measurements": tables(one.measurements)}) for one in plan.late)
    return plan.model_copy(update={"measurements": tables(plan.measurements), "late": late})


def once(plan: Plan) -> Plan:
    """The plan of one draw: an edition that was measured is sealed with the repeated one."""
    return shaped(plan, lambda shape: shape[1:] if shape[:1] == (DRAWS,) else shape)


def declare(
    clinic: Any,
    kind: str,
    loss: dict[str, Any],
    engine: str = "duckdb",
    release: dict[str, Any] | None = None,
    levels: dict[str, str] | None = None,
    k: int = 3,
    **contribution: Any,
) -> None:
    """Declare one statistic in one table."""
    clinic.change("datasets/visits.yaml", engine=engine)
    statistics = {
        "count": {"id": "visits", "kind": "count"},
        "sum": {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 5, "resolution": 1},
        "persons": {"id": "people", "kind": "persons"},
    }
    table = {"id": "t", "title": "T", "levels": {"clinic": "district", "date": "week"} | (levels or {})}
    clinic.change(
        "releases/visits.yaml",
        statistics=[statistics[kind]],
        tables=[{**table, "statistics": [statistics[kind]["id"]]}],
        contribution={"rows": k, "measure_truncation": False, **contribution},
        privacy_loss=loss,
        **(release or {}),
    )


def repeating(sealed: SealedPlan) -> SealedPlan:
    """The sealed plan of all draws at once."""
    plan = once(sealed.plan)
    if sealed.plan != plan:
        return sealed
    return seal(
        shaped(plan, lambda shape: (DRAWS, *shape)),
        series=sealed.series,
        dataset=sealed.dataset,
        release=sealed.release,
        period=sealed.period,
        codes=sealed.codes,
        grid=sealed.grid,
    )


def answer_for_all_draws(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> list[NDArray[np.int64]]:
    """Have every exact answer given once for each draw; what is answered is noted in the list."""
    known: list[NDArray[np.int64]] = []

    def tiled(tables: Sequence[Measurement], answers: dict[str, Any]) -> dict[str, Any]:
        known.extend(answers[m.id].ravel() for m in tables)
        return {name: np.tile(values, (DRAWS, *(1 for _ in values.shape))) for name, values in answers.items()}

    def repeat(_: Plan, *arguments: Any, **options: Any) -> dict[str, NDArray[np.int64]]:
        return tiled(plan.measurements, exact_answers(plan, *arguments, **options))

    def repeat_late(_: Plan, *arguments: Any, **options: Any) -> dict[str, Any]:
        return tiled(plan.tables[len(plan.measurements) :], late_answers(plan, *arguments, **options))

    monkeypatch.setattr(measuring, "exact_answers", repeat)
    monkeypatch.setattr(measuring, "late_answers", repeat_late)
    return known


def measured(
    many: SealedPlan, opened: Run, settings: Settings, known: list[NDArray[np.int64]]
) -> dict[str, NDArray[np.int64]]:
    """Charge an edition and measure it; one that is refused has no values, and that is noted in ``known``, too."""
    ledger = Ledger.open(settings.ledger_url)
    reservation = ledger.reserve(
        many,
        dataset=opened.dataset,
        category="adhoc" if opened.release.adhoc else "scheduled",
        requested_by="auditor",
        reason="audit",
    )
    snapshot = opened.staging / "snapshot.parquet"
    try:
        return dict(
            measuring.measure(many, snapshot=snapshot, ledger=ledger, reservation=reservation, settings=settings).values
        )
    except SourceError:  # what a run says is an output like any other
        tables = once(many.plan).tables
        known[:] = [np.zeros(sum(math.prod(m.shape) for m in tables), np.int64)]
        return {m.id: np.full(m.shape, ABSENT) for m in many.plan.tables}


@pytest.fixture
def observe(clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Observed]:
    """Run the real path on a source and return what it hands out, for all draws at once."""
    clinic.change("datasets/visits.yaml", budget={"rho": 100, "no_approval_below": 100})

    def run(sources: Sequence[Rows], views: Sequence[str], *declared: Any, **more: Any) -> Observed:
        declare(clinic, *declared, **more)
        home = tmp_path / f"home-{len(list(tmp_path.glob('home-*')))}"
        settings = load_settings({"DP_STATS_HOME": str(home), "DP_STATS_CATALOGUE": str(clinic.folder)})
        noisy, exact, plans = [], [], []
        for edition, source in zip(views, sources, strict=True):
            lines = ["Patient,Day,Clinic,Cost,Telephone", *(",".join((*row, "5")) for row in source)]
            (clinic.folder / "visits.csv").write_text("\n".join(lines) + "\n")
            pipeline.pull(edition, settings=settings)
            opened = open_run(edition, settings=settings)
            many = repeating(opened.planned())
            known = answer_for_all_draws(monkeypatch, once(many.plan))
            seen = measured(many, opened, settings, known)
            noisy.append(np.concatenate([seen[m.id].reshape(DRAWS, -1) for m in many.plan.tables], axis=1))
            exact.append(np.concatenate(known) if known else exact[-1])  # else a stored answer came back
            plans.append(many.plan)
        return Observed(np.concatenate(noisy, axis=1), np.concatenate(exact), tuple(plans))

    return run


def features(seen: Observed, one: Observed, two: Observed) -> list[NDArray[np.float64]]:
    """What an attacker computes from each output: the likelihood ratio of the claimed noise, cells missing, decimals."""
    y, a, b = seen.noisy, one.exact, two.exact
    width = one.scales
    if one.plans[0].mechanism == "discrete_laplace":
        ratio = ((np.abs(y - b) - np.abs(y - a)) / width).sum(axis=1)
    else:
        ratio = (((y - b).astype(float) ** 2 - (y - a).astype(float) ** 2) / (2 * width**2)).sum(axis=1)
    return [ratio, (y == ABSENT).sum(axis=1).astype(float), (y % DIGITS).sum(axis=1).astype(float)]


def bounds(hits_one: Any, hits_two: Any, trials: int, delta: float) -> NDArray[np.float64]:
    """Lower bounds on ε from the frequencies of events; each fails with a chance of at most FALSE_ALARM."""
    one, two = np.atleast_1d(hits_one), np.atleast_1d(hits_two)
    least = np.nan_to_num(stats.beta.ppf(FALSE_ALARM / 2, one, trials - one + 1), nan=0.0)
    most = np.nan_to_num(stats.beta.ppf(1 - FALSE_ALARM / 2, two + 1, trials - two), nan=1.0)
    return np.log(np.maximum((least - delta) / most, 1.0))


def audited(one: Observed, two: Observed, delta: float = 0.0) -> float:
    """The largest ε that two neighbouring sources prove, over both directions."""
    best, half = 0.0, DRAWS // 2
    for first, second in ((one, two), (two, one)):
        chosen: tuple[float, Any, Any, float] = (-1.0, np.zeros(DRAWS), np.zeros(DRAWS), 0.0)
        for here, there in zip(features(first, one, two), features(second, one, two), strict=True):
            for p, q in ((here, there), (-here, -there)):
                thresholds = np.unique(np.quantile(np.concatenate([p[:half], q[:half]]), np.linspace(0.01, 0.99, 99)))
                hits = [(v[:half, None] >= thresholds).sum(axis=0) for v in (p, q)]
                found = bounds(hits[0], hits[1], half, delta)
                at = int(found.argmax())
                if found[at] > chosen[0]:
                    chosen = float(found[at]), p, q, float(thresholds[at])
        _, p, q, threshold = chosen
        tested = bounds((p[half:] >= threshold).sum(), (q[half:] >= threshold).sum(), DRAWS - half, delta)
        best = max(best, float(tested[0]))
    return best


def gaussian_epsilon(mu: float, delta: float) -> float:
    """ε at δ of Gaussian noise whose sensitivity is ``mu`` standard deviations, exactly (Balle and Wang 2018, theorem 8)."""

    def excess(epsilon: float) -> float:
        upper, lower = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
        return float(stats.norm.cdf(upper) - math.exp(epsilon) * stats.norm.cdf(lower))

    low, high = 0.0, 50.0
    while high - low > 1e-6:
        low, high = ((low + high) / 2, high) if excess((low + high) / 2) > delta else (low, (low + high) / 2)
    return high


LAPLACE, GAUSSIAN = {"epsilon": 1}, {"rho": Fraction(1, 2)}
ONE, TWICE, WEEKS = ("visits/2024-W02",), ("visits/2024-W02",) * 2, ("visits/2024-W02", "visits/2024-W03")
MONTH = tuple(f"visits/2024-W{week:02}" for week in range(2, 6))
DELTAS = (1e-6, 1e-3, 0.02)
IN_ALL_WEEKS: Rows = [
    ("target", day, "south", "5") for day in ("2024-01-09", "2024-01-16", "2024-01-23", "2024-01-30") for _ in range(3)
]


REQUEST: dict[str, Any] = {
    "period": "range",
    "schedule": None,
    "settle_days": None,
    "start": "2024-01-08",
    "end": "2024-01-19",
    "series": False,
    "requested_by": "analyst",
    "purpose": "To plan.",
}
ASKED = ("visits/2024-01-08--2024-01-19",)


def plain(loss: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) for name, value in loss.items()}


def pair(
    observe: Any,
    *,
    views: Sequence[str] = ONE,
    kind: str = "count",
    loss: dict[str, Any] = LAPLACE,
    person: Rows | Sequence[Rows] = PERSON,
    others: Rows = OTHERS,
    **contribution: Any,
) -> tuple[Observed, Observed]:
    """What is seen with the person (of whom each view may find other rows) and without."""
    found = [person] * len(views) if isinstance(person[0], tuple) else person
    return (
        observe([[*others, *rows] for rows in found], views, kind, plain(loss), **contribution),
        observe([others] * len(views), views, kind, plain(loss), **contribution),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("views", "kind", "person"),
    [(ONE, "count", PERSON), (ONE, "sum", PERSON), (TWICE, "count", PERSON), (WEEKS, "count", IN_ALL_WEEKS)],
    ids=["counts", "sums", "asked twice", "two weeks of a series"],
)
def test_laplace_loses_no_more_than_epsilon_and_the_audit_comes_near_it(
    observe: Any, views: Sequence[str], kind: str, person: Rows
) -> None:
    found = audited(*pair(observe, views=views, kind=kind, person=person))
    assert found <= 1.0
    assert found >= 0.55  # the audit has power: it proves most of what is lost


@pytest.mark.slow
def test_all_tables_of_an_edition_together_lose_no_more_than_epsilon(observe: Any) -> None:
    """Rows that count, rows that are truncated and persons who are truncated: one person is in every table."""
    one, two = pair(observe, measure_truncation=True)
    assert {m.role for m in one.plans[0].measurements} == {"statistic", "truncated_rows", "truncated_persons"}
    assert 0.45 <= audited(one, two) <= 1.0


@pytest.mark.slow
def test_gaussian_loses_no_more_than_its_curve_at_any_delta(observe: Any) -> None:
    one, two = pair(observe, loss=GAUSSIAN)
    proven = {delta: audited(one, two, delta) for delta in DELTAS}
    for delta, found in proven.items():
        assert found <= gaussian_epsilon(1.0, delta) <= epsilon_at(Fraction(1, 2), Fraction(str(delta)))
    assert proven[0.02] >= 0.8


def wrong_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    construct = noise._measurement
    monkeypatch.setattr(noise, "_measurement", lambda mechanism, scale: construct(mechanism, 0.6 * scale))
    monkeypatch.setattr(noise, "_assert_cost", lambda *_, **__: None)  # it would refuse


def ignored_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = measuring.Bound
    monkeypatch.setattr(measuring, "Bound", lambda rows, *rest, key: bounded(10**6, *rest, key=key))


def keys_from_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = measuring.draw

    def only_cells_with_rows(plan: Plan, exact: Any) -> NoisyMeasurements:
        full = draw(plan, exact)
        return NoisyMeasurements(full.plan_hash, {n: np.where(exact[n] > 0, v, ABSENT) for n, v in full.values.items()})

    monkeypatch.setattr(measuring, "draw", only_cells_with_rows)


def drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "measurements", lambda *_: None)
    monkeypatch.setattr(Ledger, "store", lambda _ledger, _reservation, stored: stored)


def forgetful_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Register, "_allowances", lambda *_: None)


def float_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise in whole steps on a sum that is not whole leaves the digits behind the point bare."""
    draw, answer = measuring.draw, measuring.answer
    digits: list[int] = []

    def summed(plan: Plan, *, snapshot: Path, **options: Any) -> Any:
        (total,) = duckdb.sql(f"SELECT sum(cost::DOUBLE) FROM '{snapshot}'").fetchall()[0]
        digits.append(round(total * DIGITS) % DIGITS)
        return answer(plan, snapshot=snapshot, **options)

    def with_decimals(plan: Plan, exact: Any) -> NoisyMeasurements:
        whole = draw(plan, exact)
        return NoisyMeasurements(whole.plan_hash, {n: v * DIGITS + digits[-1] for n, v in whole.values.items()})

    monkeypatch.setattr(measuring, "answer", summed)
    monkeypatch.setattr(measuring, "draw", with_decimals)


BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], dict[str, Any]]] = {
    "wrong scale": (wrong_scale, {}),
    "ignored bound": (ignored_bound, {}),
    "keys from the data": (keys_from_the_data, {}),
    "noise drawn again": (drawn_again, {"views": TWICE * 2}),
    "a register that forgets": (forgetful_register, {"views": MONTH, "person": IN_ALL_WEEKS}),
    "float sum": (float_sum, {"kind": "sum"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", BROKEN)
def test_the_audit_catches_what_is_broken_under_laplace_noise(
    observe: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    break_it, what = BROKEN[fault]
    break_it(monkeypatch)
    assert audited(*pair(observe, **what)) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("fault", BROKEN)
def test_the_audit_catches_what_is_broken_under_gaussian_noise(
    observe: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    break_it, what = BROKEN[fault]
    break_it(monkeypatch)
    one, two = pair(observe, loss=GAUSSIAN, **what)
    assert any(audited(one, two, delta) > gaussian_epsilon(1.0, delta) for delta in DELTAS)


def test_the_bound_on_epsilon_holds_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one false alarm in 20 allowed, of 2000 audits of randomised response at ε = 1 no more pass 1 than that."""
    monkeypatch.setitem(globals(), "FALSE_ALARM", 0.05)
    draws = np.random.default_rng(7)
    yes, no = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))
    found = bounds(draws.binomial(2000, yes, 2000), draws.binomial(2000, no, 2000), 2000, 0.0)
    assert (found > 1).sum() <= 100
    assert np.median(found) > 0.8


# Requests of few rows, series of people, and what a failure tells

SHORT = ("2024-01-09", "2024-01-10", "2024-01-16", "2024-01-19")


def visits_of_the_target(number: int) -> Rows:
    return [("target", SHORT[i % len(SHORT)], "south", "5") for i in range(number)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "others", "rows", "k", "least"),
    [
        pytest.param("duckdb", 0, 12, 12, 0.5, id="all"),
        pytest.param("duckdb", 0, 24, 30, 0.25, id="fewer"),
        pytest.param("duckdb", 2, 10, 4, 0.5, id="bounded"),
        pytest.param("duckdb", 1, 1, 1, 0.5, id="one"),
        pytest.param("spark", 2, 10, 4, 0.5, id="bounded-spark", marks=needs_java),
    ],
)
def test_a_request_of_few_rows_loses_no_more_than_it_was_charged_for(
    observe: Any, engine: str, others: int, rows: int, k: int, least: float
) -> None:
    one, two = pair(
        observe,
        views=ASKED,
        others=OTHERS[:others],
        person=visits_of_the_target(rows),
        engine=engine,
        release=REQUEST,
        k=k,
    )
    assert least <= audited(one, two) <= min(rows, k) / k  # someone with fewer rows than may count loses less


def halves_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that once made rows fewer than the bound fail: what a run says then tells how many there are."""

    def repeated(values: Any, most: int) -> Any:
        upper = values >= np.uint32(1 << 31)
        halves = [np.sort(values[~upper]), np.sort(values[upper])]
        return np.concatenate([np.unique(part[most:][part[most:] == part[: len(part) - most]]) for part in halves])

    monkeypatch.setattr(bound, "repeated_values", repeated)


@pytest.mark.slow
def test_the_audit_of_a_request_catches_a_failure_that_tells_how_many_rows_there_are(
    observe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves_of_few_rows(monkeypatch)
    what = {"views": ASKED, "release": REQUEST, "k": 4}
    assert audited(*pair(observe, others=[], person=visits_of_the_target(3), **what)) > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["wrong scale", "ignored bound"])
def test_the_audit_of_a_request_catches_what_is_broken(
    observe: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    BROKEN[fault][0](monkeypatch)
    what = {"views": ASKED, "release": REQUEST, "k": 4}
    assert audited(*pair(observe, others=OTHERS[:2], person=visits_of_the_target(10), **what)) > 1.0


LATE = [
    [("target", day, "south", "5") for day in days]
    for days in (
        ["2024-01-09"],
        ["2024-01-09", "2024-01-10", "2024-01-23", "2024-01-23"],
        ["2024-01-09", "2024-01-16"] * 2,
    )
]
"""What the source holds of the target when each week is measured: rows come late, twice, and go again."""


@pytest.mark.slow
def test_a_series_of_people_loses_no_more_than_one_charge_whatever_comes_late_or_twice(
    observe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = {"views": (MONTH[0], MONTH[2], MONTH[1]), "kind": "persons", "person": LATE, "k": 1}
    assert 0.5 <= audited(*pair(observe, **what)) <= 1.0
    forgetful_register(monkeypatch)
    assert audited(*pair(observe, **what)) > 1.0


@pytest.mark.slow
def test_late_rows_lose_no_more_than_one_charge_with_those_in_time(
    observe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target's rows are counted late, or in time, or again and again: all views together lose what one edition does."""
    late = {"views": MONTH[:3], "person": LATE_ROWS, "k": 2, "release": {"late": {"periods": 2, "share": 0.5}}}
    assert 0.5 <= audited(*pair(observe, **late)) <= 1.0
    monkeypatch.setattr(register, "_kept_only", lambda used: used.limit(0))
    assert audited(*pair(observe, **late)) > 1.0


@pytest.mark.slow
def test_a_series_over_a_merger_and_an_added_area_loses_no_more_than_one_charge(
    observe: Any, clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is counted in an area, in the one that it merges into (by the old code, too), and in a new one."""
    (clinic.folder / "codes" / "clinics.csv").write_text(MERGING)
    what = {"views": MONTH[:3], "person": OVER_A_MERGER, "k": 2, "levels": {"clinic": "clinic"}}
    assert 0.5 <= audited(*pair(observe, **what)) <= 1.0
    forgetful_register(monkeypatch)
    assert audited(*pair(observe, **what)) > 1.0


@pytest.mark.slow
def test_a_register_that_forgets_which_rows_were_counted_breaks_no_bound(
    observe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts rows twice: their number is wrong (``tests/property/test_late.py``), the loss is not."""
    monkeypatch.setattr(register, "remembered", lambda _: None)
    late = {"views": MONTH[:3], "person": LATE_ROWS, "k": 2, "release": {"late": {"periods": 2, "share": 0.5}}}
    assert audited(*pair(observe, **late)) <= 1.0


MERGING = """code,name,district,district_name,valid_from,valid_to,replaced_by
north,North,A,Upper,,,
south,South,B,Lower,,2024-01-14,union
east,East,A,Upper,,2024-01-14,union
union,South and East,B,Lower,2024-01-15,,
island,Island,C,Sea,2024-01-22,,
"""
OVER_A_MERGER = [
    [("target", f"2024-01-{day:02}", clinic, "5") for day, clinic in rows]
    for rows in (
        [(9, "south")],
        [(9, "south"), (16, "south"), (17, "union")],
        [(9, "south"), (16, "south"), (17, "union"), (23, "island"), (24, "union")],
    )
]
"""What the source holds of the target when each week is measured: one row, two of the next week, two of the week after."""

LATE_ROWS = [
    [("target", day, "south", "5") for day in days]
    for days in (
        [],
        ["2024-01-09", "2024-01-10"],
        ["2024-01-09", "2024-01-10", "2024-01-11", "2024-01-16", "2024-01-17"],
    )
]
"""The target is in no week when it is measured first; two rows of the first come a week late, more a week after that."""
