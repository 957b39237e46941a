"""The shipped example of hospital beds: what its steps make of an invented record is what a count by hand makes of it."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.periods import parse_period
from dp_stats.demo.hospital import FILE, make_hospital_record, recorded_until
from dp_stats.secure.pull import Snapshot, pull
from dp_stats.secure.staging import staging_folder
from dp_stats.settings import load_settings

SHIPPED = Path(__file__).resolve().parent.parent.parent / "dags" / "catalogue"
SUNDAY = date(2022, 1, 30)
WEEK = parse_period("2022-W04")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small record, as it stood on the evening of the Sunday."""
    folder = tmp_path_factory.mktemp("hospital")
    made = make_hospital_record(
        folder, SHIPPED / "codes" / "peninsula-areas.csv", stays=12_000, progress=lambda said: None
    )
    recorded_until(made, SUNDAY)
    return made


@pytest.fixture
def pulled(record: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    settings = load_settings()
    source = settings.home / "source"
    source.mkdir(parents=True)
    for file in (record, record.with_name("hospital-opt-outs.csv")):
        (source / file.name).symlink_to(file)
    monkeypatch.setenv("DP_STATS_HOME", str(settings.home))
    catalogue = load_catalogue(SHIPPED)
    folder = staging_folder(settings.secure, release="hospital-beds", period=WEEK.label)
    return pull(
        catalogue.datasets["hospital-nights"], catalogue=catalogue, period=WEEK, folder=folder, settings=settings
    )


def by_hand(record: Path) -> tuple[Counter[tuple[str, str, date]], Counter[tuple[str, str, date]]]:
    """Nights and first nights in the week, by person, trust and day: episode by episode, with no windows and no SQL of ours."""
    with duckdb.connect(str(record), read_only=True) as connection:
        episodes = connection.execute(
            "SELECT PSEUDO_HESID, PROCODE3, EPISTART::DATE, EPIEND::DATE, DISDATE::DATE FROM episodes ORDER BY 1, 2, 3, 4"
        ).fetchall()
    listed = set(record.with_name("hospital-opt-outs.csv").read_text().split())
    nights: dict[tuple[str, str], set[date]] = {}
    begun: set[tuple[str, str, date]] = set()
    ended: dict[tuple[str, str], set[date]] = {}
    for person, trust, start, end, discharged in episodes:
        if person in listed:
            continue
        until = end or discharged or (SUNDAY + timedelta(days=1) if (SUNDAY - start).days < 183 else None)
        if until is None or until <= start:
            continue
        nights.setdefault((person, trust), set()).update(start + timedelta(days=n) for n in range((until - start).days))
        begun.add((person, trust, start))
        ended.setdefault((person, trust), set()).add(until)
    lain = Counter((*of, day) for of, days in nights.items() for day in days if WEEK.start <= day <= WEEK.end)
    first = Counter(
        one for one in begun if one in lain and one[2] not in ended[one[:2]]
        and one[2] - timedelta(days=1) not in nights[one[:2]]
    )  # fmt: skip
    return lain, first


def test_each_night_in_a_trust_counts_once_and_each_stay_is_one_admission(record: Path, pulled: Snapshot) -> None:
    rows = duckdb.sql(f"SELECT patient, trust, day, admitted FROM '{pulled.path}'").fetchall()
    lain, first = by_hand(record)
    assert Counter((person, trust, day) for person, trust, day, _ in rows) == lain
    assert Counter((person, trust, day) for person, trust, day, admitted in rows if admitted) == first
    assert len(lain) > 500
    assert 50 < len(first) < len(lain) / 3


def test_the_record_has_what_real_ones_have(record: Path) -> None:
    """Who is in a bed has no end yet; ends that nobody wrote down; several episodes of a stay; people who are moved."""
    with duckdb.connect(str(record), read_only=True) as connection:
        there = connection.execute(
            "SELECT count(*) FILTER (EPIEND IS NULL), count(*) FILTER (EPIEND IS NULL AND EPISTART < '2021-06-01'), "
            "count(*) FILTER (EPIORDER = '2'), count(*) FILTER (ADMIMETH = '81'), max(EPISTART), max(EPIEND) FROM episodes"
        ).fetchone()
    assert there is not None
    *counts, latest_start, latest_end = there
    assert all(count > 5 for count in counts)
    assert max(latest_start, latest_end) <= SUNDAY.isoformat()
    assert record.name == FILE
