"""Tables across editions, which mostly follow from the tables of their release."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from dp_stats.catalogue.across import COMPARING, DIVIDING, AcrossKind, RowKind
from dp_stats.catalogue.calendar import Calendar
from tests.drawn.words import NAMES, rarely, seldom

Declaration = dict[str, Any]


@st.composite
def across_tables(draw: st.DrawFn, release: Declaration, calendar: Calendar) -> list[Declaration]:
    """One or two tables at levels and of statistics that a table of the release has, by whole parts of its time."""
    made: list[Declaration] = []
    for number in range(draw(st.integers(1, 2))):
        table = draw(st.sampled_from(release["tables"]))
        of = _sources(release, table)
        if not of and not rarely(draw):
            continue
        part = table["levels"].get("date", release["period"])
        known_kinds = (*(kind for kind in get_args(RowKind) if kind == part), *get_args(RowKind))
        kinds = [kind for kind in known_kinds if kind == part or (part != "all" and calendar.inside(part, kind))]
        if not kinds or rarely(draw):
            kinds = list(get_args(RowKind))
        levels = {}
        for name, level in table["levels"].items():
            known = next(d for d in release["dimensions"] if d["name"] == name)
            coarser = (
                known.get("levels", ["bin"])[known.get("levels", ["bin"]).index(level) :] if level != "day" else []
            )
            if known["column"] != "day" and coarser and draw(st.booleans()):
                levels[name] = draw(st.sampled_from(coarser))
        one = {
            "id": f"over-{number}",
            "title": draw(st.sampled_from(NAMES)),
            "levels": levels,
            "period": "day" if "day" in kinds and draw(st.booleans()) else draw(st.sampled_from(kinds)),
            "statistics": draw(across_statistics(release, of or ["nothing"], number)),
        }
        if draw(st.booleans()):
            one["last"] = draw(st.sampled_from((1, 2, 60)))
        made.append(one)
    return made


def _sources(release: Declaration, table: Declaration) -> list[str]:
    """Counts, sums, and rates of them that a table shows."""
    added = {s["id"] for s in release["statistics"] if s["kind"] != "persons"}
    rates = {d["id"] for d in release["derived"] if d["kind"] == "rate" and d["of"] in added}
    return [name for name in table["statistics"] if name in added | rates]


@st.composite
def across_statistics(draw: st.DrawFn, release: Declaration, of: list[str], number: int) -> list[Declaration]:
    """One to four statistics over windows."""
    made: list[Declaration] = []
    below_zero = {s["id"] for s in release["statistics"] if str(s.get("lower", "0")).startswith("-")}
    rates = {d["id"]: d["of"] for d in release["derived"]}
    for i in range(draw(st.integers(1, 4))):
        source = draw(st.sampled_from(of))
        signed = rates.get(source, source) in below_zero
        kinds = [k for k in get_args(AcrossKind) if not (signed and k in DIVIDING) or rarely(draw)]
        kind = draw(st.sampled_from(kinds))
        one: Declaration = {"id": f"a-{number}-{i}", "kind": kind, "of": source}
        if kind != "cumulative":
            one["periods"] = draw(st.sampled_from((1, 1, 2, 4)))
        elif draw(st.booleans()):
            one["since"] = release["start"]
        if kind in COMPARING:
            against = draw(st.sampled_from(("previous", "lag", "year")))
            if against == "year" and kind in ("difference", "ratio"):
                one["against"] = "year"
            elif against == "lag":
                one["lag"] = draw(st.sampled_from((1, 2, 5)))
        if draw(st.booleans()):
            one["title"] = draw(st.sampled_from(NAMES))
        if seldom(draw):
            one["unit"] = "of these"
        made.append(one)
    return made
