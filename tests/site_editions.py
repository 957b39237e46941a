"""Made-up editions to build the site from: the real files and facts of an edition, with invented numbers."""

from __future__ import annotations

import csv
import math
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from english import TEXTS

from dp_stats import files
from dp_stats.catalogue.periods import Period, parse_period, period_of
from dp_stats.editions import formats, privacy_record, registry_record
from dp_stats.editions.edition import (
    BudgetFacts,
    DatasetFacts,
    DimensionFacts,
    Edition,
    ExpectedFacts,
    FileFacts,
    GuaranteeFacts,
    LevelFacts,
    MeasuredFacts,
    PeriodFacts,
    PersonFacts,
    ProvenanceFacts,
    QualityFacts,
    ReleaseFacts,
    RevisionFacts,
    StatisticFacts,
    TableFacts,
)
from dp_stats.editions.guarantee import PROTECTIONS
from dp_stats.editions.latest import refresh_latest
from dp_stats.editions.moments import moments_of
from dp_stats.editions.revisions import refresh_status
from dp_stats.editions.tidy import columns_of, moment_columns

ROOT = Path(__file__).resolve().parent.parent
CODES = ROOT / "dags" / "catalogue" / "codes" / "lad19.csv"


def area_dimension(limit: int | None = None) -> DimensionFacts:
    """Local authorities with their regions and nations, from the public code list."""
    with CODES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:limit]
    levels = []
    chain = [
        ("area", "code", "name"),
        ("region", "region", "region_name"),
        ("nation", "nation", "nation_name"),
        ("uk", "uk", "uk_name"),
    ]
    for index, (name, code, label) in enumerate(chain):
        groups: dict[str, dict[str, Any]] = {}
        for row in rows:
            group = groups.setdefault(row[code], {"name": row[label], "parent": "", "population": 0.0})
            group["population"] += float(row["population"])
            if index + 1 < len(chain):
                group["parent"] = row[chain[index + 1][1]]
        titles = {"area": "Local authority", "region": "Region", "nation": "Nation", "uk": "United Kingdom"}
        levels.append(
            LevelFacts(
                name=name,
                title=titles[name],
                codes=tuple(groups),
                names=tuple(g["name"] for g in groups.values()),
                parents=tuple(g["parent"] for g in groups.values()) if index + 1 < len(chain) else (),
                population=tuple(g["population"] for g in groups.values()),
            )
        )
    return DimensionFacts(
        name="area",
        title="Area",
        kind="code",
        role="geography",
        levels=tuple(levels),
        longitude=tuple(float(r["longitude"]) for r in rows),
        latitude=tuple(float(r["latitude"]) for r in rows),
    )


def date_dimension(period: Period) -> DimensionFacts:
    """The days of a period and the period as a whole."""
    days = period.days
    leaf = LevelFacts(
        name="day",
        title="Day",
        codes=tuple(d.isoformat() for d in days),
        names=tuple(f"{d:%d %B %Y}" for d in days),
        parents=(period.label,) * len(days),
    )
    top = LevelFacts(name=period.kind, title=period.kind.title(), codes=(period.label,), names=(period.text,))
    return DimensionFacts(name="date", title="Date", kind="date", role="date", levels=(leaf, top))


def age_dimension() -> DimensionFacts:
    """Ten-year age bands and everyone."""
    codes = (*(f"{a}-{a + 9}" for a in range(0, 90, 10)), "90+")
    names = (*(f"{a} to {a + 9}" for a in range(0, 90, 10)), "90 and over")
    leaf = LevelFacts(name="age", title="Age", codes=codes, names=names, parents=("all",) * 10)
    top = LevelFacts(name="all", title="All ages", codes=("all",), names=("all ages",))
    return DimensionFacts(name="age", title="Age", kind="code", role="stratum", levels=(leaf, top))


