"""A plan is a pure function of what is declared: what it costs, how accurate it is, and what it is called."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from dp_stats.catalogue import Period, parse_period
from dp_stats.catalogue.grid import Grid
from dp_stats.errors import CatalogueError
from dp_stats.plan import Plan, accounting, make, make_plan
from dp_stats.plan.algebra import Structure, key_of
from dp_stats.plan.warnings import AboveCeiling, AboveMean, UnknownSize, UnmeasuredTruncation
from tests.plan_examples import BASIC, catalogue, code_lists, dataset, release

WEEK, NEXT = parse_period("2021-W05"), parse_period("2021-W06")


def plan(edition: Period = WEEK, tables: object = None, **fields: object) -> Plan:
    one = release(tables or BASIC, **fields)  # type: ignore[arg-type]
    return make_plan(catalogue(one), one, edition)


def test_the_same_declarations_give_the_same_plan() -> None:
    first = plan()
    make._chosen.clear()
    assert plan() == first


def test_editions_of_a_series_share_noise_and_charge_but_not_their_name() -> None:
    one, two = plan(), plan(NEXT)
    assert one.series_hash == two.series_hash
    assert one.hash != two.hash
    assert one.measurements == two.measurements


def test_months_of_unequal_length_share_noise_and_charge() -> None:
    fields = {"period": "month", "contribution": {"rows": 3, "one_per_cell": True, "why_nothing_is_truncated": "x"}}
    tables = {"area-day": BASIC["area-day"], "area-month": ({"area": "area"}, ("visits",))}
    months = [plan(parse_period(m), tables, **fields) for m in ("2021-02", "2021-03", "2020-02", "2021-05")]
    assert len({m.series_hash for m in months}) == 1
    scales = [[(x.scale, x.l1, x.l2_squared, x.rho) for x in m.measurements] for m in months]
    assert all(s == scales[0] for s in scales)
    assert [m.measurements[0].shape for m in months[:2]] != [months[1].measurements[0].shape] * 2


def test_a_short_month_whose_levels_coincide_is_measured_once() -> None:
    dims = [{"name": "date", "column": "day", "levels": ["day", "4-week"]}]
    tables = {
        "days": ({"date": "day"}, ("visits",)),
        "four": ({"date": "4-week"}, ("visits",)),
        "all": ({}, ("visits",)),
    }
    for month in ("2021-02", "2021-03"):
        made = plan(parse_period(month), tables, period="month", dimensions=dims)
        assert len({tuple(m.levels.items()) for m in made.measurements}) == len(made.measurements)


@pytest.mark.parametrize(
    "change",
    [
        {"contribution": {"rows": 2, "why_nothing_is_truncated": "x"}},
        {"privacy_loss": {"epsilon": 2}},
        {"statistics": [{"id": "visits", "kind": "count", "expected_total": 9000}]},
        {"id": "other-visits"},
        {"series": False},
    ],
)
def test_whatever_changes_what_is_measured_changes_both_names(change: dict[str, object]) -> None:
    assert plan(**change).series_hash != plan().series_hash
    assert plan(**change).hash != plan().hash


def test_a_new_area_in_the_code_list_changes_both_names() -> None:
    one = release(BASIC)
    small, large = (make_plan(catalogue(one, codes=code_lists(r)), one, WEEK) for r in ((3, 2), (3, 3)))
    assert small.series_hash != large.series_hash
    assert small.hash != large.hash


def test_titles_and_texts_do_not_change_what_a_plan_is_called() -> None:
    assert plan(title="Visits to clinics", texts={"summary": "More words."}).hash == plan().hash


@pytest.mark.parametrize("loss", [{"epsilon": 1}, {"epsilon": 1, "delta": 1e-6}, {"rho": "1/50"}, {"epsilon": "1/4"}])
def test_the_cost_is_what_was_allowed_and_not_more(loss: dict[str, object]) -> None:
    made = plan(privacy_loss=loss, contribution={"rows": 2})
    assert made.rho == sum(m.rho for m in made.measurements)
    if "rho" in loss:
        assert Fraction(49, 50) * Fraction(1, 50) < made.rho <= Fraction(1, 50)
        return
    epsilon = Fraction(str(loss["epsilon"]))
    if made.pure_epsilon is not None:
        assert Fraction(99, 100) * epsilon < made.pure_epsilon <= epsilon
        assert made.pure_epsilon == sum(m.epsilon for m in made.measurements if m.epsilon is not None)
    else:
        assert made.rho <= accounting.rho_of(epsilon, Fraction("1e-6"))
    assert made.epsilon <= float(epsilon)


def test_pure_epsilon_is_only_kept_by_laplace_noise_and_rho_is_kept_by_gaussian() -> None:
    assert plan(privacy_loss={"epsilon": 8}).mechanism == "discrete_laplace"
    assert plan(privacy_loss={"rho": "1/10"}).mechanism == "discrete_gaussian"


def test_with_a_delta_the_mechanism_with_the_smaller_error_is_chosen() -> None:
    loss = {"epsilon": 1, "delta": 1e-6}
    few = {"areas": ({"area": "area", "date": "week"}, ("visits",))}
    assert plan(tables=few, privacy_loss=loss).mechanism == "discrete_laplace"
    cells = {"areas": ({"area": "area", "date": "day", "age": "band"}, ("visits",))}
    bound = {"rows": 40, "one_per_cell": True, "why_nothing_is_truncated": "x"}
    assert plan(tables=cells, privacy_loss=loss, contribution=bound).mechanism == "discrete_gaussian"


def test_every_published_statistic_has_an_expected_margin() -> None:
    tables = {
        "area-day": (
            {"area": "area", "date": "day"},
            ("visits", "rate", "week", "sofar", "cost", "mean-cost", "share"),
        ),
        "people": ({"area": "area", "date": "week"}, ("people",)),
    }
    statistics = [
        {"id": "visits", "kind": "count", "expected_total": 5000},
        {"id": "people", "kind": "persons", "expected_total": 4000},
        {
            "id": "cost",
            "kind": "sum",
            "column": "cost",
            "lower": 0,
            "upper": 500,
            "resolution": 1,
            "expected_total": 100000,
        },
    ]
    derived = [
        {"id": "rate", "kind": "rate", "of": "visits"},
        {"id": "week", "kind": "rolling", "of": "visits"},
        {"id": "sofar", "kind": "cumulative", "of": "visits"},
        {"id": "mean-cost", "kind": "mean", "of": "cost", "over": "visits"},
        {"id": "share", "kind": "share", "of": "visits", "across": "area"},
    ]
    made = plan(tables=tables, statistics=statistics, derived=derived)
    assert {(e.table, e.statistic) for e in made.expected} == {
        (t, s) for t, (_, names) in tables.items() for s in names
    }
    assert all(0 < e.margin_95 <= e.worst < np.inf for e in made.expected)
    assert {m.statistic for m in made.measurements} == {"visits", "people", "cost"}
    by = {e.statistic: e for e in made.expected}
    assert by["visits"].prior_mean == pytest.approx(5000 / 35)
    assert by["sofar"].prior_mean == pytest.approx(5000 / 35 * 4)
    assert by["mean-cost"].prior_mean == pytest.approx(20)
    assert by["share"].prior_mean == pytest.approx(20)
    assert by["rate"].worst == pytest.approx(by["visits"].worst * 100, rel=0.02)
    people = next(m for m in made.measurements if m.statistic == "people")
    assert by["people"].margin_95 == pytest.approx(1.96 * people.variance**0.5, rel=1e-3)


def test_expected_margins_are_those_of_least_squares_where_no_size_is_guessed() -> None:
    made = plan(statistics=[{"id": "visits", "kind": "count"}])
    one = release(BASIC)
    grid = catalogue(one).grid(one, WEEK)
    structure = Structure(grid, {key_of(grid, m.levels): 1 / m.variance for m in made.measurements})
    for e in made.expected:
        margins = 1.959964 * np.sqrt(structure.variance(BASIC[e.table][0]))
        assert e.worst == pytest.approx(margins.max(), rel=1e-6)
        assert e.margin_95 == pytest.approx(np.median(margins), rel=1e-6)


def test_quantiles_are_planned_from_their_histogram() -> None:
    dims = [
        {"name": "area", "column": "area", "levels": ["area", "all"]},
        {"name": "cost", "column": "cost", "edges": [0, 10, 20, 30, 40]},
    ]
    made = plan(
        tables={"areas": ({"area": "area"}, ("median",))},
        dimensions=dims,
        derived=[{"id": "median", "kind": "quantile", "of": "visits", "across": "cost"}],
    )
    assert [m.levels for m in made.measurements] == [{"area": "area", "cost": "bin"}]
    assert made.expected[0].margin_95 > 0


def test_distinct_persons_of_several_days_cannot_be_added() -> None:
    with pytest.raises(CatalogueError, match="distinct persons"):
        plan(
            tables={"t": ({"date": "day"}, ("week",))},
            statistics=[{"id": "people", "kind": "persons"}],
            derived=[{"id": "week", "kind": "rolling", "of": "people"}],
        )


class TestWarnings:
    def test_rows_truncated_in_silence(self) -> None:
        assert plan(contribution={"rows": 1, "measure_truncation": False}).warnings[0] == UnmeasuredTruncation(rows=1)

    def test_nothing_is_said_where_nothing_can_be_truncated(self) -> None:
        assert plan().warnings == ()

    def test_a_ceiling_that_cannot_be_kept(self) -> None:
        tables = [{"id": "t", "title": "t", "levels": {"area": "area"}, "statistics": ["visits"], "ceiling": 0.5}]
        one = release(BASIC).model_dump(mode="json") | {"tables": tables}
        made = type(release(BASIC)).model_validate(one)
        warning = make_plan(catalogue(made), made, WEEK).warnings[0]
        assert isinstance(warning, AboveCeiling)
        assert (warning.table, warning.statistic, warning.ceiling) == ("t", "visits", 0.5)
        assert warning.margin_95 > 0.5

    def test_noise_larger_than_the_number(self) -> None:
        made = plan(
            statistics=[{"id": "visits", "kind": "count", "expected_total": 20}], privacy_loss={"epsilon": "1/10"}
        )
        assert all(w.margin_95 > w.prior_mean for w in made.warnings if isinstance(w, AboveMean))
        assert any(isinstance(w, AboveMean) for w in made.warnings)

    def test_no_size_is_guessed(self) -> None:
        assert UnknownSize() in plan(statistics=[{"id": "visits", "kind": "count"}]).warnings

    def test_a_stored_plan_keeps_them_as_facts(self) -> None:
        made = plan(contribution={"rows": 1, "measure_truncation": False})
        assert type(made).model_validate_json(made.model_dump_json()).warnings == made.warnings


REPEATS = {"1": 0.8, "2": 0.1, "6": 0.1}


class TestTruncatedRows:
    def test_what_the_bound_truncates_is_measured_with_no_more_than_a_fifth_where_it_is_only_guessed(self) -> None:
        made = plan(contribution={"rows": 1})
        truncation = {m.role: m for m in made.measurements if m.role != "statistic"}
        assert set(truncation) == {"truncated_rows", "truncated_persons"}
        assert made.truncated_rows_cap == 4
        assert (
            truncation["truncated_rows"].l1,
            truncation["truncated_rows"].l2_squared,
            truncation["truncated_persons"].l1,
        ) == (4, 16, 1)
        spent = sum(m.epsilon for m in truncation.values())
        assert Fraction(1, 200) <= spent <= Fraction(1, 5)

    def test_it_is_measured_as_finely_as_it_can_be_seen(self) -> None:
        small, large = (
            plan(
                statistics=[{"id": "visits", "kind": "count", "expected_total": total}],
                contribution={"rows": 1, "repeats": REPEATS},
            )
            for total in (1000, 10_000_000)
        )
        cells = [next(np.prod(m.shape) for m in p.measurements if m.role == "truncated_rows") for p in (small, large)]
        assert cells == [1, 15]

    def test_it_is_measured_where_kept_rows_are_published_to_compare_with(self) -> None:
        tables = {"a": ({"area": "region", "date": "week"}, ("visits",)), "b": ({"age": "band"}, ("visits",))}
        many = [{"id": "visits", "kind": "count", "expected_total": 10_000_000}]
        made = plan(tables=tables, statistics=many, contribution={"rows": 1, "repeats": REPEATS})
        (truncation,) = (m for m in made.measurements if m.role == "truncated_rows")
        assert truncation.levels == {"area": "all", "date": "week", "age": "band"}

    def test_nothing_is_spent_where_nothing_is_truncated_or_only_persons_are_counted(self) -> None:
        assert {m.role for m in plan().measurements} == {"statistic"}
        persons = plan(
            tables={"t": ({"area": "area"}, ("people",))},
            statistics=[{"id": "people", "kind": "persons"}],
            contribution={"rows": 3},
        )
        assert {m.role for m in persons.measurements} == {"statistic"}


def test_blocks_are_all_those_the_period_touches() -> None:
    one = release(BASIC, period="week")
    data = dataset(privacy_unit={"column": "patient", "per": "month"})
    assert make_plan(catalogue(one, data), one, WEEK).blocks == ("2021-02",)
    assert make_plan(catalogue(one, data), one, parse_period("2021-W08")).blocks == ("2021-02",)
    assert make_plan(catalogue(one, data), one, parse_period("2021-W04")).blocks == ("2021-01",)
    assert make_plan(catalogue(one, data), one, parse_period("2021-W13")).blocks == ("2021-03", "2021-04")


def test_measured_shapes_are_those_of_the_editions_grid() -> None:
    one = release(BASIC)
    grid: Grid = catalogue(one).grid(one, WEEK)
    for m in plan().measurements:
        assert m.shape == grid.shape(m.levels)
        assert list(m.levels) == [d.name for d in grid.dimensions]
