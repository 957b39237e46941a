"""What must be true of public files over time: of breaks, tables across editions, late revisions and back-series."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
Row = dict[str, str]


def time_faults(public: Path) -> Iterator[str]:
    """Every way in which editions contradict each other, or their own marks."""
    for release in sorted(p for p in public.iterdir() if p.is_dir()):
        revisions = {
            folder: _facts(folder) for folder in sorted(release.glob("*/r*")) if (folder / "edition.json").exists()
        }
        if not revisions:
            continue
        for folder, facts in revisions.items():
            yield from mark_faults(folder, facts)
            yield from across_faults(folder, facts)
            before = folder.parent / f"r{facts['revision'].get('supersedes')}"
            if before in revisions:
                yield from revised_faults(folder, facts, before, revisions[before])
        names = {release.name, *(name for facts in revisions.values() for name in facts["release"].get("formerly", ()))}
        series = {f: _facts(f) for name in names for f in sorted((public / name).glob("*/r1")) if f.is_dir()}
        yield from _broken(release, series)
    yield from back_series_faults(public)


def _facts(folder: Path) -> Facts:
    facts: Facts = json.loads((folder / "edition.json").read_text(encoding="utf-8"))
    return facts


def rows_of(folder: Path, table: str) -> list[Row]:
    """The rows of a published table."""
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mark_faults(folder: Path, facts: Facts) -> Iterator[str]:
    """Values of a provisional revision that do not say so, or of a final one that do; and breaks without a mark."""
    provisional = facts["revision"]["status"] == "provisional"
    for table in facts["tables"]:
        where = f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}/{table['id']}"
        broken = list(_break_columns(facts, table))
        first = facts["period"]["start"]
        for row in rows_of(folder, table["id"]):
            marks = row["status"].split()
            if row["value"] == "":
                continue
            since = (table.get("across") or {}).get("open_from")
            if ("p" in marks) != (provisional and (since is None or row["period_end"] >= since)):
                yield f"{where}: a value of a revision that is {facts['revision']['status']} is marked '{row['status']}'"
                break
            own = table.get("across") is None and row["date"] == first and any(row[c] in codes for c, codes in broken)
            if ("b" in marks) != own:
                yield f"{where}: a value of a code that {'breaks' if own else 'goes on'} is marked '{row['status']}'"
                break


def _break_columns(facts: Facts, table: Facts) -> Iterator[tuple[str, list[str]]]:
    """Column → codes that do not compare with the period before."""
    taken = {"metric", "date", "period", "value", "status", "release", "edition", "revision"}
    for one in facts["dimensions"]:
        level = next(known for known in one["levels"] if known["name"] == table["levels"][one["name"]])
        if level.get("breaks"):
            name = f"{one['name']}_group" if one["name"] in taken else one["name"]
            yield "geography_code" if one["role"] == "geography" else f"{name}_code", level["breaks"]


def across_faults(folder: Path, facts: Facts) -> Iterator[str]:
    """Tables across editions whose periods do not follow each other, reach beyond the edition, or hide why values miss."""
    last = date.fromisoformat(facts["period"]["end"])
    for table in facts["tables"]:
        over = table.get("across")
        if over is None:
            continue
        where = f"{folder.parent.parent.name}/{folder.parent.name}/{table['id']}"
        rows = rows_of(folder, table["id"])
        spans = sorted({(r["period_start"], r["period_end"]) for r in rows})
        days = [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in spans]
        if len(days) != len(over["periods"]):
            yield f"{where}: {len(days)} periods in the table, {len(over['periods'])} in edition.json"
        if any(a[1] + timedelta(days=1) != b[0] for a, b in itertools.pairwise(days)):
            yield f"{where}: its periods do not follow each other: {spans}"
        none = {(m["statistic"], m["period"]) for m in over.get("missing", ()) if m["reason"] != "cells"}
        some = {(m["statistic"], m["period"]) for m in over.get("missing", ()) if m["reason"] == "cells"}
        if told := some - {(r["metric"], r["period"]) for r in rows if r["value"] == ""}:
            yield f"{where}: every value of {sorted(told)} is there, and a reason why some are not"
        ended = {m["period"] for m in over.get("missing", ()) if m["reason"] == "ended"}
        for row in rows:
            if date.fromisoformat(row["period_end"]) > last and row["period"] not in ended:
                yield f"{where}: {row['period']} has not ended with the edition, and that is not why it is missing"
            if (row["metric"], row["period"]) in none and row["value"] != "":
                yield f"{where}: {row['metric']} of {row['period']} has a value, and a reason why it has none"


def cell_of(row: Row) -> tuple[str, ...]:
    """What a row is about beside its time."""
    return tuple(v for c, v in row.items() if c in ("metric", "geography_type") or c.endswith("_code"))


def revised_faults(folder: Path, facts: Facts, before: Path, earlier: Facts) -> Iterator[str]:
    """A revision whose marks ``r`` are not on the values that changed, or whose period is another."""
    if facts["period"] != earlier["period"]:
        yield f"{folder.parent.name}/{folder.name}: the period is not that of the revision before"
    old = {t["id"]: t for t in earlier["tables"]}
    for table in facts["tables"]:
        if table["id"] not in old or [c["name"] for c in table["columns"]] != [
            c["name"] for c in old[table["id"]]["columns"]
        ]:
            continue
        now, then = rows_of(folder, table["id"]), rows_of(before, table["id"])
        if [(cell_of(r), r["date"]) for r in now] != [(cell_of(r), r["date"]) for r in then]:
            continue
        for row, other in zip(now, then, strict=True):
            changed = row["value"] != other["value"] and float(row["value"] or "nan") != float(other["value"] or "nan")
            if row["value"] and ("r" in row["status"].split()) != changed:
                yield (
                    f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}/{table['id']}: a value that "
                    f"{'changed' if changed else 'did not change'} is marked '{row['status']}'"
                )
                break


def _broken(release: Path, revisions: Mapping[Path, Facts]) -> Iterator[str]:
    """Codes that took the place of others between two editions in a row, and are not said to break."""
    firsts = sorted((f for p, f in revisions.items() if p.name == "r1"), key=lambda f: str(f["period"]["start"]))
    for then, now in itertools.pairwise(firsts):
        if date.fromisoformat(then["period"]["end"]) + timedelta(days=1) != date.fromisoformat(now["period"]["start"]):
            continue
        old = {d["name"]: d for d in then["dimensions"]}
        for one in now["dimensions"]:
            if one["name"] not in old or not one.get("replaced"):
                continue
            before, leaf = old[one["name"]]["levels"][0]["codes"], one["levels"][0]
            for code in leaf["codes"]:
                held = [c for c in before if code in one["replaced"].get(c, ()) or c == code]
                alone = [c for c in held if one["replaced"].get(c, (code,)) == [code] or c == code]
                if held and (len(held) > 1 or not alone) and code not in leaf.get("breaks", ()):
                    yield f"{release.name}/{now['period']['label']}: '{code}' holds {held} and is no break"


def back_series_faults(public: Path) -> Iterator[str]:
    """Rows of a back-series that stand twice, miss their value, or are of an edition that is not published."""
    for place in sorted(public.glob("*/back-series.csv")):
        with place.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        keys = [(r["table"], r["metric"], r["geography_code"], r["strata"], r["period"], r["edition"]) for r in rows]
        where = place.relative_to(public)
        if len(set(keys)) < len(keys):
            yield f"{where}: a value stands twice"
        for row in rows:
            if not float(row["lower_95"]) <= float(row["value"]) <= float(row["upper_95"]):
                yield f"{where}: {row['value']} lies outside [{row['lower_95']}, {row['upper_95']}]"
            if not (public / row["edition"] / f"r{row['revision']}").is_dir():
                yield f"{where}: there is no {row['edition']} r{row['revision']}"


def machine_faults(public: Path) -> Iterator[str]:
    """Files for machines that cannot be parsed, or hold a number that JSON has no name for."""
    from xml.etree import ElementTree

    for path in sorted(public.rglob("*.json")):
        text = path.read_text(encoding="utf-8")
        try:
            json.loads(text, parse_constant=_no_constant)
        except ValueError as error:
            yield f"{path.relative_to(public)}: {error}"
    for path in sorted([*public.rglob("*.html"), *public.rglob("*.svg")]):
        if lost := NO_PLACE.search(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(public)}: a drawing has {lost.group().strip()[:80]}"
    for path in sorted([*public.rglob("*.atom"), *public.rglob("*.svg"), *public.rglob("sitemap*.xml")]):
        try:
            ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", path.read_text(encoding="utf-8")))
        except ElementTree.ParseError as error:
            yield f"{path.relative_to(public)}: {error}"


NO_PLACE = re.compile(r'\s(?:[xyrd]|[xy][12]|c[xy]|dx|dy|width|height|points|transform)="[^"]*\b(?:nan|inf)\b[^"]*"')
"""An attribute of a drawing that is no number."""


def _no_constant(name: str) -> float:
    raise ValueError(f"'{name}' is no JSON")
