"""Several tables about the same people, from their custodians' files to a published edition."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dp_stats import pipeline
from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import AgreementError, CatalogueError, LedgerError, OptOutError, QualityError, SourceError
from dp_stats.operations.review import review_suites
from dp_stats.run import open_ledger
from dp_stats.secure import linked
from dp_stats.secure.check import check_snapshot, review_suite
from dp_stats.secure.engines import open_engine
from dp_stats.secure.gates import accept, check_intake
from dp_stats.secure.intake import read_report
from dp_stats.secure.pull import Snapshot, mapping_of, pull
from dp_stats.secure.staging import staging_folder
from dp_stats.settings import Settings, load_settings
from tests.builders import declared_dataset, declared_release, declared_table

PERSON = {"type": "person", "identifier": {"remove": " -", "case": "upper", "pattern": "P[0-9]+"}}
STEPS: list[dict[str, Any]] = [
    {
        "step": "sessions",
        "of": "episodes",
        "to": "spells",
        "from": "started",
        "until": "ended",
        "gap": 1,
        "per": ["trust"],
    },
    {"step": "join", "of": "spells", "with": "people", "columns": ["born"]},
    {"step": "derive", "of": "spells", "columns": {"age": "years_between(born, started)"}},
    {"step": "spread", "of": "spells", "to": "days", "from": "started", "until": "ended", "day": "day", "most": 60},
    {"step": "derive", "of": "days", "columns": {"admitted": "case when day = started then 1 else 0 end"}},
]
EPISODES = """PID,Start,End,Trust
P1,2024-01-01,2024-01-03,RA1
p-1,2024-01-03,2024-01-04,RA1
P2,2024-01-05,,RB1
 P 2,2024-01-05,2024-01-05,elsewhere
p3,2024-01-02,2024-01-09,RA1
P4,2024-01-02,2024-01-09,RA1
CANARY,2024-01-02,2024-01-09,RA1
"""
PEOPLE = "id,born\nP-1,1950-06-01\np2,2010-01-01\nP3,1990-01-01\nP4,1990-01-01\n"


@dataclass
class Linked:
    """A catalogue of one linked dataset in a folder of the test's own."""

    folder: Path
    settings: Settings
    declared: dict[str, Any]

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content)

    def save(self) -> None:
        self.write("datasets/stays.yaml", yaml.write(self.declared))

    def pull(self, period: str = "2024-W01") -> Snapshot:
        self.save()
        catalogue = load_catalogue(self.folder)
        return pull(
            catalogue.datasets["stays"],
            catalogue=catalogue,
            period=parse_period(period),
            folder=self.staging(period),
            settings=self.settings,
        )

    def staging(self, period: str = "2024-W01") -> Path:
        return staging_folder(self.settings.secure, release="stays", period=period)


@pytest.fixture
def stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Linked:
    folder = tmp_path / "catalogue"
    for name in ("datasets", "releases", "codes", "expectations"):
        (folder / name).mkdir(parents=True)
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(folder))

    declared = declared_dataset(
        "stays",
        {
            "patient": PERSON,
            "day": "date",
            "trust": {"type": "code", "codes": "trusts", "unknown": True},
            "age": {"type": "band", "codes": "ages", "unknown": True},
            "admitted": "number",
        },
        title="Stays in hospital",
        description="One row per day in hospital.",
        custodians=[{"name": "The hospitals", "user": "hospitals"}, {"name": "The register"}],
        tables={
            "episodes": declared_table(
                "episodes",
                {
                    "patient": {"from": "PID", **PERSON},
                    "started": {"from": "Start", "type": "date"},
                    "ended": {"from": "End", "type": "date"},
                    "trust": {"from": "Trust", "type": "code", "codes": "trusts", "unknown": True},
                },
                custodian="The hospitals",
                opt_outs="hospitals-opt-outs.csv",
                expectations="any.json",
            ),
            "people": declared_table(
                "people",
                {"person": {"from": "id", **PERSON}, "born": "date"},
                custodian="The register",
                opt_outs="register-opt-outs.csv",
                expectations="any.json",
            ),
        },
        steps=STEPS,
        expectations="any.json",
        budget={"epsilon": 40, "delta": "1e-6"},
    )
    made = Linked(folder, load_settings(), declared)
    made.write("episodes.csv", EPISODES)
    made.write("people.csv", PEOPLE)
    made.write("hospitals-opt-outs.csv", "who\nP99\n")
    made.write("register-opt-outs.csv", "who\np-4\n")
    made.write("codes/trusts.csv", "code,name\nRA1,North\nRB1,South\n")
    made.write("codes/ages.csv", "code,name,lower,upper\n0-17,Child,0,17\n18+,Adult,18,\n")
    made.write("expectations/any.json", json.dumps({"name": "any", "expectations": [ROWS_AT_MOST]}))
    agree(made)
    return made


