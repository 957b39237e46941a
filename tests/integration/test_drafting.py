"""A table becomes a catalogue: what a draft holds, what it never holds, and that it publishes."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.catalogue.registers import read_register
from dp_stats.cli.main import app
from dp_stats.secure.look import FORMATS
from dp_stats.secure.pull import pull
from dp_stats.settings import load_settings

CANARY = "Zaphod Beeblebrox"
REGISTER = "WD24CD,WD24NM,LAD24CD,LAD24NM\n" + "".join(
    f"W{i},Ward {i},L{i // 4},{'Upper' if i < 4 else 'Lower'} district\n" for i in range(8)
)
AGES = "code,name,lower,upper\n0-17,0 to 17,0,17\n18-64,18 to 64,18,64\n65+,65 and over,65,130\n"


def nhs_number(n: int) -> str:
    """A valid number with the spaces that people write."""
    while True:
        nine = f"943{n:06}"
        check = 11 - sum((10 - i) * int(d) for i, d in enumerate(nine)) % 11
        if check != 10:
            return f"{nine[:3]} {nine[3:6]} {nine[6:]}{0 if check == 11 else check}"
        n += 100_000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a messy table, two public registers and an empty catalogue."""
    with (tmp_path / "attendances.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["NHS Number", "Arrival", "Ward of residence", "Age", "Name", "Cost"])
        for i in range(600):
            day = date(2024, 1, 1) + timedelta(days=i % 90)
            ward = (f"ward {i % 8}", f"Ward {i % 8} ", "not known")[i % 3 if i % 7 == 0 else 0]
            rows.writerow([nhs_number(i), f"{day:%d/%m/%Y}", ward, i % 95 if i % 9 else "", CANARY, f"{i % 50}.5"])
    (tmp_path / "wards.csv").write_text(REGISTER)
    (tmp_path / "ages.csv").write_text(AGES)
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(tmp_path / "catalogue"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "catalogue").mkdir()
    return tmp_path


def init(*options: str, table: str = "attendances.csv", code: int = 0) -> str:
    registers = ("--register", "wards=wards.csv", "--register", "ages=ages.csv")
    done = CliRunner().invoke(
        app, ["init", table, "--custodian", "The hospital", "--start", "2024-01-01", *registers, *options]
    )
    assert done.exit_code == code, done.output
    return str(done.output)


def drafted(place: Path) -> dict[str, str]:
    return {str(p.relative_to(place)): p.read_text() for p in (place / "catalogue").rglob("*") if p.is_file()}


def test_a_table_and_two_registers_publish_with_nothing_but_an_opt_out_list(place: Path) -> None:
    init()
    dataset = load_catalogue(place / "catalogue").datasets["attendances"]
    kinds = {column.source: column.type for column in dataset.columns.values()}
    assert kinds == {"NHS Number": "person", "Arrival": "date", "Ward of residence": "code", "Age": "band"}
    assert dataset.columns["nhs_number"].identifier is not None
    assert dataset.columns["arrival"].formats == ("%d/%m/%Y",)
    assert dataset.columns["ward_of_residence"].values["Ward 3"] == "W3"
    run = ["run", "attendances-figures", "--period", "2024-02"]
    stopped = CliRunner().invoke(app, run)
    assert stopped.exit_code == 5, "who has opted out is not decided yet"
    (place / "catalogue" / "opt-outs.csv").write_text("NHS Number\n")
    done = CliRunner().invoke(app, run)
    assert done.exit_code == 0, done.output
    with (place / "home/public/attendances-figures/2024-02/r1/total.csv").open() as file:
        (total,) = csv.DictReader(file)
    assert abs(float(total["value_unbiased"]) - 203) < 15 * float(total["standard_error"])  # Laplace: e⁻²¹


def test_no_value_of_the_table_stands_in_a_draft_or_on_the_screen(place: Path) -> None:
    said = init()
    for name, content in {**drafted(place), "the screen": said}.items():
        for value in (
            CANARY,
            CANARY.casefold(),
            nhs_number(5),
            nhs_number(5).replace(" ", ""),
            "01/01/2024",
            "not known",
        ):
            assert value not in content, name


def test_looking_at_the_schema_only_says_the_same_for_any_rows(place: Path) -> None:
    init("--schema-only", "--date", "Arrival")
    with_rows = drafted(place)
    table = (place / "attendances.csv").read_text()
    (place / "attendances.csv").write_text(table.splitlines()[0] + "\n")
    for file in (place / "catalogue").rglob("*.*"):
        file.unlink()
    init("--schema-only", "--date", "Arrival")
    assert drafted(place) == with_rows
    assert "type: code" not in with_rows["catalogue/datasets/attendances.yaml"]


@pytest.mark.parametrize(
    "first",
    [
        f"943 476 5919,01/02/2024,Ward 3,44,{CANARY},1.5",
        f"{CANARY},admitted,Ward 3,old,male,dear",
        f"patient,day,day,age,{CANARY},cost",
        f"patient,,ward,age,{CANARY},cost",
    ],
)
def test_a_first_line_that_may_be_a_row_is_refused_and_not_shown(place: Path, first: str) -> None:
    lines = (place / "attendances.csv").read_text().splitlines()
    (place / "attendances.csv").write_text("\n".join([first, *lines[1:]]) + "\n")
    said = init(code=4)
    assert "header line" in said
    assert CANARY not in said
    assert not drafted(place)


def test_a_draft_never_overwrites(place: Path) -> None:
    init()
    (place / "catalogue/releases/attendances-figures.yaml").write_text("mine")
    said = init(code=3)
    assert "never overwrites" in said
    assert (place / "catalogue/releases/attendances-figures.yaml").read_text() == "mine"


def test_a_list_that_another_dataset_uses_is_shared(place: Path) -> None:
    init()
    init("--id", "again")
    assert set(load_catalogue(place / "catalogue").datasets) == {"attendances", "again"}


def test_the_column_called_patient_is_the_person_and_the_record_number_is_not(place: Path) -> None:
    lines = [f"{i},2024-01-{i % 28 + 1:02},Ward {i % 8},{i % 90},q{i % 9},1" for i in range(400)]
    (place / "records.csv").write_text("\n".join(["Id,Start,Ward,Patient age,Patient,Cost", *lines]))
    init(table="records.csv")
    dataset = load_catalogue(place / "catalogue").datasets["records"]
    assert dataset.columns[dataset.privacy_unit.column].source == "Patient"
    assert dataset.columns["patient_age"].type == "band"


def test_groups_and_their_names_are_found_in_a_register(place: Path) -> None:
    register = read_register("wards", place / "wards.csv")
    assert register.levels == ("lad24",)
    header, first = register.content.splitlines()[:2]
    assert header == "code,name,lad24,lad24_name"
    assert first == "W0,Ward 0,L0,Upper district"


WRITTEN_ISO = ("%Y-%m-%d", "%Y%m%d", "%Y-%j", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")


@given(
    st.sampled_from([*FORMATS, *WRITTEN_ISO]),
    st.lists(st.dates(date(1930, 1, 1), date(2029, 12, 31)), min_size=30, max_size=60),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_format_is_chosen_that_reads_every_date_written_in_any(form: str, days: list[date]) -> None:
    from dp_stats.secure.look import look_at
    from dp_stats.secure.source_table import SourceTable

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT unnest(?) AS c0", [[day.strftime(form) for day in days]])
        (seen,) = look_at(connection, SourceTable("SELECT * FROM t", ("VARCHAR",), "t"), ["arrival"], {})
        assert seen.kind == "date"
        assert seen.moments == form.endswith("Z"), "its day depends on a time zone"
        if form in WRITTEN_ISO:
            assert seen.formats == ("iso",)
            return
        assert form in seen.formats
        read = connection.execute("SELECT count(try_strptime(c0, ?)) FROM t", [seen.formats[0]]).fetchone()
    assert read == (len(days),)


def test_a_dummy_reads_as_declared_row_for_row(place: Path) -> None:
    init()
    options = ["--rows", "400", "--start", "2024-01-01", "--days", "31", "--out", "dummy.csv"]
    done = CliRunner().invoke(app, ["dummy", "attendances", *options])
    assert done.exit_code == 0, done.output
    path = place / "catalogue/datasets/attendances.yaml"
    declared: dict[str, Any] = yaml.parse(path.read_text())
    declared |= {"source": {"kind": "csv", "path": str(place / "dummy.csv")}, "opt_outs": None}
    path.write_text(yaml.write(declared))
    catalogue = load_catalogue(place / "catalogue")
    from dp_stats.catalogue.periods import parse_period

    snapshot = pull(
        catalogue.datasets["attendances"],
        catalogue=catalogue,
        period=parse_period("2024-01"),
        folder=place / "home" / "secure" / "staged",
        settings=load_settings(),
    )
    ((rows, wards),) = duckdb.sql(
        f"SELECT count(*), count(DISTINCT ward_of_residence) FROM '{snapshot.path}'"
    ).fetchall()
    assert (rows, wards) == (400, 9), "every person and date is valid; eight wards and 'unknown'"
    again = CliRunner().invoke(app, ["dummy", "attendances", *options])
    assert again.exit_code == 3, "what is there may hold real rows"
