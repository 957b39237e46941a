"""What is declared at one time, and the rows that there are: the state that changes from stage to stage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from dp_stats.catalogue import yaml
from dp_stats.catalogue.calendar import WEEKDAYS
from tests.deliveries import as_csv
from tests.drawn.columns import DATES, NUMBERS, PERSONS, Written, code_columns
from tests.drawn.lists import Listed
from tests.drawn.releases import Declaration, Timed
from tests.drawn.words import NAMES, UNKNOWN_VALUES, seldom

Row = dict[str, Any]
"""Column → value, before it is written as the source writes it."""

OPT_OUTS: Declaration = {"source": {"kind": "csv", "path": "opt-outs.csv"}, "column": "person"}
OPTED_OUT = 3
"""The person whose rows must not be used."""


@dataclass(frozen=True)
class Told:
    """Everything declared, in the order of reading: lists, dataset, releases (the main one first), and the rows."""

    lists: tuple[Listed, ...]
    columns: Mapping[str, Written]
    dataset: Declaration
    releases: tuple[Declaration, ...]
    rows: tuple[Row, ...]
    way: str

    def files(self) -> dict[str, str]:
        """The catalogue's files, without the source."""
        expected = {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "patient"},
            "severity": "critical",
        }
        files = {
            "datasets/records.yaml": yaml.write(self.dataset),
            "expectations/records.json": json.dumps({"name": "records", "expectations": [expected]}),
            **{f"releases/{one['id']}.yaml": yaml.write(one) for one in self.releases},
            **{f"codes/{one.name}.csv": one.text for one in self.lists},
        }
        if self.dataset["opt_outs"]:
            files["opt-outs.csv"] = as_csv([["person"], [self.columns["patient"].write(OPTED_OUT)]]).decode()
        return files

    def delivered(self) -> tuple[tuple[str, ...], ...]:
        """The source: a header and the rows as they are written."""
        header = tuple(written.declared["from"] for written in self.columns.values())
        lines = (tuple(w.write(row[name]) for name, w in self.columns.items()) for row in self.rows)
        return (header, *lines)


@st.composite
def columns(draw: st.DrawFn, lists: tuple[Listed, ...], number: bool) -> dict[str, Written]:
    """The columns of the dataset: a person and a day, one for each code list, maybe a number and the name of a record."""
    person, day = draw(st.sampled_from(PERSONS)), draw(st.sampled_from(DATES))
    made = {"patient": _named("Patient", "person", person), "day": _named("Day", "date", day)}
    for one in lists:
        written = draw(code_columns(one))
        made[one.name] = Written({"from": one.name, **written.declared}, written.write)
    if number:
        made["cost"] = _named("cost", "number", draw(st.sampled_from(NUMBERS)))
    if draw(st.booleans()):
        made["record"] = _named("Record no.", "record", Written({}, str))
    return made


def _named(source: str, kind: str, written: Written) -> Written:
    return Written({"from": source, "type": kind, **written.declared}, written.write)


@st.composite
def datasets(draw: st.DrawFn, columns: Mapping[str, Written]) -> Declaration:
    """The dataset of these columns."""
    dataset: Declaration = {
        "id": "records",
        "title": draw(st.sampled_from(NAMES)),
        "description": draw(st.sampled_from(("One row per record.", "", "# <b>A</b>\n\nrow"))),
        "custodians": [{"name": draw(st.sampled_from(NAMES))}],
        "columns": {name: written.declared for name, written in columns.items()},
        "date_column": "day",
        "privacy_unit": {
            "column": "patient",
            "per": draw(st.sampled_from(("lifetime", "year", "month", "week", "day"))),
        },
        "opt_outs": None,
        "expectations": "records.json",
        "intake": {"empty_period": True, "unreadable": 1, "shrink": 0},  # rows are drawn, few or none
        "budget": {"rho": 100000},
    }
    if seldom(draw):
        dataset["privacy_unit"]["name"] = draw(st.sampled_from(("household", "ménage <1>")))
    if "record" in columns and draw(st.booleans()):
        dataset["record_id"] = "record"
    if draw(st.booleans()):
        dataset["opt_outs"] = OPT_OUTS
    if seldom(draw):
        away = {"user": "stand-in", "first_day": date(2026, 8, 3), "last_day": date(2026, 8, 21)}
        second = {"name": "Second, of two", "user": "dph", "email": "dph@agency.example", "deputies": [away]}
        dataset["custodians"].append(second)
        dataset |= {"region": draw(st.sampled_from(NAMES)), "legal_basis": "Act <5> & others"}
    if seldom(draw):
        dataset["intake"] |= {
            "closed_weekdays": sorted(draw(st.sets(st.sampled_from(WEEKDAYS)))),
            "closed_days": ["2024-01-01"],
            "busy": 10,
        }
        dataset["intake"] |= {"days_without_rows": None, "trickle": 0, "judged_from": 1000, "unknown": 0.9}
    if seldom(draw):
        dataset |= {
            "first_day": date(2023, 1, 1),
            "last_day": draw(st.sampled_from((date(2024, 2, 10), date(2029, 12, 31)))),
        }
    if seldom(draw):
        shares = {"scheduled": 0.7, "adhoc": "1/3", "per_analyst": 0.05, "no_approval_below": 0.001, "forecast_days": 9}
        dataset["budget"] = {"epsilon": 400, "delta": "1e-6", **shares}
    return dataset


@st.composite
def rows(
    draw: st.DrawFn, lists: tuple[Listed, ...], columns: Mapping[str, Written], timed: Timed, first: int
) -> list[Row]:
    """None to some dozens of rows in and around the periods, of few persons; records are numbered from ``first``."""
    made: list[Row] = []
    for number in range(draw(st.sampled_from((0, 1, 3, 12, 40)))):
        period = draw(st.sampled_from(timed.periods))
        latest = min((period.end - period.start).days, 40)
        row: Row = {
            "patient": draw(st.integers(0, 20)),
            "day": period.start + timedelta(days=draw(st.integers(-2, latest))),
            "record": first + number,
        }
        for one in lists:
            good = [line.get("lower") or line["code"] for line in one.lines]
            row[one.name] = draw(st.sampled_from([*good, draw(st.sampled_from(UNKNOWN_VALUES))]))
        row["cost"] = draw(st.sampled_from(("1", "0.5", "-3", "1000000", "", "n/a", "12.25")))
        made.append(row)
    return made