ROWS_AT_MOST = {
    "type": "expect_table_row_count_to_be_between",
    "kwargs": {"min_value": 0, "max_value": 1000},
    "severity": "critical",
}


def rows(snapshot: Snapshot) -> list[tuple[Any, ...]]:
    """The snapshot's rows: person, day of January, trust, age, admitted."""
    found = duckdb.sql(f"SELECT patient, day, trust, age, admitted FROM '{snapshot.path}' ORDER BY ALL").fetchall()
    return [(p, day.day, trust, age, int(admitted)) for p, day, trust, age, admitted in found]


def test_rows_that_count_are_made_of_both_tables_in_one_spelling_of_each_person(stays: Linked) -> None:
    assert rows(stays.pull()) == [
        *[("P1", day, "RA1", "18+", int(day == 1)) for day in range(1, 5)],
        ("P2", 5, "RB1", "0-17", 1),
        ("P2", 5, "unknown", "0-17", 1),
        *[("P3", day, "RA1", "18+", int(day == 2)) for day in range(2, 8)],
    ]


def test_whoever_opted_out_with_one_custodian_is_in_no_table(stays: Linked) -> None:
    stays.write("hospitals-opt-outs.csv", "who\nP-1\n")
    snapshot = stays.pull()
    assert {row[0] for row in rows(snapshot)} == {"P2", "P3"}
    for name, person in (("episodes", "patient"), ("people", "person")):
        kept = duckdb.sql(f"SELECT {person} FROM '{snapshot.path.with_name(linked.table_file(name))}'").fetchall()
        assert {row[0] for row in kept} - {None} == {"P2", "P3"}


@pytest.mark.parametrize("file", ["hospitals-opt-outs.csv", "register-opt-outs.csv"])
@pytest.mark.parametrize("content", [None, "who\n  \n", "who\nnobody's\n"])
def test_a_list_of_any_table_that_cannot_be_trusted_stops_the_run(
    stays: Linked, file: str, content: str | None
) -> None:
    if content is None:
        (stays.folder / file).unlink()
    else:
        stays.write(file, content)
    with pytest.raises(OptOutError, match="Nothing is pulled"):
        stays.pull()
    assert not [*stays.staging().rglob("*.parquet")]


def test_each_table_has_a_report_and_limits_of_its_own(stays: Linked) -> None:
    snapshot = stays.pull()
    report = read_report(snapshot.report)
    assert (report.tables["episodes"].delivered, report.tables["episodes"].nobody) == (6, 1)
    assert report.tables["people"].columns["born"].as_declared == 3
    assert report.counted == 12
    dataset = load_catalogue(stays.folder).datasets["stays"]
    check_intake(dataset, edition="stays/2024-W01", folder=stays.staging(), settings=stays.settings)
    accept(dataset, folder=stays.staging(), settings=stays.settings)
    stays.write("people.csv", "id,born\n" + "".join(f"P{n},01.02.1950\n" for n in range(100)))
    stays.pull()
    with pytest.raises(QualityError, match=r"tables.people: columns.born: nothing that stands there reads as declared"):
        check_intake(dataset, edition="stays/2024-W01", folder=stays.staging(), settings=stays.settings)


def test_a_delivery_that_is_cut_off_is_noticed_in_the_table_it_belongs_to(stays: Linked) -> None:
    stays.write("people.csv", "id,born\n" + "".join(f"P{n},1950-01-01\n" for n in range(100)))
    stays.pull()
    dataset = load_catalogue(stays.folder).datasets["stays"]
    accept(dataset, folder=stays.staging(), settings=stays.settings)
    stays.write("people.csv", PEOPLE)
    stays.pull()
    with pytest.raises(
        QualityError, match=r"tables.people: there are fewer than 50 % of the rows of the last delivery"
    ):
        check_intake(dataset, edition="stays/2024-W01", folder=stays.staging(), settings=stays.settings)


