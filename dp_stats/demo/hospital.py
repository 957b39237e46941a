"""A synthetic hospital record to try several tables on: episodes of invented people, in the shape of Hospital Episode Statistics.

A stay is one or more episodes that follow each other, a transfer goes on in another trust on the same day, and of some
episodes nobody wrote down the end. The trusts, areas and populations are public facts of ``codes/``; everything
else is simulated, and says nothing of any hospital. Nothing here protects anybody.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dp_stats.catalogue.codes import CodeList, load_code_list

FILE = "hospital-record.duckdb"
FIRST_DAY, LAST_DAY = date(2020, 11, 1), date(2022, 3, 31)
SEED = 2022
STAYS = 480_000
PEOPLE = 900_000
DAY_CASES = 0.3
"""Share of stays that end on the day they begin."""
NIGHTS = (3.2, 1.05, 180)
"""Nights of the others: log-normal with this median and spread, at most so many."""
EMERGENCY = 0.62
SPLIT, TRANSFERRED = 0.22, 0.03
"""Shares of stays of two nights and more that have a second episode, and that go on in another trust."""
NEVER_ENDED = 0.004
"""Share of episodes whose end nobody wrote down; of three in four of them there is a date of discharge."""
WEEKDAYS = np.array([1.12, 1.10, 1.06, 1.04, 1.02, 0.84, 0.82])
AWAY = 0.12
"""Share of stays in another trust than the nearest."""

TRUSTS = {
    "RA4": (-2.634, 50.945, 300, 0.03),
    "RA9": (-3.554, 50.482, 430, 0.05),
    "RBZ": (-4.050, 51.092, 270, -0.04),
    "REF": (-5.094, 50.266, 700, 0.09),
    "RH5": (-3.120, 51.012, 640, 0.06),
    "RH8": (-3.507, 50.717, 800, -0.02),
    "RK9": (-4.114, 50.417, 900, 0.08),
}
"""Code of a trust → longitude and latitude of a hospital of it, how much it draws people (in beds), and by how much the stays
in it grow within a year; the latter two are invented."""

Progress = Callable[[str], None]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class People:
    """Invented people, by number: where they live, when they were born (days before the first day), their sex."""

    area: Ints
    born: Ints
    sex: Ints


@dataclass(frozen=True)
class _Stays:
    """Stays in one trust: whose, where, first and last day (counted from the first), how they began and ended."""

    person: Ints
    trust: Ints
    start: Ints
    end: Ints
    method: Ints
    discharged: Ints


def make_hospital_record(
    folder: Path, areas: Path, *, stays: int = STAYS, seed: int = SEED, file: str = FILE, progress: Progress = print
) -> Path:
    """Write a record such as ``hospital-record.duckdb`` (table ``finished``; ``episodes`` as ``recorded_until`` shows it: all) and
    ``hospital-record-opt-outs.csv``.

    Args:
        folder: where to write; made if missing, and what an earlier call wrote is replaced.
        areas: the code list of local authorities, with populations by age band. stays: about how many to make. file: its name.

    Returns:
        The path of the DuckDB file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    places = load_code_list(areas)
    rng, people = invent_people(places, seed)
    progress(f"Simulating about {stays:,} stays in {len(TRUSTS)} hospital trusts over seventeen months")
    made = _simulate_stays(rng, people, places, stays)
    progress("Adding episodes, transfers, missing ends and opt-outs")
    table = _as_episodes(rng, people, _with_transfers(rng, made), places)
    path = folder / file
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.register("made", table)
        connection.execute(f"CREATE TABLE finished AS {_WRITTEN}")
        connection.execute("CREATE VIEW episodes AS SELECT * FROM finished")
        opted_out = rng.choice(PEOPLE, size=PEOPLE // 200, replace=False).tolist()
        written = connection.execute(f"SELECT {IDENTIFIER} FROM (SELECT unnest(?) AS person)", [opted_out]).fetchall()
    listed = path.with_name(f"{path.stem}-opt-outs.csv")
    with listed.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["PSEUDO_HESID"])
        writer.writerows(sorted(written))
    progress(f"Wrote {path} and {listed}")
    return path