def guarantee(period: Period, tables: int = 3) -> GuaranteeFacts:
    """A guarantee as a plan of pure ε = 1 would give it."""
    measured = tuple(
        MeasuredFacts(
            id=f"cases@{i}",
            statistic="cases",
            role="statistic",
            levels={},
            cells=1000 * (i + 1),
            mechanism="discrete_laplace",
            scale=2.2,
            standard_deviation=3.11,
            l1=1,
            l2_squared=1,
            rho=Fraction(1, 10),
            epsilon=Fraction(9, 20),
            unit=Fraction(1),
        )
        for i in range(tables)
    )
    return GuaranteeFacts(
        unit="person",
        unit_description="Everything that one person has in the dataset in any one year. At most 1 row of one person counts.",
        bound_description="At most 1 row of one person counts.",
        per="year",
        blocks=tuple(dict.fromkeys((str(period.start.year), str(period.end.year)))),
        neighbouring="Two datasets are neighbours if one is the other without all rows of one person in one year.",
        rho=Fraction(1, 2),
        epsilon=1.0,
        delta=Fraction(1, 1_000_000),
        pure_epsilon=Fraction(1),
        mechanism="discrete_laplace",
        contribution_rows=1,
        one_per_cell=False,
        truncated_rows_cap=4,
        series=True,
        composition="The 3 noisy tables of an edition add up. All editions of the series in one block share one charge.",
        measured=measured,
        not_protected=TEXTS.many("guarantee.not_protected"),
        post_processing=("Generalised least squares makes all tables agree with each other.",),
        protections={name: TEXTS(f"guarantee.protections.{name}") for name in PROTECTIONS},
        justification="The privacy loss is declared by the custodian within a budget for each block of time.",
        libraries={"opendp": "0.16.0", "numpy": "2.4.6"},
    )


def wave(start: date, days: int, rng: np.random.Generator) -> np.ndarray:
    """Two waves of an epidemic: how many people per 100,000 and day; shape ``(days,)``."""
    at = np.array([(start + timedelta(days=i)).toordinal() for i in range(days)]) - date(2020, 8, 31).toordinal()
    return (
        6
        + 25 * np.exp(-(((at - 65) / 22) ** 2))
        + 80 * np.exp(-(((at - 128) / 24) ** 2))
        + 55 * np.exp(-(((at - 322) / 20) ** 2))
    )


COVID_STATISTICS = (
    StatisticFacts(id="cases", title="Confirmed cases", unit="people", kind="count", description="Number of records."),
    StatisticFacts(
        id="rate",
        title="Rate",
        unit="per 100,000 people",
        kind="rate",
        derived=True,
        integer=False,
        description="Confirmed cases per 100,000 people living there.",
    ),
)


def covid_release(id: str, period: Period) -> ReleaseFacts:
    """The release of cases by area, day and age."""
    return ReleaseFacts(
        id=id,
        title="Confirmed COVID-19 cases by area",
        summary="How many people tested positive for COVID-19, by local authority, day and age, every week.",
        public_benefit="Lets councils, schools and residents see how infections change near them.",
        known_issues=("Tests are dated by specimen; the last days of a week may grow.",),
        theme="Health",
        subtheme="Infectious disease",
        keywords=("COVID-19", "cases", "local authorities"),
        contact="statistics@example.org",
        publisher="UK Health Security Agency",
        period_kind=period.kind,
        schedule="30 9 * * 3",
        settle_days=7,
        headline="area",
    )


def covid_tables(period: Period) -> tuple[TableFacts, ...]:
    """Its tables: id, title and statistics, and the levels of area, date and age."""
    week, both = period.kind, ("cases", "rate")
    declared = (
        ("uk", "Cases in the United Kingdom", both, "uk", week, "all"),
        ("uk-day", "Cases in the United Kingdom by day", ("cases",), "uk", "day", "all"),
        ("uk-age", "Cases in the United Kingdom by age", ("cases",), "uk", week, "age"),
        ("nation", "Cases by nation", both, "nation", week, "all"),
        ("region", "Cases by region", both, "region", week, "all"),
        ("area", "Cases by local authority", both, "area", week, "all"),
        ("area-day", "Cases by local authority and day", ("cases",), "area", "day", "all"),
        ("area-age", "Cases by local authority and age", ("cases",), "area", week, "age"),
    )
    return tuple(
        TableFacts(id=id, title=title, statistics=statistics, levels={"area": area, "date": date, "age": age})
        for id, title, statistics, area, date, age in declared
    )