def test_each_table_is_held_against_its_own_suite(stays: Linked) -> None:
    few = {**ROWS_AT_MOST, "kwargs": {"min_value": 0, "max_value": 2}}
    stays.write("expectations/people.json", json.dumps({"name": "people", "expectations": [few]}))
    stays.declared["tables"]["people"]["expectations"] = "people.json"
    stays.pull()
    catalogue = load_catalogue(stays.folder)
    dataset, period = catalogue.datasets["stays"], parse_period("2024-W01")
    with pytest.raises(QualityError, match="people"):
        check_snapshot(dataset, catalogue=catalogue, period=period, folder=stays.staging(), settings=stays.settings)
    wrong = {"type": "expect_column_to_exist", "kwargs": {"column": "day"}, "severity": "critical"}
    stays.write("expectations/people.json", json.dumps({"name": "people", "expectations": [wrong]}))
    with pytest.raises(QualityError):
        review_suite(dataset, catalogue=catalogue, period=period, settings=stays.settings)


def test_the_snapshot_carries_how_its_rows_were_made(stays: Linked) -> None:
    first = mapping_of(stays.pull().path)
    stays.declared["steps"] = [*STEPS, {"step": "keep", "of": "days", "where": "day < DATE '2024-01-04'"}]
    snapshot = stays.pull()
    assert mapping_of(snapshot.path) != first
    assert {row[1] for row in rows(snapshot)} == {1, 2, 3}