def recorded_until(path: Path, day: date) -> None:
    """Let ``episodes`` be what had been recorded by the end of a day: who lay in a bed then has no end.

    Args:
        path: a ``hospital-record.duckdb`` of ``make_hospital_record``.
    """
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW episodes AS SELECT * REPLACE ("
            + ", ".join(f"CASE WHEN {name} <= '{day}' THEN {name} END AS {name}" for name in ("EPIEND", "DISDATE"))
            + f", CASE WHEN DISDATE <= '{day}' THEN DISMETH END AS DISMETH) FROM finished WHERE EPISTART <= '{day}'"
        )


IDENTIFIER = "upper(md5('invented ' || person))"
_DAY = f"strftime(DATE '{FIRST_DAY}' + CAST({{0}} AS INTEGER), '%Y-%m-%d')"
_WRITTEN = f"""
SELECT {IDENTIFIER} AS PSEUDO_HESID, lpad(CAST(500000000000 + row_number() OVER () AS VARCHAR), 12, '0') AS EPIKEY,
    {_DAY.format("start")} AS EPISTART, CASE WHEN NOT lost THEN {_DAY.format('"end"')} END AS EPIEND, epiorder AS EPIORDER,
    {_DAY.format("admitted")} AS ADMIDATE, method AS ADMIMETH,
    CASE WHEN last AND NOT forgotten THEN {_DAY.format("left_on")} END AS DISDATE,
    CASE WHEN last AND NOT forgotten THEN discharged END AS DISMETH, sex AS SEX, age AS STARTAGE, trust AS PROCODE3,
    area AS RESLADST_ONS
FROM made
"""
"""The episodes as a hospital writes them: text, with the headings of Hospital Episode Statistics."""


def invent_people(places: CodeList, seed: int = SEED) -> tuple[np.random.Generator, People]:
    """People who come to hospital: more of the old, in the places where they live; and what else is to be drawn from."""
    rng = np.random.default_rng(seed)
    bands = [name for name in places.header if name.startswith("population_")]
    need = np.array([1.1, 0.45, 0.7, 0.8, 0.8, 1.1, 1.6, 2.5, 3.6, 3.8])
    weights = np.array([places.numbers(name) for name in bands]).T * need
    cell = rng.choice(weights.size, PEOPLE, p=(weights / weights.sum()).ravel())
    area, band = cell // len(bands), cell % len(bands)
    age = band * 3652 + rng.integers(0, 3652, PEOPLE)
    return rng, People(area, np.minimum(age, 104 * 365), rng.integers(1, 3, PEOPLE))


def _simulate_stays(rng: np.random.Generator, people: People, places: CodeList, stays: int) -> _Stays:
    """Stays of people, some of whom come often, in the trust nearest to them or another; more in winter."""
    person = np.asarray(PEOPLE * rng.random(stays) ** 1.7, dtype=np.int64)
    length = (LAST_DAY - FIRST_DAY).days + 1
    calendar = [FIRST_DAY + timedelta(days=number) for number in range(length)]
    year = np.array([day.timetuple().tm_yday for day in calendar])
    daily = WEEKDAYS[[day.weekday() for day in calendar]] * (1 + 0.07 * np.cos(2 * np.pi * (year - 15) / 365))
    start = rng.choice(length, stays, p=daily / daily.sum())
    trust = _trust_of(rng, people.area[person], places)
    growth = 1 + np.array([grows for *_, grows in TRUSTS.values()])[trust] * (start / 365 - 0.5)
    long = rng.lognormal(np.log(NIGHTS[0]), NIGHTS[1], stays) * growth * (0.7 + people.born[person] / 365 / 130)
    nights = np.asarray(np.clip(np.rint(long), 1, NIGHTS[2]), dtype=np.int64)
    nights[rng.random(stays) < DAY_CASES] = 0
    emergency = rng.random(stays) < np.where(nights > 0, EMERGENCY, 0.15)
    method = np.where(emergency, rng.choice([21, 22, 28], stays, p=[0.85, 0.1, 0.05]), 11)
    discharged = rng.choice([1, 4], stays, p=[0.97, 0.03])
    return _Stays(person, trust, start, np.asarray(start + nights, dtype=np.int64), method, discharged)