def covid_edition(
    period: Period,
    *,
    revision: RevisionFacts | None = None,
    limit: int | None = None,
    release: str = "covid-cases-by-area",
) -> Edition:
    """The facts of one weekly edition of cases by area, day and age."""
    published = datetime.combine(period.end + timedelta(days=10), datetime.min.time(), UTC).replace(hour=9, minute=30)
    return Edition(
        release=covid_release(release, period),
        dataset=DatasetFacts(
            id="covid-tests",
            title="Positive tests for COVID-19",
            description="One row per person and episode with a positive test.",
            custodians=(PersonFacts(name="UK Health Security Agency"), PersonFacts(name="NHS England")),
            region="United Kingdom",
            legal_basis="Health Service (Control of Patient Information) Regulations 2002, regulation 3",
        ),
        period=PeriodFacts(label=period.label, text=period.text, kind=period.kind, start=period.start, end=period.end),
        revision=revision or RevisionFacts(),
        published=published + timedelta(days=7 * ((revision.number if revision else 1) - 1)),
        guarantee=guarantee(period),
        budget=tuple(
            BudgetFacts(
                block=str(year),
                cap=Fraction(2),
                spent=Fraction(1, 2),
                remaining=Fraction(3, 2),
                epsilon_cap=12.0,
                epsilon_spent=1.0,
                delta=Fraction(1, 10**6),
            )
            for year in dict.fromkeys((period.start.year, period.end.year))
        ),
        quality=QualityFacts(
            expected=(ExpectedFacts(table="area", statistic="cases", cells=381, margin_95=12.0, worst=13.0),)
        ),
        dimensions=(area_dimension(limit), date_dimension(period), age_dimension()),
        statistics=COVID_STATISTICS,
        tables=covid_tables(period),
        provenance=ProvenanceFacts(plan_hash="0" * 64, series_hash="1" * 64),
    )


def write(edition: Edition, public: Path, numbers: dict[str, dict[str, dict[str, np.ndarray]]]) -> Edition:
    """Write an edition's folder: ``numbers`` is table → statistic → value, lower, upper in the table's shape."""
    contents: dict[str, bytes] = {}
    tables = []
    for table in edition.tables:
        rows = _rows(edition, table, numbers[table.id])
        buffer = pa.BufferOutputStream()
        pq.write_table(rows, buffer, compression="zstd")
        made = {f"{table.id}.csv": formats.csv_bytes(rows), f"{table.id}.parquet": buffer.getvalue().to_pybytes()}
        contents |= made
        kinds = {".csv": ("CSV", "text/csv"), ".parquet": ("Parquet", "application/vnd.apache.parquet")}
        facts = tuple(
            FileFacts(
                path=p,
                title=f"{table.title} ({kinds[Path(p).suffix][0]})",
                media_type=kinds[Path(p).suffix][1],
                bytes=len(c),
                sha256=files.sha256(c),
            )
            for p, c in made.items()
        )
        tables.append(
            table.model_copy(update={"columns": columns_of(edition, table, TEXTS), "rows": len(rows), "files": facts})
        )
    edition = edition.model_copy(update={"tables": tuple(tables)})
    contents["edition.json"] = edition.to_json().encode()
    contents[privacy_record.FILE_NAME] = formats.json_bytes(privacy_record.privacy_record(edition, TEXTS))
    contents[registry_record.FILE_NAME] = formats.json_bytes(registry_record.registry_record(edition, TEXTS))
    folder = public / edition.path
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / formats.CHECKSUMS).write_bytes(formats.checksums(contents))
    return edition