def test_a_failure_of_a_step_tells_no_value(
    stays: Linked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise RuntimeError("CANARY P1")

    monkeypatch.setattr(linked, "apply_steps", fails)
    with pytest.raises(SourceError) as told:
        stays.pull()
    assert told.value.__cause__ is None
    assert told.value.__context__ is None
    assert "P1" not in str(told.value) + caplog.text
    assert "RuntimeError" in str(told.value)


def test_steps_that_no_engine_can_carry_out_are_known_before_a_row_is_read(
    stays: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load_catalogue(stays.folder).datasets["stays"]
    linked.try_steps(dataset, period=parse_period("2024-W01"), settings=stays.settings)
    monkeypatch.setattr(linked, "apply_steps", lambda *given, **named: 1 / 0)
    with pytest.raises(CatalogueError, match="cannot be carried out"):
        linked.try_steps(dataset, period=parse_period("2024-W01"), settings=stays.settings)
    review_suites(stays.settings, load_catalogue(stays.folder), [])


def test_steps_run_on_the_engine_that_is_declared_and_spark_writes_a_folder(
    stays: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(stays.pull())
    opened = []

    class Folders:
        """DuckDB that writes as Spark does."""

        def __init__(self, backend: Any) -> None:
            self.backend = backend

        def __getattr__(self, name: str) -> Any:
            return getattr(self.backend, name)

        def to_parquet(self, table: Any, target: str) -> None:
            Path(target).mkdir()
            self.backend.to_parquet(table, f"{target}/part-0.parquet")

    @contextmanager
    def engine(name: str, *, settings: Settings) -> Iterator[Any]:
        opened.append(name)
        with open_engine("duckdb", settings=settings) as backend:
            yield Folders(backend)

    monkeypatch.setattr(linked, "open_engine", engine)
    stays.declared["engine"] = "spark"
    assert rows(stays.pull()) == expected
    assert opened == ["spark"]


def test_late_rows_are_refused_beside_steps_that_ask_for_the_editions_days(stays: Linked) -> None:
    stays.declared["steps"] = [*STEPS, {"step": "keep", "of": "days", "where": "day <= period_end"}]
    stays.save()
    release = declared_release(
        "stays",
        dataset="stays",
        start="2024-01-01",
        dimensions=[{"name": "trust", "column": "trust", "levels": ["trust"]}],
        tables=[{"id": "trusts", "levels": {"trust": "trust"}}],
        statistics=[{"id": "days", "kind": "count"}],
        late={"periods": 2},
    )
    stays.write("releases/stays.yaml", yaml.write(release))
    with pytest.raises(CatalogueError, match="steps of 'stays' ask for period_start or period_end"):
        load_catalogue(stays.folder)


def test_a_source_that_changes_while_another_is_read_stops_the_run(
    stays: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = linked._make

    def meanwhile(*given: Any, **named: Any) -> None:
        make(*given, **named)
        stays.write("episodes.csv", EPISODES + "P5,2024-01-02,2024-01-09,RA1\n")

    monkeypatch.setattr(linked, "_make", meanwhile)
    with pytest.raises(SourceError, match="changed while it was read"):
        stays.pull()


def agree(stays: Linked, **fields: Any) -> None:
    """Put the dataset under an agreement that allows what the test's release publishes, but for what ``fields`` say."""
    terms = {"purposes": ["beds"], "legal_basis": "An act", "until": date(2198, 12, 31)}
    agreement = {
        "id": "sharing",
        "version": 1,
        "title": "Stays",
        "datasets": ["stays"],
        "parties": [
            {"name": name, "role": "custodian", "signed": date(2024, 1, 1)}
            for name in ("The hospitals", "The register")
        ],
        "purposes": {"beds": "Plan beds"},
        "tables": {
            "episodes": {**terms, "custodian": "The hospitals"},
            "people": {**terms, "custodian": "The register"},
        },
        "statistics": [{"kind": "count"}, {"kind": "sum", "columns": ["admitted"]}],
        "by": {"trust": ["code"], "day": ["week"]},
        "audiences": ["public"],
        "budget": {"epsilon": 40, "delta": "1e-6"},
        "starts": date(2024, 1, 1),
        "review": date(2198, 1, 1),
        "ends": date(2198, 12, 31),
        **fields,
    }
    (stays.folder / "agreements").mkdir(exist_ok=True)
    stays.write("agreements/sharing.yaml", yaml.write(agreement))
    stays.declared["agreement"] = "sharing"
    stays.save()


def test_an_edition_is_published_from_several_tables_under_an_agreement_and_none_after_its_end(stays: Linked) -> None:
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(28)]
    stays.write(
        "episodes.csv",
        "PID,Start,End,Trust\n"
        + "".join(f"P{n},{days[n % 25]},{days[n % 25 + 2]},{'RA1' if n % 3 else 'RB1'}\n" for n in range(600)),
    )
    stays.write("people.csv", "id,born\n" + "".join(f"P{n},{1940 + n % 80}-01-01\n" for n in range(600)))
    release = declared_release(
        "stays",
        dataset="stays",
        start="2024-01-01",
        dimensions=[
            {"name": "trust", "column": "trust", "levels": ["trust"]},
            {"name": "date", "column": "day", "levels": ["week"]},
        ],
        tables=[{"id": "trust-week", "levels": {"trust": "trust", "date": "week"}}],
        statistics=[
            {"id": "admissions", "kind": "sum", "column": "admitted", "lower": 0, "upper": 1},
            {"id": "days", "kind": "count"},
        ],
        contribution={"rows": 3, "why_nothing_is_truncated": "Nobody stays longer."},
        privacy_loss={"epsilon": 4},
        agreed_purpose="beds",
    )
    stays.write("releases/stays.yaml", yaml.write(release))
    for step in (
        pipeline.pull,
        pipeline.check,
        pipeline.reserve,
        pipeline.measure,
        pipeline.estimate,
        pipeline.publish,
    ):
        step("stays/2024-W02", settings=stays.settings)
    published = stays.settings.home / "public" / "stays" / "2024-W02" / "r1"
    table = duckdb.sql(f"SELECT metric, trust_code, value FROM '{published / 'trust-week.csv'}'").fetchall()
    found = {(metric, trust): int(value) for metric, trust, value in table}
    assert abs(found["days", "RA1"] - 336) < 60
    assert abs(found["admissions", "RA1"] - 112) < 60
    record = json.loads((published / "edition.json").read_text())
    assert record["dataset"]["opt_outs_applied"] is True
    assert [c["name"] for c in record["dataset"]["custodians"]] == ["The hospitals", "The register"]
    nothing_with_a_fault_in_one_table(stays)
    nothing_after_the_end(stays)


MISSPELT = "id,born\n" + "".join(f"X{n},1950-01-01\n" for n in range(600))
FAULTS: list[tuple[str, str | None, type[Exception], str]] = [
    ("register-opt-outs.csv", None, OptOutError, "Nothing is pulled"),
    ("hospitals-opt-outs.csv", "who\nnobody's\n", OptOutError, r"tables.episodes.columns.patient.identifier"),
    (
        "people.csv",
        MISSPELT,
        QualityError,
        "tables.people: columns.person: nothing that stands there reads as declared",
    ),
]
"""A file of one table, what is in it instead, and what is said."""


def nothing_with_a_fault_in_one_table(stays: Linked) -> None:
    """The list of one custodian alone is lost, or has an entry that is nobody's; one table's persons are written otherwise."""
    spent = [(block.spent, block.reserved) for block in open_ledger(stays.settings).blocks()]
    for file, content, error, said in FAULTS:
        kept = (stays.folder / file).read_text()
        (stays.folder / file).unlink()
        if content is not None:
            stays.write(file, content)
        with pytest.raises(error, match=said):
            pipeline.run_edition("stays/2024-W03", settings=stays.settings)
        stays.write(file, kept)
    ledger = open_ledger(stays.settings)
    assert [(block.spent, block.reserved) for block in ledger.blocks()] == spent
    assert ledger.reservation("stays/2024-W03") is None


def nothing_after_the_end(stays: Linked) -> None:
    ledger = open_ledger(stays.settings)
    spent = [block.spent for block in ledger.blocks()]
    assert ledger.reservation("stays/2024-W02").agreement  # type: ignore[union-attr]
    pipeline.pull("stays/2024-W03", settings=stays.settings)
    pipeline.check("stays/2024-W03", settings=stays.settings)
    ended = {"version": 2, "ends": date(2026, 1, 1), "review": date(2025, 1, 1)}
    agree(stays, **ended)
    for step in (pipeline.reserve, pipeline.pull):
        with pytest.raises(AgreementError, match="it ended on 2026-01-01"):
            step("stays/2024-W03", settings=stays.settings)
    with pytest.raises(LedgerError, match="Nothing is reserved"):
        pipeline.measure("stays/2024-W03", settings=stays.settings)
    assert [block.spent for block in ledger.blocks()] == spent
    pipeline.publish("stays/2024-W02", settings=stays.settings)


def test_tables_of_several_custodians_need_an_agreement(stays: Linked) -> None:
    del stays.declared["agreement"]
    stays.save()
    with pytest.raises(CatalogueError, match="held by The hospitals and The register; name the data-sharing agreement"):
        load_catalogue(stays.folder)


LINK = {
    "source": {"kind": "csv", "path": "links.csv"},
    "own": "hospital number",
    "person": "register number",
    "identifier": PERSON["identifier"],
    "custodian": "The linkage service",
    "version": "2024-01",
    "quality": "Of a reviewed sample 1 % of links are wrong.",
}
OWN = {"from": "PID", "type": "person", "identifier": {"case": "upper", "pattern": "H[0-9]+"}}
LINKED_STEPS: list[dict[str, Any]] = [
    *STEPS[:1],
    {"step": "join", "of": "spells", "with": "people", "columns": ["born"]},
    {"step": "derive", "of": "spells", "columns": {"age": "years_between(born, started)"}},
    {"step": "derive", "of": "spells", "columns": {"admitted": "1", "unlinked": "case when linked then 0 else 1 end"}},
]


@pytest.fixture
def own_numbers(stays: Linked) -> Linked:
    """The hospitals write numbers of their own; a link table says whose they are. H3 and H31 are one person, H9 is nobody's."""
    stays.write(
        "episodes.csv", "PID,Start,End,Trust\n" + "".join(f"{h},2024-01-02,2024-01-04,RA1\n" for h in OWN_NUMBERS)
    )
    stays.write("links.csv", "hospital number,register number\n" + "".join(f"{h},{p}\n" for h, p in LINKS))
    stays.write("hospitals-opt-outs.csv", "who\nH2\nh9\n")
    episodes = stays.declared["tables"]["episodes"]
    episodes["columns"]["patient"] = OWN
    episodes["link"] = dict(LINK)
    steps = [dict(step) for step in LINKED_STEPS]
    steps[0]["first"] = ["linked"]
    stays.declared |= {"steps": steps, "unlinked": "unlinked"}
    stays.declared["columns"]["day"]["from"] = "started"
    stays.declared["columns"]["unlinked"] = {"from": "unlinked", "type": "number"}
    return stays


OWN_NUMBERS = ("H1", "h2", "H3", "H31", "H4", "H8", "H9")
LINKS = (("h1", "P1"), ("H2", "p-2"), ("H3", "P3"), ("H31", "P3"), ("H4", "P4"), ("H5", "P5"))


def test_a_link_table_says_whose_rows_are_and_who_opted_out(own_numbers: Linked) -> None:
    """P4 opted out with the register, H2 with the hospitals; H9 did, too, and is in no link table; H8 is not linked."""
    snapshot = own_numbers.pull()
    found = duckdb.sql(f"SELECT patient, age, CAST(unlinked AS INT) FROM '{snapshot.path}' ORDER BY ALL").fetchall()
    assert found == [("P1", "18+", 0), ("P3", "18+", 0), ("unlinked H8", "unknown", 1)]
    people = duckdb.sql(f"SELECT person FROM '{snapshot.path.with_name(linked.table_file('people'))}'").fetchall()
    assert {row[0] for row in people} == {"P1", "P3"}


def test_removing_a_person_with_their_links_removes_their_rows_alone(own_numbers: Linked) -> None:
    before = Counter(rows(own_numbers.pull()))
    own_numbers.write(
        "links.csv", "hospital number,register number\n" + "".join(f"{h},{p}\n" for h, p in LINKS if p != "P3")
    )
    kept = [h for h in OWN_NUMBERS if h not in ("H3", "H31")]
    own_numbers.write(
        "episodes.csv", "PID,Start,End,Trust\n" + "".join(f"{h},2024-01-02,2024-01-04,RA1\n" for h in kept)
    )
    own_numbers.write("people.csv", "\n".join(line for line in PEOPLE.splitlines() if not line.startswith("P3")) + "\n")
    after = Counter(rows(own_numbers.pull()))
    assert {row[0] for row in before - after} == {"P3"}
    assert not after - before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("hospital number,register number\nH1,P1\nH1,P2\n", "gives one 'hospital number' to two persons"),
        (
            "hospital number,register number\nCANARY,P1\n",
            "column 'hospital number' has an entry that is no valid identifier",
        ),
        (
            "hospital number,register number\nH1,CANARY\n",
            "column 'register number' has an entry that is no valid identifier",
        ),
        ("hospital number,register number\nH1,\n", "column 'register number' has an entry that is no valid identifier"),
        ("hospital number\nH1\n", "has no column 'register number'"),
        (None, "links.csv"),
    ],
)
def test_a_link_table_that_cannot_be_trusted_stops_the_run(own_numbers: Linked, content: str | None, says: str) -> None:
    if content is None:
        (own_numbers.folder / "links.csv").unlink()
    else:
        own_numbers.write("links.csv", content)
    with pytest.raises(SourceError, match=says) as told:
        own_numbers.pull()
    assert "CANARY" not in str(told.value)
    assert not [*own_numbers.staging().rglob("*.parquet")]


def test_a_release_of_linked_rows_says_how_many_did_not_link(own_numbers: Linked) -> None:
    declared = declared_release(
        "stays",
        dataset="stays",
        start="2024-01-01",
        agreed_purpose="beds",
        dimensions=[{"name": "trust", "column": "trust", "levels": ["trust"]}],
        tables=[{"id": "trusts", "levels": {"trust": "trust"}, "statistics": ["stays"]}],
        statistics=[{"id": "stays", "kind": "count"}],
    )
    agree(own_numbers, statistics=[{"kind": "count"}, {"kind": "sum", "columns": ["unlinked"]}])
    own_numbers.write("releases/stays.yaml", yaml.write(declared))
    with pytest.raises(CatalogueError, match="publish the sum of 'unlinked'"):
        load_catalogue(own_numbers.folder)
    declared["statistics"].append({"id": "unlinked", "kind": "sum", "column": "unlinked", "lower": 0, "upper": 1})
    declared["tables"][0]["statistics"].append("unlinked")
    own_numbers.write("releases/stays.yaml", yaml.write(declared))
    assert load_catalogue(own_numbers.folder).releases
    own_numbers.declared.pop("unlinked")
    own_numbers.save()
    with pytest.raises(CatalogueError, match="a table has a 'link'; name the column that tells"):
        load_catalogue(own_numbers.folder)
