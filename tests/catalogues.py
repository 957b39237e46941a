"""Whole catalogues with data, generated: what an agency might declare, and what a source might hold.

A drawn :class:`Declared` is a folder of files. Names and codes are as the world writes them; most catalogues are
sound, some are not, and then ``check`` must say so in words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from dp_stats.catalogue import yaml
from dp_stats.catalogue.calendar import ISO, TIME_LEVELS, Calendar
from dp_stats.catalogue.periods import PeriodKind
from tests.deliveries import WAYS, as_csv

NAMES = (
    "North", "Ynys Môn", "Pen-y-bont ar Ogwr", "Αττική", "서울", "القاهرة", "Москва", "東京", "İstanbul", "O’Brien's \"Corner\"",
    "Bath, North East", "A/B", "#1 Clinic", "What?", "🏥", "<b>bold</b>", "(all)", "…", "a & b",
    "50 %", "{{ name }}", "l'Hôpital", "Status", "all", "NA", "ZZ " + "long " * 30,
)  # fmt: skip
CODES = (
    "E06000001", "NA", "TRUE", "ON", "01001", "1E05", "index", "all", "../x", "North/East", "North-East", "a b", "é", "서울",
    "0", "00", "null", "None", "nan", "CON", ".", "..", "x" * 60, "a,b", "a\"b", "%2e", "a#b", "a?b", "Unknown1",
)  # fmt: skip
FORMULAS = ('=HYPERLINK("x")', "=1+1", "+", "-", "@home", "\tx")
"""What a spreadsheet would run: refused in code lists, so drawn rarely."""
UNKNOWN_VALUES = ("", "elsewhere", "N/A", "unknown", "ERR")


@dataclass(frozen=True)
class Declared:
    """One catalogue: files by name, the rows of its source and the way they are delivered, and the editions to be run."""

    files: dict[str, str]
    rows: tuple[tuple[str, ...], ...]
    way: str
    editions: tuple[str, ...]

    def write(self, folder: Path) -> Path:
        """Write the files, with the delivery; returns the folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="")
        source = WAYS[self.way](folder, self.rows)
        with (folder / "datasets" / "records.yaml").open("a", encoding="utf-8") as dataset:
            dataset.write(yaml.write({"source": source}))
        return folder


def rarely(draw: st.DrawFn) -> bool:
    """True once in some twenty: what check refuses is drawn too, but mostly what it accepts."""
    return draw(st.integers(0, 19)) == 7


@dataclass(frozen=True)
class Listed:
    """A drawn code list and what a column of it needs."""

    name: str
    kind: str
    levels: tuple[str, ...]
    codes: tuple[str, ...]
    population: bool
    text: str


@st.composite
def code_lists(draw: st.DrawFn, name: str) -> Listed:
    """A list of one to six codes: flat, or nested in one or two coarser levels; of codes or of bands of numbers."""
    band = draw(st.booleans())
    size = draw(st.integers(1, 6))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=size, max_size=size, unique=True))
    if band:
        codes = tuple(f"{10 * i}-{10 * i + 9}" for i in range(size))
    else:
        codes = tuple(
            draw(st.lists(st.sampled_from(CODES), min_size=size, max_size=size, unique_by=lambda c: c.casefold()))
        )
    if rarely(draw):
        names = [draw(st.sampled_from(FORMULAS)), *names[1:]]
    depth = draw(st.integers(0, 2))
    population = draw(st.booleans())
    middle = [draw(st.integers(0, 2)) for _ in range(size)]
    header = ["code", "name"]
    levels = ["code" if draw(st.booleans()) else name]
    rows = [[code, title] for code, title in zip(codes, names, strict=True)]
    if depth >= 1:
        levels.append("district")
        header += ["district", "district_name"]
        for row, group in zip(rows, middle, strict=True):
            row += [f"D{group}", NAMES[group * 3]]
    if depth == 2:
        levels.append("region")
        header += ["region"]
        for row, group in zip(rows, middle, strict=True):
            row += [f"R{group // 2}"]
    if band:
        header += ["lower", "upper"]
        for i, row in enumerate(rows):
            row += [str(10 * i), str(10 * i + 9)]
    if population:
        header += ["population"]
        for row in rows:
            row += [draw(st.sampled_from(("0", "1000", "25", "")))]
    return Listed(name, "band" if band else "code", tuple(levels), codes, population, as_csv([header, *rows]).decode())


