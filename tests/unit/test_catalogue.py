"""A wrong declaration is refused with the file, the field and what to write instead."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.local.environment import USERS
from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.catalogue.load import is_due
from dp_stats.catalogue.models import Column
from dp_stats.catalogue.periods import blocks_of, parse_period
from dp_stats.catalogue.schema import json_schema
from dp_stats.errors import CatalogueError

SHIPPED = Path(__file__).resolve().parents[2] / "dags" / "catalogue"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped catalogue that a test may break."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "catalogue"))


def change(path: Path, **fields: object) -> None:
    content = yaml.parse(path.read_text())
    for name, value in fields.items():
        if value is None:
            content.pop(name)
        else:
            content[name] = value
    path.write_text(yaml.write(content))


def test_the_shipped_catalogue_is_sound() -> None:
    catalogue = load_catalogue(SHIPPED)
    release = catalogue.release("covid-cases-by-area")
    grid = catalogue.grid(release, catalogue.period(release, "2021-W07"))
    assert grid.shape() == (381, 7, 11)
    assert [level.name for level in grid["area"].levels] == ["ltla", "region", "nation", "uk"]


def test_whoever_the_shipped_catalogue_names_can_log_in_where_it_is_tried() -> None:
    catalogue = load_catalogue(SHIPPED)
    custodians = {c.answers_as for dataset in catalogue.datasets.values() for c in dataset.custodians}
    members = {user for organisation in catalogue.organisations.values() for user in organisation.users}
    assert custodians <= {user for user, role in USERS.items() if role == "user"}
    assert members
    assert members <= {user for user, role in USERS.items() if role == "guest"}


@pytest.mark.parametrize(
    ("file", "fields", "says"),
    [
        ("datasets/covid-cases.yaml", {"colour": "red"}, "colour: is no field here"),
        ("datasets/covid-cases.yaml", {"date_column": "day"}, "there is no column 'day'"),
        ("datasets/covid-cases.yaml", {"opt_outs": None}, "opt_outs: declare the opt-out list"),
        ("datasets/covid-cases.yaml", {"budget": {"epsilon": 1}}, "needs a delta"),
        ("datasets/covid-cases.yaml", {"id": "cases"}, "Name the file cases.yaml"),
        ("datasets/covid-cases.yaml", {"source": {"kind": "postgres", "table": "t"}}, "needs either 'connection'"),
        ("releases/covid-cases-by-area.yaml", {"dataset": "flu"}, "there is no dataset 'flu'. There are: covid-cases"),
        ("releases/covid-cases-by-area.yaml", {"privacy_loss": {"epsilon": 1, "rho": 1}}, "either epsilon"),
        (
            "releases/covid-cases-by-area.yaml",
            {"privacy_loss": {"epsilon": "1e-15"}},
            "epsilon must be from 0.0001 to 100",
        ),
        ("releases/covid-cases-by-area.yaml", {"privacy_loss": {"epsilon": 101}}, "nothing is protected"),
        ("releases/covid-cases-by-area.yaml", {"privacy_loss": {"rho": "1e-30"}}, "rho must be from 5e-09 to 5000"),
        (
            "releases/covid-cases-by-area.yaml",
            {
                "statistics": [
                    {"id": "cases", "kind": "sum", "column": "age", "lower": 0, "upper": 1, "resolution": "1/3"}
                ]
            },
            "statistics.0.resolution: must be a decimal of at most 6 places, such as 0.01",
        ),
        ("releases/covid-cases-by-area.yaml", {"licence": ""}, "licence: write an identifier without spaces"),
        ("releases/covid-cases-by-area.yaml", {"licence": "ask us"}, "licence: write an identifier without spaces"),
        ("releases/covid-cases-by-area.yaml", {"period": "fortnight"}, "period: Input should be 'day', 'week'"),
        (
            "releases/covid-cases-by-area.yaml",
            {
                "headline": None,
                "tables": [{"id": "t", "title": "T", "levels": {"area": "county"}, "statistics": ["cases"]}],
            },
            "there is no level 'county'. It has ltla, region, nation, uk",
        ),
        (
            "releases/covid-cases-by-area.yaml",
            {"tables": [{"id": "t", "title": "T", "levels": {}, "statistics": ["deaths"]}]},
            "there is no statistic 'deaths'",
        ),
        (
            "releases/covid-cases-by-area.yaml",
            {
                "dimensions": [{"name": "who", "column": "person_id"}],
                "tables": [{"id": "t", "title": "T", "levels": {}, "statistics": ["cases"]}],
                "headline": None,
            },
            "it would publish identifiers",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_file(folder: Path, file: str, fields: dict[str, object], says: str) -> None:
    change(folder / file, **fields)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(folder)
    assert says in str(caught.value)
    assert Path(file).name in str(caught.value)


@pytest.mark.parametrize(
    ("break_list", "says"),
    [
        (lambda text: text.replace("code,name", "id,label", 1), "must begin with 'code,name'"),
        (lambda text: text + "e06000001" + text.splitlines()[1][9:] + "\n", "stands twice"),
        (lambda text: text.replace("Hartlepool", "=1+1", 1), "line 2: 'name' begins like a formula"),
        (lambda text: text + "E99999999,Nowhere\n", "2 fields where the header has"),
        (lambda text: text.splitlines()[0] + "\n", "the list is empty"),
        # Scotland's region put into two nations: no longer a tree.
        (
            lambda text: text.replace("S92000003,Scotland,S92000003", "S92000003,Scotland,E92000001", 1),
            "must be a tree",
        ),
    ],
)
def test_a_broken_code_list_is_refused(folder: Path, break_list: object, says: str) -> None:
    path = folder / "codes" / "lad19.csv"
    path.write_text(break_list(path.read_text()))  # type: ignore[operator]
    with pytest.raises(CatalogueError, match=says):
        load_catalogue(folder)


def test_yaml_that_is_not_yaml_is_refused_with_its_line(folder: Path) -> None:
    path = folder / "releases" / "covid-cases-by-area.yaml"
    path.write_text(path.read_text() + "\ntitle: [unclosed\n")
    with pytest.raises(CatalogueError, match=r"covid-cases-by-area\.yaml, line \d+: not valid YAML"):
        load_catalogue(folder)


def test_the_unknown_cell_is_a_leaf_of_its_own_that_rolls_up_to_the_top() -> None:
    catalogue = load_catalogue(SHIPPED)
    release = catalogue.release("covid-cases-by-area")
    age = catalogue.grid(release, catalogue.period(release, "2021-W07"))["age"]
    assert age.leaf.codes[-1] == "unknown"
    assert set(age.top.group) == {0}


@pytest.mark.parametrize(
    ("label", "days", "blocks"),
    [
        ("2021-02-15", 1, ("2021",)),
        ("2020-W53", 7, ("2020", "2021")),
        ("2024-02", 29, ("2024",)),
        ("2021", 365, ("2021",)),
        ("2020-08-31--2021-08-29", 364, ("2020", "2021")),
    ],
)
def test_a_period_knows_its_days_and_the_blocks_they_fall_in(label: str, days: int, blocks: tuple[str, ...]) -> None:
    period = parse_period(label)
    assert len(period.days) == days
    assert blocks_of(period, "year") == blocks
    assert parse_period(period.label) == period


@pytest.mark.parametrize(
    "label",
    [
        "2021-W54",
        "9999",
        "0001",
        "9999-W52",
        "2021-01-01--9999-12-31",
        "2021-13",
        "2021-02-30",
        "last week",
        "2021-03-01--2021-02-01",
        "",
    ],
)
def test_what_is_no_period_is_refused_with_examples(label: str) -> None:
    with pytest.raises(CatalogueError, match="is not a period"):
        parse_period(label)


def test_a_period_is_due_only_when_late_reports_have_settled() -> None:
    catalogue = load_catalogue(SHIPPED)
    release = catalogue.release("covid-cases-by-area").model_copy(update={"settle_days": 3})
    period = catalogue.period(release, "2021-W07")
    assert not is_due(release, period, date(2021, 2, 24))
    assert is_due(release, period, date(2021, 2, 25))
    labels = [p.label for p in catalogue.periods(release, until=date(2021, 1, 25))]
    assert labels == ["2021-W01", "2021-W02"]


def test_a_period_of_another_kind_or_outside_the_releases_dates_is_refused() -> None:
    catalogue = load_catalogue(SHIPPED)
    release = catalogue.release("covid-cases-by-area")
    with pytest.raises(CatalogueError, match="has editions per week; write a period such as 2021-W01"):
        catalogue.period(release, "2021-02")
    with pytest.raises(CatalogueError, match="lies outside"):
        catalogue.period(release, "2020-W40")


@pytest.mark.parametrize("name", ["agreement", "dataset", "release"])
def test_the_exported_schema_is_what_the_models_say(name: str) -> None:
    assert (SHIPPED / "schema" / f"{name}.json").read_text() == json_schema(name)


def test_codes_that_look_like_yes_and_no_stay_codes_and_double_fields_are_errors(folder: Path) -> None:
    (folder / "codes" / "provinces.csv").write_text("code,name\nON,Ontario\nNO,Nord\n")
    path = folder / "datasets" / "covid-cases.yaml"
    text = path.read_text()
    path.write_text(
        text.replace("age_band:", "province: {from: p, type: code, codes: provinces, values: {x: ON}}\n  age_band:")
    )
    assert load_catalogue(folder).datasets["covid-cases"].columns["province"].values == {"x": "ON"}
    path.write_text(text + "title: Twice\n")
    with pytest.raises(CatalogueError, match="not valid YAML"):
        load_catalogue(folder)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "date", "formats": ["%Y-%m-%dT%H:%M:%S%z"]}, "declare 'timezone'"),
        ({"type": "date", "formats": ["%Q"]}, "'%Q' is no date format"),
        ({"type": "date", "formats": ["ISO"]}, "'ISO' is no date format"),
        ({"type": "date", "timezone": "Europe/Nowhere"}, "no time zone"),
        ({"type": "date", "timezone": "../etc/passwd"}, "no time zone"),
        ({"type": "date", "source_timezone": "UTC"}, "needs 'timezone'"),
        ({"type": "number", "timezone": "UTC"}, "only a date column"),
        ({"type": "number", "thousands": "."}, "same sign"),
        ({"type": "number", "currency": "-"}, "without digits"),
        ({"type": "date", "decimal": ","}, "only number and band"),
        ({"type": "number", "digits": 5}, "only a code column"),
    ],
)
def test_a_way_of_writing_that_contradicts_itself_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Column.model_validate({"from": "x", **fields})


def test_a_percent_sign_before_a_z_is_no_zone() -> None:
    assert Column.model_validate({"from": "x", "type": "date", "formats": ["%d-%m-%Y %%z"]}).timezone is None
