"""Statistics that truncated records are missing from say so: in descriptions, notes, marks and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.contribution import Contribution
from dp_stats.catalogue.periods import parse_period
from dp_stats.editions.describe import _statistic, describe
from dp_stats.editions.edition import Edition
from dp_stats.editions.publication import publish_edition
from dp_stats.editions.tidy import tidy
from dp_stats.editions.truncated import said_beside, seen_in
from dp_stats.estimate.model import EditionEstimates
from dp_stats.plan.repeats import repeats_seen
from dp_stats.plan.truncation import truncated_share
from tests.english import TEXTS
from tests.estimate_examples import declare_edition

SURE = {"rows": 1, "why_nothing_is_truncated": "First events only."}


@pytest.mark.parametrize(("bound", "missing"), [({"rows": 3}, True), (SURE, False)])
def test_persons_say_who_may_be_missing_where_records_are_truncated(bound: dict[str, Any], missing: bool) -> None:
    statistics = ({"id": "count", "kind": "count", "expected_total": 5000}, {"id": "people", "kind": "persons"})
    tables = ({"id": "area", "levels": {"area": "area"}, "statistics": ["count", "people"]},)
    made = declare_edition(statistics=statistics, tables=tables, contribution=bound)
    dataset = made.catalogue.dataset_of(made.release)
    count, people = (_statistic(s, made.release, dataset, TEXTS).description for s in made.release.statistics)
    assert ("At most 3 records" in people) is missing
    assert "missing" not in count


DERIVED = (
    {"id": "mean-cost", "kind": "mean", "of": "cost", "over": "count"},
    {"id": "median", "kind": "quantile", "of": "count", "across": "band", "q": 0.5},
    {"id": "people-rate", "kind": "rate", "of": "people", "per": 1000},
)
STATISTICS = (
    {"id": "count", "kind": "count", "expected_total": 5000},
    {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "expected_total": 20000},
    {"id": "people", "kind": "persons"},
)
EVERYTHING = ["count", "cost", "people", "people-rate", "mean-cost", "median"]


def described(bound: dict[str, Any], *, persons: int = 10) -> tuple[Edition, EditionEstimates]:
    made = declare_edition(
        statistics=STATISTICS,
        derived=DERIVED,
        tables=({"id": "area", "levels": {"area": "area"}, "statistics": EVERYTHING},),
        contribution=bound,
    )
    rows = np.full(made.grid.shape(), 200)
    exact = {
        "count": rows,
        "cost": 4 * rows,
        "people": rows,
        "truncated_rows": rows // 5,
        "truncated_persons": 0 * rows + persons,
    }
    estimates = made.estimate(made.draw(exact, np.random.default_rng(1)))
    facts = describe(
        made.release,
        dataset=made.catalogue.dataset_of(made.release),
        catalogue=made.catalogue,
        period=parse_period("2024-03-04--2024-03-31"),
        grid=made.grid,
        estimates=estimates,
        texts=TEXTS,
    )
    return facts, estimates


def test_what_is_left_out_of_each_uncorrected_statistic_is_said_with_its_size() -> None:
    facts, estimates = described({"rows": 3, "truncated_rows": 4}, persons=30)
    assert estimates.truncation is not None
    size = f"an estimated {TEXTS.number(estimates.truncation.truncated_rows)} records"
    for statistic in ("people", "people-rate", "mean-cost", "median"):
        said = said_beside(facts, [statistic], TEXTS)
        assert facts.statistic(statistic).title in said
        assert "at most 3 records of one person count" in said
        assert size in said
    assert not said_beside(facts, ["count", "cost"], TEXTS)


def test_where_nobody_measured_what_is_truncated_every_number_is_marked_and_it_is_said_once() -> None:
    facts, estimates = described({"rows": 3, "measure_truncation": False})
    said = said_beside(facts, EVERYTHING, TEXTS)
    assert said == said_beside(facts, ["count"], TEXTS)
    assert said.count("how many is not known") == 1
    marks = tidy(facts, estimates, facts.table("area"))["status"].to_pylist()
    assert all("t" in mark.split() or mark in ("x", "z") for mark in marks)


@pytest.mark.parametrize(("persons", "reached"), [(10, True), (30, False)])
def test_where_people_have_more_rows_left_out_than_are_counted_every_number_is_marked(
    persons: int, reached: bool
) -> None:
    facts, estimates = described({"rows": 3, "truncated_rows": 4}, persons=persons)
    said = said_beside(facts, ["count"], TEXTS)
    assert ("at most 4 of one person" in said) is reached
    marks = tidy(facts, estimates, facts.table("area"))["status"].to_pylist()
    assert all("t" in mark.split() or mark in ("x", "z") for mark in marks) is reached


def test_where_nobody_declared_how_often_people_repeat_every_number_is_marked_and_says_what_it_rests_on() -> None:
    """Of rows beyond the cap no measurement tells anything: thirty more of one person give the same noisy numbers."""
    facts, estimates = described({"rows": 3}, persons=30)
    assert not estimates.truncation.cap_reached if estimates.truncation else False
    assert "no person has more than 15 records" in said_beside(facts, ["count"], TEXTS)
    marks = tidy(facts, estimates, facts.table("area"))["status"].to_pylist()
    assert all("t" in mark.split() or mark in ("x", "z") for mark in marks)
    declared, same = described({"rows": 3, "repeats": {"1": 0.9, "3": 0.09, "9": 0.01}}, persons=30)
    assert not same.beyond_intervals
    assert not said_beside(declared, ["count"], TEXTS)


def test_where_nothing_is_truncated_nothing_is_said_or_marked() -> None:
    facts, estimates = described(SURE)
    assert not said_beside(facts, EVERYTHING, TEXTS)
    assert not any("t" in mark.split() for mark in tidy(facts, estimates, facts.table("area"))["status"].to_pylist())


def test_the_sentence_stands_in_the_files_that_people_read_first(tmp_path: Path) -> None:
    facts, estimates = described({"rows": 3, "truncated_rows": 4})
    folder = publish_edition(facts, estimates, tmp_path, texts=TEXTS).folder
    package, table = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("datapackage.json", "area.csv-metadata.json")
    )
    kit = (folder / "readers-kit.md").read_text(encoding="utf-8")
    said = said_beside(facts, EVERYTHING, TEXTS)
    assert all(said in text for text in (package["description"], table["dc:description"], kit))


def test_what_an_edition_says_of_truncated_rows_suggests_repeats_for_the_next() -> None:
    facts, estimates = described({"rows": 3, "truncated_rows": 4}, persons=30)
    seen = seen_in(facts)
    assert seen is not None
    assert estimates.truncation is not None
    rows = float(200 * 9 * 28 * 3)
    assert seen.kept == pytest.approx(rows, rel=0.01)
    assert seen.truncated == pytest.approx(rows / 5, rel=0.05)
    assert seen.persons == pytest.approx(rows * 30 / 200, rel=0.05)
    repeats = repeats_seen(seen)
    truncated = truncated_share(Contribution(rows=3, repeats=repeats))
    assert truncated == pytest.approx(seen.truncated / (seen.truncated + seen.kept), rel=0.1)
    assert seen_in(described(SURE)[0]) is None