DAYS: dict[PeriodKind, tuple[date, ...]] = {
    "day": (date(2024, 2, 29), date(2024, 3, 1)),
    "week": (date(2024, 1, 1), date(2024, 1, 29), date(2024, 2, 28)),
    "month": (date(2024, 1, 31), date(2024, 2, 29)),
    "quarter": (date(2024, 3, 1), date(2024, 4, 1)),
    "year": (date(2024, 3, 1),),
    "financial-year": (date(2024, 3, 1), date(2024, 7, 1)),
}
"""Days of the editions that are made, by what one covers."""


@st.composite
def statistics(draw: st.DrawFn, number: bool) -> list[dict[str, Any]]:
    """One to three measured statistics of different kinds."""
    kinds = ["count", "persons", *(["sum"] if number else [])]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=len(kinds), unique=True))
    made: list[dict[str, Any]] = []
    for kind in chosen:
        one: dict[str, Any] = {"id": f"s-{kind}", "kind": kind}
        if draw(st.booleans()):
            one["title"] = draw(st.sampled_from(NAMES))
        if draw(st.booleans()):
            one["expected_total"] = draw(st.sampled_from((1, 20, 500.5, 1e7)))
        if kind == "sum":
            one |= {"column": "cost"} | draw(
                st.sampled_from(
                    (
                        {"lower": 0, "upper": 100},
                        {"lower": -5, "upper": 5, "resolution": "0.1"},
                        {"lower": 0, "upper": 1000, "resolution": 10},
                        {"lower": "0.5", "upper": "2.25", "resolution": "0.25", "unit": "pounds"},
                    )
                )
            )
        made.append(one)
    return made


