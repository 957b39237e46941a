"""What a question would cost is told before it is asked: nothing is filed or spent, and what is said to fit does fit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from dp_stats import requests
from dp_stats.errors import CatalogueError, NotDueError
from dp_stats.ledger import Ledger
from dp_stats.requests.tried import keep_tried, kept_quote, left_of, tried_by
from dp_stats.requests.trying import Tried, try_out

FORM = {
    "dataset": "visits",
    "by": ["clinic/district"],
    "period": "2024-01-01--2024-01-10",
    "purpose": "To plan how many nurses are needed.",
}
TIGHT = {"epsilon": 2, "delta": "1e-6", "adhoc": 0.5, "per_analyst": 0.1}


@pytest.fixture(autouse=True)
def state_folder(clinic: Any) -> None:
    clinic.settings.home.mkdir()


def tried(**changes: Any) -> Tried:
    return try_out({**FORM, **changes}, requested_by="ann")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_quote_tells_a_curve_of_accuracy_and_files_and_spends_nothing(clinic: Any) -> None:
    quote = tried(epsilon=1)
    assert [p.epsilon for p in quote.points] == pytest.approx([0.25, 0.5, 1, 2, 4], rel=1e-6)
    for less, more in itertools.pairwise(quote.points):
        assert less.margin is not None
        assert more.margin is not None
        assert (less.margin > more.margin, less.share < more.share) == (True, True)
    (asked,) = [p for p in quote.points if p.asked]
    assert (asked.rho, asked.margin) == (quote.card.quote.rho, quote.card.plan.expected[0].margin_95)
    assert (quote.way, quote.fitting) == ("approval", None)
    assert not files(clinic.settings.requests)
    assert [entry.event for entry in Ledger.open(clinic.settings.ledger_url).entries()] == ["created"]


@pytest.mark.parametrize("wanted", [{"epsilon": 1}, {"epsilon": 15}, {"margin": 5}])
def test_what_is_said_to_fit_fits_and_a_little_more_does_not(clinic: Any, wanted: dict[str, float]) -> None:
    clinic.change("datasets/visits.yaml", budget=TIGHT)
    quote = tried(**wanted)
    assert quote.card.refusals
    fitting = quote.fitting
    assert fitting is not None
    (field,) = wanted
    said = fitting.epsilon if field == "epsilon" else fitting.margin
    assert said is not None
    assert not tried(**{field: said}).card.refusals
    assert tried(**{field: said * (1.05 if field == "epsilon" else 0.9)}).card.refusals


def test_nothing_is_said_to_fit_where_nothing_is_left(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={**TIGHT, "per_analyst": "1e-12"})
    for wanted in ({"epsilon": 1}, {"margin": 5}):
        assert tried(**wanted).fitting is None


def test_the_shares_of_who_asks_and_of_all_requests_are_told(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget=TIGHT)
    quote = tried(epsilon=0.1).card.quote
    assert {left["of"]: left["share"] for left in left_of(quote)} == {"cap": 1, "category": 0.5, "analyst": 0.1}
    assert quote.room == quote.limits["2024"][2].left
    assert float(quote.room) == pytest.approx(float(quote.before[0].cap) / 10)


def test_a_quote_is_kept_for_who_tried_it_and_nobody_else(clinic: Any) -> None:
    quote = kept_quote(tried(epsilon=0.1), run="ask-visits/manual__1")
    keep_tried(quote, user="Ann", settings=clinic.settings)
    keep_tried(quote, user="Ann", settings=clinic.settings)
    assert [one["title"] for one in tried_by("ann ", settings=clinic.settings)] == [quote["title"]]
    assert tried_by("bob", settings=clinic.settings) == []
    (path,) = (clinic.settings.requests / "tried").rglob("*.json")
    path.write_text("{")
    assert tried_by("ann", settings=clinic.settings) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"period": "2019-05"}, "has no records, or not of all of it. They are from 1 January 2024 to today"),
        ({"period": "2023-12-30--2023-12-31"}, "has no records"),
        ({"statistic": "mean"}, "a mean needs the column of numbers"),
        ({"statistic": "count", "column": "cost"}, "a count is of no column: leave column empty"),
        ({"statistic": "rate", "by": []}, "needs a breakdown by areas whose list has a column 'population'"),
        (
            {"statistic": "mean", "column": "cost", "lower": 0, "upper": 90, "epsilon": None, "margin": 3},
            "cannot be foreseen",
        ),
    ],
)
def test_what_cannot_be_asked_cannot_be_tried(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        tried(**{"epsilon": 1, **changes})


def test_declared_days_of_a_source_hold_for_the_whole_period(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", first_day="2024-01-03", last_day="2024-02-04")
    for period in ("2024-01-01--2024-01-10", "2024-02"):
        with pytest.raises(CatalogueError, match="from 3 January 2024 to 4 February 2024"):
            tried(epsilon=1, period=period)
    assert tried(epsilon=1, period="2024-01-03--2024-02-04").points
    with pytest.raises(NotDueError):
        tried(epsilon=1, period="2150")


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ({"statistic": "rate"}, {"count"}),
        ({"statistic": "mean", "column": "cost", "lower": 0, "upper": 90}, {"sum", "count"}),
    ],
)
def test_a_rate_and_a_mean_are_measured_by_what_they_are_made_of(
    clinic: Any, changes: dict[str, Any], measured: set[str]
) -> None:
    made = requests.ask({**FORM, **changes, "epsilon": 1}, requested_by="ann")
    card = requests.card(made.id)
    assert {m.statistic for m in card.plan.measurements if m.role == "statistic"} == measured
    assert card.release.tables[0].statistics == (changes["statistic"],)
    assert card.free is None
    if changes["statistic"] == "rate":
        assert card.plan.expected[0].margin_95 < 1000
        assert card.unreliable is not None