def _trust_of(rng: np.random.Generator, area: Ints, places: CodeList) -> Ints:
    """The trust of each stay: near to where the person lives, and the larger the likelier."""
    longitude, latitude, beds, _ = np.array([*TRUSTS.values()]).T
    east = np.subtract.outer(np.array(places.numbers("longitude")), longitude) * 70  # kilometres of a degree here
    north = np.subtract.outer(np.array(places.numbers("latitude")), latitude) * 111
    near = beds * np.exp(-np.hypot(east, north) / 9)
    shares = np.cumsum((1 - AWAY) * near / near.sum(axis=1, keepdims=True) + AWAY / near.shape[1], axis=1)
    return np.asarray((rng.random(len(area))[:, None] > shares[area][:, :-1]).sum(axis=1), dtype=np.int64)


def _with_transfers(rng: np.random.Generator, stays: _Stays) -> _Stays:
    """The stays, and for some of them another that begins in another trust on the day they end."""
    moved = np.flatnonzero((stays.end - stays.start >= 2) & (rng.random(len(stays.end)) < TRANSFERRED))
    begins = stays.end[moved]
    more = _Stays(
        stays.person[moved],
        (stays.trust[moved] + rng.integers(1, len(TRUSTS), len(moved))) % len(TRUSTS),
        begins,
        begins + rng.integers(1, 15, len(moved)),
        np.full(len(moved), 81),
        np.full(len(moved), 1),
    )
    names = ("person", "trust", "start", "end", "method", "discharged")
    return _Stays(*(np.concatenate([getattr(stays, name), getattr(more, name)]) for name in names))


def _as_episodes(rng: np.random.Generator, people: People, stays: _Stays, places: CodeList) -> pa.Table:
    """One row per episode, in no order, with what was written wrong or not at all."""
    rows = len(stays.start)
    nights = stays.end - stays.start
    second = np.flatnonzero((nights >= 2) & (rng.random(rows) < SPLIT))
    middle = stays.start[second] + 1 + np.asarray(rng.random(len(second)) * (nights[second] - 1), dtype=np.int64)
    of = np.concatenate([np.arange(rows), second])
    start, end = stays.start[of].copy(), stays.end[of].copy()
    end[second] = start[rows:] = middle
    last = np.ones(len(of), dtype=np.bool_)
    last[second] = False
    order = rng.permutation(len(of))
    of, start, end, last = of[order], start[order], end[order], last[order]
    number = np.where(order < rows, 1, 2)
    person = stays.person[of]
    lost = rng.random(len(of)) < NEVER_ENDED
    odd = rng.random(len(of))
    area = np.where(odd < 0.03, len(places.codes), people.area[person])
    area[odd > 0.995] = len(places.codes) + 1
    return pa.table(
        {
            "person": person,
            "start": start,
            "end": end,
            "admitted": stays.start[of],
            "left_on": stays.end[of],
            "epiorder": pa.array(number).cast(pa.string()),
            "last": last,
            "lost": lost,
            "forgotten": lost & (rng.random(len(of)) < 0.25),
            "method": pa.array(stays.method[of]).cast(pa.string()),
            "discharged": pa.array(stays.discharged[of]).cast(pa.string()),
            "sex": pa.array(people.sex[person]).cast(pa.string()),
            "age": pa.array((people.born[person] + start) // 365).cast(pa.string()),
            "trust": pa.array([*TRUSTS]).take(pa.array(stays.trust[of])),
            "area": pa.array([*places.codes, "E99999999", ""]).take(pa.array(area)),
        }
    )