def _rows(edition: Edition, table: TableFacts, numbers: dict[str, dict[str, np.ndarray]]) -> pa.Table:
    levels = [(d, d.level(table.levels[d.name])) for d in edition.dimensions]
    shape = [len(level.codes) for _, level in levels]
    metrics, cells = len(table.statistics), math.prod(shape)
    index = {d.name: i.ravel() for (d, _), i in zip(levels, np.indices(shape), strict=True)}

    def repeat(values: tuple[Any, ...], at: np.ndarray) -> pa.Array:
        return pa.array(values).take(pa.array(np.tile(at, metrics)))

    zeros = np.zeros(cells, dtype=int)
    data: dict[str, Any] = {"metric": pa.array(table.statistics).take(pa.array(np.repeat(np.arange(metrics), cells)))}
    for dimension, level in levels:
        if dimension.role == "geography":
            data["geography_type"] = repeat((level.name,), zeros)
            data["geography_code"] = repeat(level.codes, index[dimension.name])
            data["geography"] = repeat(level.names, index[dimension.name])
        elif dimension.role == "stratum":
            data[f"{dimension.name}_code"] = repeat(level.codes, index[dimension.name])
            data[dimension.name] = repeat(level.names, index[dimension.name])
    time = edition.date
    at = index[time.name] if time else zeros
    data |= moment_columns(moments_of(edition, table), np.tile(at, metrics))
    whole = all(edition.statistic(s).integer for s in table.statistics)
    for column, key in (("value", "value"), ("lower_95", "lower"), ("upper_95", "upper")):
        flat = np.concatenate([numbers[s][key].ravel() for s in table.statistics])
        data[column] = pa.array(flat, mask=np.isnan(flat))
    if whole:
        data["value"] = data["value"].cast(pa.int64())
    value = np.concatenate([numbers[s]["value"].ravel() for s in table.statistics])
    margin = np.concatenate([(numbers[s]["upper"] - numbers[s]["lower"]).ravel() / 2 for s in table.statistics])
    marks = np.where(value == 0, "low", np.where(margin > 0.4 * value, "u", ""))
    if edition.revision.status == "provisional":
        marks = np.char.strip(np.char.add("p ", marks.astype(str)))
    data["status"] = pa.array(marks.astype(str).tolist(), pa.string())
    data["value_unbiased"] = pa.array(value.astype(float))
    data["standard_error"] = pa.array(np.ones(len(value)))
    count = metrics * cells
    data |= {
        "release": [edition.release.id] * count,
        "edition": [edition.id] * count,
        "revision": [edition.revision.number] * count,
    }
    return pa.table({c.name: data[c.name] for c in columns_of(edition, table, TEXTS)})


