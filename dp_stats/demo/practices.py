"""A synthetic register of general practices about people of the synthetic hospital record, and a link table between the two.

The practices write numbers of their own; a link table says which of the hospitals' identifiers each stands for, for
most people. Nothing here protects anybody.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from dp_stats.catalogue.codes import load_code_list
from dp_stats.demo.hospital import FIRST_DAY, IDENTIFIER, invent_people, make_hospital_record

FILE, HOSPITALS = "practices.duckdb", "linked-hospitals.duckdb"
STAYS = 160_000
"""How many stays the hospitals' part of the linked record has."""

REGISTERED = 120_000
"""How many people are registered: those who come to hospital most."""

CONDITIONS = ("asthma", "cancer", "copd", "dementia", "diabetes", "heart")
NOT_LINKED = (0.02, 0.06)
"""Share of people whom the link table does not know: in most areas, and in the first three, where practices were late."""

_NUMBER = "'G' || lpad(CAST(person * 7919 % 9999991 AS VARCHAR), 7, '0') AS number"


def make_practices(
    folder: Path,
    areas: Path,
    *,
    registered: int = REGISTERED,
    stays: int = STAYS,
    progress: Callable[[str], None] = print,
) -> Path:
    """Write ``practices.duckdb`` (tables ``people``, ``conditions`` and ``links``), ``practice-opt-outs.csv`` and, for the other
    custodian, ``linked-hospitals.duckdb``, which is like ``hospital-record.duckdb`` and has a budget of its own.

    Args:
        folder: where to write; made if missing. areas: the code list that the hospital record was made with.

    Returns:
        The path of the DuckDB file.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    places = load_code_list(areas)
    rng, people = invent_people(places)
    person = np.arange(registered)
    area, age = people.area[:registered], people.born[:registered]
    born = np.datetime64(FIRST_DAY, "D") - age.astype("timedelta64[D]")
    linked = rng.random(registered) >= np.where(area < 3, NOT_LINKED[1], NOT_LINKED[0])
    made = pa.table(
        {
            "person": person,
            "born": pa.array(born),
            "sex": pa.array(people.sex[:registered]).cast(pa.string()),
            "area": pa.array(places.codes).take(pa.array(area)),
            "linked": linked,
        }
    )
    often = 1 / (1 + np.exp(-(age / 365 - 75) / 14))
    has = rng.random((registered, len(CONDITIONS))) < 0.25 * often[:, None]
    whose, which = np.nonzero(has)
    found = pa.table(
        {
            "person": whose,
            "condition": pa.array(CONDITIONS).take(pa.array(which)),
            "since": pa.array(
                np.datetime64(FIRST_DAY, "D") - rng.integers(1, 4000, len(whose)).astype("timedelta64[D]")
            ),
        }
    )
    make_hospital_record(folder, areas, stays=stays, file=HOSPITALS, progress=progress)
    path = folder / FILE
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.register("made", made)
        connection.register("found", found)
        connection.execute(
            f"CREATE TABLE people AS SELECT {_NUMBER}, strftime(born, '%d/%m/%Y') AS born, sex, area FROM made"
        )
        connection.execute(
            f"CREATE TABLE conditions AS SELECT {_NUMBER}, condition, strftime(since, '%d/%m/%Y') AS since FROM found"
        )
        connection.execute(
            f"CREATE TABLE links AS SELECT {_NUMBER}, {IDENTIFIER} AS PSEUDO_HESID FROM made WHERE linked"
        )
        listed = connection.execute(f"SELECT {_NUMBER} FROM made USING SAMPLE 400").fetchall()
    with (folder / "practice-opt-outs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number"])
        writer.writerows(sorted(listed))
    progress(f"Wrote {path} and {folder / 'practice-opt-outs.csv'}")
    return path
