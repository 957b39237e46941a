"""Releases: what they measure, derive, and publish, when, within which bounds, at which loss, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from dp_stats.catalogue.calendar import ISO, TIME_LEVELS, WEEKDAYS, Calendar
from dp_stats.catalogue.periods import Period, PeriodKind
from tests.drawn.lists import Listed
from tests.drawn.over_time import across_tables
from tests.drawn.words import HOLIDAYS, NAMES, ZONES, rarely, seldom

Declaration = dict[str, Any]

LAST_DAY = date(2026, 6, 30)
"""Of the last period that is made, so that it has ended and settled."""


@dataclass(frozen=True)
class Timed:
    """What editions cover, from which day, and the first of them, cut at ``start``."""

    kind: PeriodKind
    calendar: Calendar
    start: date
    periods: tuple[Period, ...]

    @property
    def days(self) -> tuple[date, ...]:
        """Days on which something may change: at, in and around the editions."""
        ends = [p.end + timedelta(days=1) for p in self.periods]
        middles = [p.start + (p.end - p.start) / 2 for p in self.periods]
        return tuple({self.start - timedelta(days=40): 0, **dict.fromkeys([*ends, *middles, *ends[:1]])})


@st.composite
def times(draw: st.DrawFn) -> Timed:
    """A kind of period, a calendar, and up to three periods in a row, the first of them whole or cut."""
    kinds: tuple[PeriodKind, ...] = (
        "day",
        "week",
        "week",
        "month",
        "month",
        "quarter",
        "year",
        "financial-year",
        "range",
    )
    kind = draw(st.sampled_from(kinds))
    calendar = Calendar(
        week_starts=draw(st.sampled_from(("monday",) * 6 + WEEKDAYS)),
        financial_year_starts=draw(st.sampled_from(("04-01", "04-06", "02-28"))),
    )
    start = draw(st.sampled_from((date(2024, 1, 1), date(2023, 12, 30), date(2024, 2, 28), date(2024, 3, 31))))
    if kind == "range":
        end = start + timedelta(days=draw(st.sampled_from((0, 6, 40))))
        return Timed(kind, calendar, start, (Period(start, end, f"{start}--{end}", "range"),))
    periods = [calendar.period_of(start, kind)]
    while len(periods) < 3:
        after = calendar.period_of(periods[-1].end + timedelta(days=1), kind)
        if after.end > LAST_DAY:
            break
        periods.append(after)
    return Timed(kind, calendar, start, tuple(p.within(start, None) for p in periods))


@st.composite
def statistics(draw: st.DrawFn, number: bool, *, late: bool) -> list[Declaration]:
    """One to three measured statistics of different kinds; with late rows a count, and none of persons."""
    kinds = ["count", *(["sum"] if number else []), *([] if late else ["persons"])]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=len(kinds), unique=True))
    if late and "count" not in chosen:
        chosen.append("count")
    made: list[Declaration] = []
    for kind in chosen:
        one: Declaration = {"id": f"s-{kind}", "kind": kind}
        if draw(st.booleans()):
            one["title"] = draw(st.sampled_from(NAMES))
        if draw(st.booleans()):
            one["expected_total"] = draw(st.sampled_from((1, 20, 500.5, 1e7)))
        if seldom(draw):
            one["unit"] = draw(st.sampled_from(("visits", "", "£ < 5 & more")))
        if kind == "sum":
            one |= {"column": "cost"} | draw(
                st.sampled_from(
                    (
                        {"lower": 0, "upper": 100},
                        {"lower": -5, "upper": 5, "resolution": "0.1"},
                        {"lower": 0, "upper": 1000, "resolution": 10},
                        {"lower": "0.5", "upper": "2.25", "resolution": "0.25", "unit": "pounds"},
                        {"lower": "-10", "upper": "-1"},
                        {"lower": 0, "upper": 1, "resolution": "1/8"},
                    )
                )
            )
        made.append(one)
    return made


@st.composite
def derived(
    draw: st.DrawFn, measured: Sequence[Declaration], dimensions: Sequence[Declaration], facts: Sequence[str]
) -> list[Declaration]:
    """Up to three derived statistics, which mostly fit what is declared; ``facts``: columns of populations."""
    ids = [s["id"] for s in measured]
    added = [s["id"] for s in measured if s["kind"] != "persons"]
    names = [d["name"] for d in dimensions] or ["nothing"]
    along_time = ("daily", "rolling", "cumulative")
    kinds = ["rate", "mean", "share", *along_time, "quantile"]
    anything = rarely(draw)
    binned = [d["name"] for d in dimensions if "edges" in d or d.get("banded")]
    if not anything:
        dated = added and any(d["column"] == "day" for d in dimensions)
        kinds = ["rate", "mean", "share", *(along_time if dated else ()), *(("quantile",) if binned and added else ())]
    made = []
    for i, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=3, unique=True))):
        of = ids if anything or kind not in (*along_time, "quantile") else added
        one: Declaration = {"id": f"d-{kind}", "kind": kind, "of": draw(st.sampled_from(of))}
        if kind == "mean":
            one["over"] = draw(st.sampled_from(ids))
        if kind == "share" or (kind == "quantile" and (anything or not binned)):
            one["across"] = draw(st.sampled_from(names))
        elif kind == "quantile":
            one |= {"across": draw(st.sampled_from(binned)), "q": draw(st.sampled_from((0.5, 0.01, 0.99)))}
        if kind == "rolling":
            one["days"] = draw(st.sampled_from((1, 2, 7, 14, 30)))
        if kind == "rate":
            one["per"] = draw(st.sampled_from((1, 1000, 100000)))
            if facts:
                one["population"] = draw(st.sampled_from(facts))
        if draw(st.booleans()):
            one["title"] = f"{draw(st.sampled_from(NAMES))} {i}"
        if seldom(draw):
            one["unit"] = "per year"
        made.append(one)
    return made


@st.composite
def dimensions(draw: st.DrawFn, lists: Sequence[Listed], number: bool) -> list[Declaration]:
    """One for each code list, and maybe of time and of bins of a number."""
    made: list[Declaration] = []
    for one in lists:
        levels = [one.levels[0], *[level for level in one.levels[1:] if draw(st.booleans())]]
        levels += ["all"] if seldom(draw) else []
        name = draw(st.sampled_from((one.name, one.name, "status", "value"))) if one is lists[0] else one.name
        made.append({"name": name, "column": one.name, "levels": levels})
        if draw(st.booleans()):
            made[-1]["title"] = draw(st.sampled_from(NAMES))
        if seldom(draw):
            made[-1]["level_titles"] = {levels[0]: draw(st.sampled_from(NAMES))}
        if seldom(draw):
            made[-1]["pages"] = {draw(st.sampled_from(levels)): draw(st.sampled_from(("each", "together")))}
    if draw(st.booleans()):
        parts = draw(st.lists(st.sampled_from(TIME_LEVELS), min_size=1, max_size=3, unique=True))
        made.append({"name": "date", "column": "day", "levels": sorted(parts, key=TIME_LEVELS.index)})
        if seldom(draw):
            made[-1]["levels"] = []
    if number and draw(st.booleans()):
        edges = draw(st.sampled_from(([0, 10, 50], [0, 1], [-5, 0, 5.5])))
        made.append({"name": "cost-bin", "column": "cost", "edges": edges})
    return made


@st.composite
def tables(draw: st.DrawFn, dimensions: Sequence[Declaration], known: Sequence[str]) -> list[Declaration]:
    """One to three tables at any levels."""
    made: list[Declaration] = []
    names = draw(st.sampled_from((("t0", "t1", "t2"), ("index", "latest", "edition"), ("t0", "privacy", "workbook"))))
    for name in names[: draw(st.integers(1, 3))]:
        chosen = [d for d in dimensions if draw(st.booleans())]
        levels = {d["name"]: draw(st.sampled_from(levels_of(d))) for d in chosen}
        shown = draw(st.lists(st.sampled_from(list(known)), min_size=1, max_size=3, unique=True))
        one: Declaration = {"id": name, "title": draw(st.sampled_from(NAMES)), "levels": levels, "statistics": shown}
        if seldom(draw):
            one["weight"] = draw(st.sampled_from((0, 0.5, 20)))
        if seldom(draw):
            one["ceiling"] = draw(st.sampled_from((0.5, 100)))
        if seldom(draw):
            one["prior_mean"] = draw(st.sampled_from((0.1, 46)))
        made.append(one)
    return made


def levels_of(dimension: Declaration) -> list[str]:
    """The levels that tables may name."""
    return dimension.get("levels") or (["bin"] if "edges" in dimension else ["day"])


LOSSES = (
    *({"epsilon": 1}, {"epsilon": "0.1"}, {"epsilon": 8, "delta": "1e-6"}, {"rho": "0.05"}),
    *({"epsilon": "1/10000"}, {"epsilon": 100}, {"rho": 50}, {"epsilon": 1, "delta": "1e-9"}),
)
PRACTICE = {
    "status": "Official statistics [in development] <b>",
    "revisions": "Once & for all.",
    "pre_release_access": "Nobody.",
    "source_quality": "Every clinic reports.\n\nMost do.",
    "timeliness": "Ten days.",
    "comparability": "",
}
TEXTS: tuple[Declaration, ...] = (
    {
        "summary": "How many.",
        "publisher": "The agency",
        "keywords": ["visits", "#tag, with comma"],
        "contact": "a@b.example",
        "practice": PRACTICE,
    },
    {"summary": "See [here](https://example.org/x).", "public_benefit": "Plan <staff> & beds."},
    {
        "summary": "",
        "theme": "",
        "subtheme": "",
        "known_issues": [{"since": date(2024, 1, 5), "text": "<i>Late</i> & few."}],
    },
    {
        "summary": "Line one\nline two",
        "theme": "Ζωή",
        "subtheme": "a/b",
        "known_issues": ["<script>", "Late in January.", {"since": date(2030, 1, 1), "text": "To come."}],
    },
)


@st.composite
def contributions(draw: st.DrawFn, *, late: bool) -> Declaration:
    """A bound, and how what it truncates is known."""
    made: Declaration = {"rows": draw(st.integers(1, 4)), "one_per_cell": not late and draw(st.booleans())}
    kind = draw(st.sampled_from(("", "", "", "unmeasured", "capped", "guessed", "none")))
    if kind == "unmeasured":
        made["measure_truncation"] = False
    elif kind == "capped":
        made["truncated_rows"] = draw(st.sampled_from((1, 50)))
    elif kind == "guessed":
        made["repeats"] = {1: 0.9, 3: 0.07, 9: 0.03}
    elif kind == "none":
        made["why_nothing_is_truncated"] = "Each comes <once> & never again."
    return made


@st.composite
def releases(draw: st.DrawFn, lists: Sequence[Listed], number: bool, timed: Timed) -> Declaration:
    """A release of the rows, by the lists and a number."""
    late = timed.kind != "range" and draw(st.integers(0, 2)) == 0
    split = draw(dimensions(lists, number))
    measured = draw(statistics(number, late=late))
    banded = [{**d, "banded": any(one.kind == "band" and one.name == d["column"] for one in lists)} for d in split]
    facts = [column for one in lists for column in one.facts]
    after = draw(derived(measured, banded, facts))
    known = [s["id"] for s in [*measured, *after]]
    release: Declaration = {
        "id": draw(st.sampled_from(("figures", "figures", "api", "areas", "index", "latest"))),
        "title": draw(st.sampled_from(NAMES)),
        "dataset": "records",
        "period": timed.kind,
        "start": timed.start,
        "dimensions": split,
        "statistics": measured,
        "derived": after,
        "tables": draw(tables(split, known)),
        "contribution": draw(contributions(late=late)),
        "privacy_loss": draw(st.sampled_from(LOSSES)),
        "series": late or draw(st.booleans()),
        "texts": draw(st.sampled_from(TEXTS)),
    }
    if late:
        release["late"] = {"periods": draw(st.integers(1, 3)), "share": draw(st.sampled_from((0.1, 0.5, 0.9)))}
    if timed.kind != "range" and draw(st.booleans()):
        release["across"] = draw(across_tables(release, timed.calendar))
    if timed.calendar != ISO:
        release["calendar"] = timed.calendar.model_dump()
    if timed.kind == "range":
        release["end"] = timed.periods[-1].end
    elif draw(st.booleans()):  # the last edition may be cut at the end, as the first is at the start
        last = timed.periods[-1]
        release["end"] = draw(st.sampled_from((last.end, last.start, last.start + (last.end - last.start) / 2)))
    return release | draw(circumstances(release))


@st.composite
def circumstances(draw: st.DrawFn, release: Declaration) -> Declaration:
    """When and for whom it is published, and what it serves first."""
    made: Declaration = {}
    if draw(st.booleans()):
        made["schedule"] = draw(st.sampled_from(("30 9 * * *", "@weekly", "0 7 * * 1", "0 0 1 * *", "59 23 28 2 *")))
        if draw(st.booleans()):
            made["timezone"] = draw(st.sampled_from(ZONES))
        if draw(st.booleans()):
            made["holidays"] = draw(st.sampled_from(HOLIDAYS))
    if seldom(draw):
        made["settle_days"] = draw(st.sampled_from((1, 30)))
    if seldom(draw):
        made["priority"] = draw(st.sampled_from(("local", "national")))
    if seldom(draw):
        made["headline"] = draw(st.sampled_from([t["id"] for t in release["tables"]]))
    if seldom(draw):
        made["licence"] = draw(st.sampled_from(("CC-BY-4.0", "CC0-1.0", "OGL-Canada-2.0", "LicenseRef-ours")))
    if draw(st.integers(0, 9)) == 4:
        made["audience"] = "restricted"
    if rarely(draw):
        made["licence"] = draw(st.sampled_from(("", "ask us")))
    return made