def covid_numbers(edition: Edition, *, seed: int = 7) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Numbers that add up over areas, days and ages, with margins like those of ε = 1."""
    rng = np.random.default_rng([seed, edition.period.start.toordinal(), edition.revision.number])
    area = edition.dimension("area")
    people = np.array([p or 0.0 for p in area.levels[0].population or ()])
    days = np.array([date.fromisoformat(c) for c in edition.dimension("date").levels[0].codes])
    local = 1 + 0.35 * np.sin(np.arange(len(people)) * 1.7 + days[0].toordinal() / 60)
    ages = np.array([5, 13, 22, 19, 16, 13, 6, 3, 2, 1]) / 100
    rate = wave(days[0], len(days), rng)
    mean = people[:, None, None] / 1e5 * local[:, None, None] * rate[None, :, None] * ages[None, None, :]
    cube = rng.poisson(mean).astype(float)
    leaf = area.levels[0]
    made: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    parents: dict[str, np.ndarray] = {"area": np.arange(len(leaf.codes))}
    codes = list(leaf.parents)
    for level in area.levels[1:]:
        parents[level.name] = np.array([level.codes.index(c) for c in codes])
        codes = [level.parents[level.codes.index(c)] for c in codes] if level.parents else codes
    for table in edition.tables:
        group = parents[table.levels["area"]]
        count = len(area.level(table.levels["area"]).codes)
        values = np.zeros((count, *cube.shape[1:]))
        np.add.at(values, group, cube)
        if table.levels["date"] != "day":
            values = values.sum(axis=1, keepdims=True)
        if table.levels["age"] == "all":
            values = values.sum(axis=2, keepdims=True)
        members = np.bincount(group, minlength=count)[:, None, None]
        width = (
            np.sqrt(members)
            * 4.1
            * (2.0 if table.levels["date"] != "day" else 1.0)
            * (1.4 if table.levels["age"] == "all" else 1.0)
        )
        width = np.broadcast_to(np.maximum(2, np.round(width)), values.shape)
        cases = {"value": values, "lower": np.maximum(values - width, 0), "upper": values + width}
        made[table.id] = {"cases": cases}
        if "rate" in table.statistics:
            population = np.array(area.level(table.levels["area"]).population)[:, None, None] / 1e5
            made[table.id]["rate"] = {k: np.round(v / population, 1) for k, v in cases.items()}
    return made


def year_of_weeks(
    public: Path,
    *,
    weeks: int = 52,
    limit: int | None = None,
    revise: bool = True,
    release: str = "covid-cases-by-area",
) -> list[Edition]:
    """Weekly editions from 31 August 2020; one is revised, and the newest is provisional."""
    made = []
    for week in range(weeks):
        period = period_of(date(2020, 8, 31) + timedelta(weeks=week), "week")
        facts = RevisionFacts(status="provisional") if week == weeks - 1 else RevisionFacts()
        edition = covid_edition(period, limit=limit, revision=facts, release=release)
        made.append(write(edition, public, covid_numbers(edition)))
        if revise and week == weeks - 3:
            again = RevisionFacts(
                number=2,
                kind="unscheduled",
                reason="One laboratory's late results were added.",
                supersedes=1,
                remeasured=True,
            )
            corrected = covid_edition(period, limit=limit, revision=again, release=release)
            made.append(write(corrected, public, covid_numbers(corrected)))
        refresh_status(public, release, period.label)
    refresh_latest(public, release)
    return made


def single_edition(public: Path) -> Edition:
    """Another shape: one yearly edition of a sum and a mean by age, without areas and without dates."""
    period = parse_period("2020")
    base = covid_edition(period)
    tables = (
        TableFacts(
            id="total", title="Days in hospital", levels={"date": "year", "age": "all"}, statistics=("days", "mean")
        ),
        TableFacts(
            id="by-age",
            title="Days in hospital by age",
            levels={"date": "year", "age": "age"},
            statistics=("days", "mean"),
        ),
    )
    top = LevelFacts(name="year", title="Year", codes=("2020",), names=("2020",))
    edition = base.model_copy(
        update={
            "release": base.release.model_copy(
                update={
                    "id": "hospital-days",
                    "title": "Days spent in hospital",
                    "summary": "How many days people spent in hospital, by age.",
                    "headline": "total",
                    "period_kind": "year",
                    "schedule": None,
                    "known_issues": (),
                    "public_benefit": "Helps to plan beds.",
                    "subtheme": "Hospitals",
                    "keywords": ("hospital",),
                }
            ),
            "dimensions": (
                DimensionFacts(name="date", title="Date", kind="date", role="date", levels=(top,)),
                age_dimension(),
            ),
            "statistics": (
                StatisticFacts(
                    id="days",
                    title="Days in hospital",
                    unit="days",
                    kind="sum",
                    integer=False,
                    description="Sum of the numbers.",
                ),
                StatisticFacts(
                    id="mean",
                    title="Mean stay",
                    unit="days",
                    kind="mean",
                    derived=True,
                    integer=False,
                    description="Days divided by stays.",
                ),
            ),
            "tables": tables,
        }
    )
    value = np.array([2100.5, 900.25, 1500.0, 2600.5, 3300.75, 5200.5, 8100.0, 12050.5, 9900.25, 3000.5])
    numbers: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for id, values in (("total", value.sum(keepdims=True)), ("by-age", value)):
        shaped = values[None, :]
        width = np.full(shaped.shape, 180.0)
        mean = shaped / shaped.max() * 6
        numbers[id] = {
            "days": {"value": shaped, "lower": shaped - width, "upper": shaped + width},
            "mean": {"value": mean, "lower": mean - 0.4, "upper": mean + 0.4},
        }
    written = write(edition, public, numbers)
    refresh_status(public, "hospital-days", period.label)
    refresh_latest(public, "hospital-days")
    return written
