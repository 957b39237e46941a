"""The shipped examples of hospital records: what their steps make of invented ones is what a count by hand makes of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from dp_stats import pipeline, requests
from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.demo.hospital import FILE, make_hospital_record, recorded_until
from dp_stats.demo.practices import HOSPITALS, make_practices
from dp_stats.errors import ApprovalError
from dp_stats.requests.showing import facts_of
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


def pull_shipped(record: Path, dataset: str, period: Period, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """The rows of a shipped dataset, from the invented sources beside the record."""
    settings = load_settings()
    source = settings.home / "source"
    source.mkdir(parents=True)
    for file in record.parent.iterdir():
        (source / file.name).symlink_to(file)
    monkeypatch.setenv("DP_STATS_HOME", str(settings.home))
    catalogue = load_catalogue(SHIPPED)
    folder = staging_folder(settings.secure, release=dataset, period=period.label)
    return pull(catalogue.datasets[dataset], catalogue=catalogue, period=period, folder=folder, settings=settings)


@pytest.fixture
def pulled(record: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    return pull_shipped(record, "hospital-nights", WEEK, monkeypatch)


def by_hand(record: Path) -> tuple[Counter[tuple[str, str, date]], Counter[tuple[str, str, date]]]:
    """Nights and first nights in the week, by person, trust and day: episode by episode, with no windows and no SQL of ours."""
    with duckdb.connect(str(record), read_only=True) as connection:
        episodes = connection.execute(
            "SELECT PSEUDO_HESID, PROCODE3, EPISTART::DATE, EPIEND::DATE, DISDATE::DATE FROM episodes ORDER BY 1, 2, 3, 4"
        ).fetchall()
    listed = set(record.with_name("hospital-record-opt-outs.csv").read_text().split())
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


def test_people_at_risk_are_counted_by_their_own_emergencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both custodians' tables, linked: each registered person with a condition once, with the emergencies of 2021."""
    areas = SHIPPED / "codes" / "peninsula-areas.csv"
    practices = make_practices(tmp_path / "linked", areas, registered=4000, stays=12_000, progress=lambda said: None)
    record = practices.with_name(HOSPITALS)
    snapshot = pull_shipped(record, "people-at-risk", parse_period("2021"), monkeypatch)
    found = duckdb.sql(
        f"SELECT person, conditions, admissions, CAST(unlinked AS INT) FROM '{snapshot.path}'"
    ).fetchall()
    listed = {
        who
        for name in ("linked-hospitals", "practice")
        for who in record.with_name(f"{name}-opt-outs.csv").read_text().split()
    }
    with duckdb.connect(str(practices), read_only=True) as connection:
        links = dict(connection.execute("SELECT number, PSEUDO_HESID FROM links").fetchall())
        ill = Counter(number for (number,) in connection.execute("SELECT number FROM conditions").fetchall())
    with duckdb.connect(str(record), read_only=True) as connection:
        stays = connection.execute(
            "SELECT PSEUDO_HESID, EPISTART::DATE, coalesce(EPIEND, EPISTART)::DATE, ADMIMETH FROM episodes ORDER BY 1, 2, 3"
        ).fetchall()
    emergencies: Counter[str] = Counter()
    until: dict[str, date] = {}
    for person, start, end, method in stays:
        begins = person not in until or start > until[person]
        until[person] = max(end, until.get(person, end))
        emergencies[person] += begins and method.startswith("2") and start.year == 2021
    expected = Counter()
    for number, conditions in ill.items():
        person = links.get(number)
        if not {number, person} & listed:
            several = min(emergencies[person] if person else 0, 3)
            expected[
                person or f"unlinked {number}",
                "2+" if conditions > 1 else "1",
                f"{several}+"[: 2 if several == 3 else 1],
                int(person is None),
            ] += 1
    assert Counter(found) == expected
    assert {row[2] for row in found} >= {"0", "1"}
    assert {row[3] for row in found} == {0, 1}
    both_custodians_decide(monkeypatch)


def both_custodians_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """An analyst asks for figures of people at risk: nothing is measured before both have approved, and how many rows did not
    link is told beside what was asked."""
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(SHIPPED))
    asked = {"statistic": "count", "by": ["area/health_system", "admissions/band"], "period": "2021", "epsilon": 0.5}
    why = {"purpose": "To plan visits of nurses.", "agreed_purpose": "prevention", "free": "never"}
    made = requests.ask({"dataset": "people-at-risk", **asked, **why}, requested_by="analyst")
    assert requests.card(made.id).approvers == ("custodian", "partner")
    for approver in ("custodian", "partner"):
        with pytest.raises(ApprovalError, match="has not decided on this plan"):
            pipeline.run_edition(made.edition)
        shown = facts_of(requests.card(made.id))
        requests.decide(made.id, approver=approver, decision="approved", reason="as agreed", shown=shown)
    assert requests.authorise(made.id)
    pipeline.run_edition(made.edition)
    published = load_settings().public_dir / made.edition / "r1"
    edition = json.loads((published / "edition.json").read_text())
    assert {one["approver"] for one in edition["approvals"]} == {"custodian", "partner"}
    assert [table["id"] for table in edition["tables"]] == ["answer", "unlinked"]
    (told,) = duckdb.sql(f"SELECT value FROM '{published / 'unlinked.csv'}'").fetchall()
    assert told[0] >= 0
    register = (load_settings().public_dir / "register.html").read_text()
    assert "Linked records of people at risk, version 1" in register