@st.composite
def derived(draw: st.DrawFn, measured: list[dict[str, Any]], dimensions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Up to three derived statistics, which mostly fit what is declared."""
    ids = [s["id"] for s in measured]
    added = [s["id"] for s in measured if s["kind"] != "persons"]
    names = [d["name"] for d in dimensions] or ["nothing"]
    kinds = ["rate", "mean", "share", "rolling", "cumulative", "quantile"]
    along_time = ("rolling", "cumulative")
    anything = rarely(draw)
    if not anything:
        dated = added and any(d["column"] == "day" for d in dimensions)
        kinds = ["rate", "mean", "share", *(along_time if dated else ())]
    made = []
    for i, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=3, unique=True))):
        of = ids if anything or kind not in along_time else added
        one: dict[str, Any] = {"id": f"d-{kind}", "kind": kind, "of": draw(st.sampled_from(of))}
        if kind == "mean":
            one["over"] = draw(st.sampled_from(ids))
        if kind in ("share", "quantile"):
            one["across"] = draw(st.sampled_from(names))
        if kind == "rolling":
            one["days"] = draw(st.sampled_from((1, 2, 7, 14, 30)))
        if kind == "rate":
            one["per"] = draw(st.sampled_from((1, 1000, 100000)))
        if draw(st.booleans()):
            one["title"] = f"{draw(st.sampled_from(NAMES))} {i}"
        made.append(one)
    return made


@st.composite
def catalogues(draw: st.DrawFn) -> Declared:
    """A catalogue of one dataset and one release, with its code lists, suite and rows."""
    lists = [draw(code_lists(f"list{i}")) for i in range(draw(st.integers(1, 3)))]
    number = draw(st.booleans())
    per = draw(st.sampled_from(("lifetime", "year", "month", "week", "day")))
    columns: dict[str, Any] = {
        "patient": {"from": "Patient", "type": "person"},
        "day": {"from": "Day", "type": "date"},
    }
    for one in lists:
        columns[one.name] = {"from": one.name, "type": one.kind, "codes": one.name, "unknown": draw(st.booleans())}
    if number:
        columns["cost"] = {"from": "cost", "type": "number"}
    kind: PeriodKind = draw(st.sampled_from((*DAYS, "range")))
    calendar = Calendar(
        week_starts=draw(st.sampled_from(("monday", "monday", "sunday", "saturday"))),
        financial_year_starts=draw(st.sampled_from(("04-01", "04-06", "02-28"))),
    )
    start = draw(st.sampled_from((date(2024, 1, 1), date(2023, 12, 30), date(2024, 2, 28))))
    dimensions: list[dict[str, Any]] = []
    for one in lists:
        levels = [one.levels[0], *[lv for lv in one.levels[1:] if draw(st.booleans())]]
        dimensions.append({"name": one.name, "column": one.name, "levels": levels})
        if draw(st.booleans()):
            dimensions[-1]["title"] = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        levels = draw(st.lists(st.sampled_from(TIME_LEVELS), min_size=1, max_size=3, unique=True))
        dimensions.append({"name": "date", "column": "day", "levels": sorted(levels, key=TIME_LEVELS.index)})
    if number and draw(st.booleans()):
        dimensions.append(
            {"name": "cost-bin", "column": "cost", "edges": draw(st.sampled_from(([0, 10, 50], [0, 1], [-5, 0, 5.5])))}
        )
    measured = draw(statistics(number))
    after = draw(derived(measured, dimensions))
    tables = []
    for i in range(draw(st.integers(1, 3))):
        chosen = [d for d in dimensions if draw(st.booleans())]
        levels_of = {d["name"]: draw(st.sampled_from(d.get("levels") or ["bin"])) for d in chosen}
        shown = draw(
            st.lists(st.sampled_from([s["id"] for s in measured + after]), min_size=1, max_size=3, unique=True)
        )
        tables.append({"id": f"t{i}", "title": draw(st.sampled_from(NAMES)), "levels": levels_of, "statistics": shown})
    release: dict[str, Any] = {
        "id": "figures",
        "title": draw(st.sampled_from(NAMES)),
        "dataset": "records",
        "period": kind,
        "start": start,
        "dimensions": dimensions,
        "statistics": measured,
        "derived": after,
        "tables": tables,
        "contribution": {"rows": draw(st.integers(1, 4)), "one_per_cell": draw(st.booleans())},
        "privacy_loss": draw(
            st.sampled_from(({"epsilon": 1}, {"epsilon": "0.1"}, {"epsilon": 8, "delta": "1e-6"}, {"rho": "0.05"}))
        ),
        "series": draw(st.booleans()),
        "texts": draw(
            st.sampled_from(
                (
                    {"summary": "How many.", "publisher": "The agency"},
                    {"summary": "See [here](https://example.org/x)."},
                    {"summary": "", "theme": ""},
                    {"summary": "Line one\nline two", "theme": "Ζωή", "known_issues": ["<script>"]},
                )
            )
        ),
    }
    if calendar != ISO:
        release["calendar"] = calendar.model_dump()
    if kind == "range":
        release["end"] = start + timedelta(days=draw(st.sampled_from((0, 6, 40))))
    if draw(st.booleans()):
        release["schedule"] = draw(st.sampled_from(("30 9 * * *", "@weekly", "0 7 * * 1")))
    rows = [["Patient", "Day", *[one.name for one in lists], *(["cost"] if number else [])]]
    for _ in range(draw(st.sampled_from((0, 1, 3, 12, 60)))):
        row = [
            f"p{draw(st.integers(0, 20))}",
            (start + timedelta(days=draw(st.integers(-3, 45)))).isoformat(),
        ]
        for one in lists:
            good = [str(10 * i) for i in range(len(one.codes))] if one.kind == "band" else list(one.codes)
            row.append(draw(st.sampled_from([*good, draw(st.sampled_from(UNKNOWN_VALUES))])))
        if number:
            row.append(draw(st.sampled_from(("1", "0.5", "-3", "1000000", "", "n/a", "12.25"))))
        rows.append(row)
    dataset = {
        "id": "records",
        "title": draw(st.sampled_from(NAMES)),
        "description": "One row per record.",
        "custodians": [{"name": draw(st.sampled_from(NAMES))}],
        "columns": columns,
        "date_column": "day",
        "privacy_unit": {"column": "patient", "per": per},
        "opt_outs": None,
        "expectations": "records.json",
        "intake": {"empty_period": True, "unreadable": 1},  # rows are drawn, few or none
        "budget": {"rho": 100000},
    }
    suite = {
        "name": "records",
        "expectations": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "patient"}, "severity": "critical"}
        ],
    }
    if kind == "range":
        labels = [f"{start}--{release['end']}"]
    else:  # the last edition may be cut at the end, as the first is at the start
        days = [day for day in DAYS[kind] if day >= start]
        labels = list(dict.fromkeys(calendar.period_of(day, kind).label for day in days))
        if draw(st.booleans()):
            release["end"] = DAYS[kind][-1]
    files = {
        "datasets/records.yaml": yaml.write(dataset),
        "releases/figures.yaml": yaml.write(release),
        "expectations/records.json": json.dumps(suite),
        **{f"codes/{one.name}.csv": one.text for one in lists},
    }
    editions = tuple(f"figures/{label}" for label in labels[: draw(st.integers(1, 2))])
    return Declared(files, tuple(map(tuple, rows)), draw(st.sampled_from(sorted(WAYS))), editions)
