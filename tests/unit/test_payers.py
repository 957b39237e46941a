"""Records that two datasets read have one budget, and a linked table says whose; what it costs is known beforehand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dp_stats.catalogue import read_catalogue, yaml
from dp_stats.catalogue.models import Source
from dp_stats.catalogue.places import same_records
from dp_stats.errors import BudgetError
from dp_stats.ledger import Ledger
from dp_stats.operations.changes import changes
from dp_stats.operations.forecast import next_charges
from dp_stats.operations.review import shared_sources
from dp_stats.operations.year import review_release, year_of_budget
from tests.builders import declared_dataset, declared_release
from tests.linked_examples import PERSON, TABLES, dataset

Json = dict[str, Any]
SOURCE = {"kind": "csv", "path": "stays.csv"}


def holder(**fields: Any) -> Json:
    person = {"from": "Person", "type": "person", "identifier": PERSON["identifier"]}
    given = {"privacy_unit": {"column": "person", "per": "lifetime"}, "source": SOURCE, **fields}
    return declared_dataset("records", {"person": person, "day": "date"}, **given)


def linked(name: str, budget_of: str | None = "records", **fields: Any) -> Json:
    stays = {**TABLES["stays"], "source": SOURCE, **({"budget_of": budget_of} if budget_of else {})}
    given = {"privacy_unit": {"column": "patient", "per": "year"}, **fields}
    homes = {**TABLES["homes"], "source": {"kind": "csv", "path": f"homes-{name}.csv"}}
    made = dataset([], tables={"stays": stays, "homes": homes}, rows="stays", **given)
    return {**made.model_dump(mode="json", by_alias=True), "id": name}


def read(folder: Path, *datasets: Json, release: Json | None = None) -> Any:
    for name in ("datasets", "releases", "codes"):
        (folder / name).mkdir(parents=True)
    for one in datasets:
        (folder / "datasets" / f"{one['id']}.yaml").write_text(yaml.write(one))
    if release is not None:
        (folder / "releases" / f"{release['id']}.yaml").write_text(yaml.write(release))
    return read_catalogue(folder)


def test_a_linked_table_may_name_who_holds_its_records(tmp_path: Path) -> None:
    catalogue = read(tmp_path, holder(), linked("one"), linked("two"))
    assert not catalogue.broken
    assert {d.id: d.holders for d in catalogue.datasets.values()} == {
        "records": (),
        "one": ("records",),
        "two": ("records",),
    }
    assert shared_sources(catalogue) == []


ELSEWHERE = {"kind": "csv", "path": "elsewhere.csv"}
OTHER_PERSON = {"from": "Number", "type": "person", "identifier": PERSON["identifier"]}
UNSPELT = {"from": "Person", "type": "person"}
PER_YEAR = {"column": "person", "per": "year"}


@pytest.mark.parametrize(
    ("datasets", "broken", "said"),
    [
        ([holder(), linked("one", None)], {"one"}, "'records' reads the same source. Write the dataset whose budget pays"),
        ([linked("one", None), linked("two", None)], {"one", "two"}, "reads the same source"),
        ([holder(privacy_unit=PER_YEAR), linked("one")], {"one"}, "has a budget per year. A record of one may decide"),
        ([holder(source=ELSEWHERE), linked("one")], {"one"}, "'records' reads another source"),
        ([linked("one", "nobody")], {"one"}, "there is no dataset 'nobody'"),
        ([linked("one", "one")], {"one"}, "names its own dataset"),
        ([holder(), linked("one"), linked("two", "one")], {"two"}, "'one' has a budget per year"),
        (
            [holder(), linked("one", privacy_unit={"column": "patient"}), linked("two", "one")],
            {"two"},
            "'one' does not hold these records itself",
        ),
        (
            [declared_dataset("records", {"person": OTHER_PERSON, "day": "date"}, source=SOURCE,
                              privacy_unit={"column": "person"}), linked("one")],
            {"one"},
            "reads persons from another column",
        ),
        (
            [declared_dataset("records", {"person": UNSPELT, "day": "date"}, source=SOURCE,
                              privacy_unit={"column": "person"}), linked("one")],
            {"one"},
            "spells them otherwise",
        ),
    ],
)  # fmt: skip
def test_records_under_budgets_that_do_not_know_of_each_other_are_refused(
    tmp_path: Path, datasets: list[Json], broken: set[str], said: str
) -> None:
    catalogue = read(tmp_path, *datasets)
    assert {Path(name).stem for name in catalogue.broken} == broken
    assert said in "\n".join(catalogue.broken.values())


@pytest.mark.parametrize(
    "written",
    [
        "./stays.csv",
        "codes/../stays.csv",
        "{folder}/stays.csv",
        "${{STAYS}}/stays.csv",
        "link.csv",
        "st*.csv",
        "linked/stays.csv",
    ],
)
def test_the_same_file_written_otherwise_is_the_same_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("STAYS", str(tmp_path))
    (tmp_path / "stays.csv").touch()
    (tmp_path / "link.csv").symlink_to("stays.csv")
    (tmp_path / "linked").symlink_to(tmp_path)
    other = {"kind": "csv", "path": written.format(folder=tmp_path)}
    catalogue = read(tmp_path, holder(source=other), linked("one", None), linked("two"))
    assert {Path(name).stem for name in catalogue.broken} == {"one"}
    assert "reads the same source. Write the dataset whose budget pays" in catalogue.broken["datasets/one.yaml"]


DUCK = {"kind": "duckdb", "path": "x.duckdb"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"connection": "warehouse", "table": "stays"}, {"connection": "warehouse", "table": 'public."Stays"'}, True),
        ({"connection": "warehouse", "table": "stays"}, {"connection": "warehouse", "table": "homes"}, False),
        ({"url_env": "A", "table": "stays"}, {"url_env": "B", "table": "stays"}, True),
        ({"url_env": "A", "table": "stays"}, {"url_env": "C", "table": "stays"}, False),
        ({**DUCK, "table": "main.stays"}, {**DUCK, "path": "./x.duckdb", "table": "stays"}, True),
        ({**DUCK, "table": "stays"}, {**DUCK, "table": "homes"}, False),
        ({"kind": "csv", "path": "s3://b/x.csv"}, {"kind": "csv", "path": "S3://b//y/../x.csv"}, True),
        ({"kind": "csv", "path": "x.csv"}, {"kind": "csv", "path": "y.csv"}, False),
    ],
)  # fmt: skip
def test_which_sources_are_the_same_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: Json, other: Json, same: bool
) -> None:
    for name, url in (("A", "postgresql://db/x"), ("B", "postgresql://db/x"), ("C", "postgresql://db/y")):
        monkeypatch.setenv(name, url)
    pair = [Source.model_validate({"kind": "postgres", **source}) for source in (one, other)]
    assert same_records(*pair, tmp_path) is same_records(*reversed(pair), tmp_path) is same


def test_what_linked_releases_will_cost_is_foreseen_for_who_pays_with_them(tmp_path: Path) -> None:
    release = {**RELEASE, "start": "2024-01-01", "series": True}
    catalogue = read(tmp_path, holder(budget={"rho": "20"}), linked("one", budget={"rho": "1"}), release=release)
    ledger = Ledger.open(tmp_path / "ledger.db")
    told = {
        name: next_charges(catalogue, catalogue.datasets[name], ledger, today=date(2024, 3, 1))
        for name in ("one", "records")
    }
    own, theirs = told["one"], told["records"]
    assert [c.block for c in own] == ["2024", "2025"], "a series pays once per block"
    assert [(c.due, c.edition) for c in theirs] == [(c.due, c.edition) for c in own]
    assert {c.block for c in theirs} == {"lifetime"}
    (draw,) = review_release(catalogue.release("weekly"), catalogue).plan.draws
    assert [c.rho for c in theirs] == [c.rho * draw.times for c in own]


def test_a_linked_dataset_holds_what_another_one_names_it_for(tmp_path: Path) -> None:
    catalogue = read(tmp_path, linked("one", None, privacy_unit={"column": "patient"}), linked("two", "one"))
    assert not catalogue.broken


def test_whoever_names_a_broken_holder_is_broken_behind_it(tmp_path: Path) -> None:
    catalogue = read(tmp_path, {**holder(), "columns": {}}, linked("one"))
    assert catalogue.behind == {"datasets/one.yaml": "datasets/records.yaml"}


RELEASE = declared_release(
    "weekly",
    dataset="one",
    dimensions=[{"name": "date", "column": "day", "levels": ["day"]}],
    tables=[{"id": "all", "levels": {}}],
    statistics=[{"id": "n"}],
    schedule="30 9 * * 4",
)


def test_a_year_of_the_holders_budget_counts_what_linked_releases_cost_it(tmp_path: Path) -> None:
    small = holder(budget={"rho": "0.6"})
    catalogue = read(tmp_path, small, linked("one", budget={"rho": "1"}), release=RELEASE)
    assert not catalogue.broken
    review = review_release(catalogue.release("weekly"), catalogue)
    assert review.plan.rho == Fraction(1, 2)
    assert [(draw.dataset, draw.times) for draw in review.plan.draws] == [("records", 2)]
    assert review.drawn_from(catalogue.datasets["records"]) == 2, (
        "two years that a year from 4 January touches, twice each"
    )
    with pytest.raises(BudgetError, match=r"They cost: weekly 2 \(linked\)"):
        year_of_budget(catalogue.datasets["records"], [review])
    larger = read(
        tmp_path / "larger", holder(budget={"rho": "5.5"}), linked("one", budget={"rho": "1"}), release=RELEASE
    )
    lasting = year_of_budget(larger.datasets["records"], [review_release(larger.release("weekly"), larger)])
    assert lasting.years == 4, (
        "2 for the first year, and 1 for each later one, which goes on in a year that is paid for"
    )
    assert year_of_budget(larger.datasets["one"], [review]).years is None, "a budget per year begins anew"


def test_an_edit_of_a_linked_release_is_told_of_the_holder_too(tmp_path: Path) -> None:
    rich, dearer = {"budget": {"rho": "20"}}, {**RELEASE, "series": True, "privacy_loss": {"epsilon": 2}}
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    before = read(tmp_path / "before", holder(**rich), linked("one", **rich), release={**RELEASE, "series": True})
    after = read(tmp_path / "after", holder(**rich), linked("one", **rich), release=dearer)
    found = changes(before, after, today=date(2024, 3, 1))
    assert [(one.release, one.effect) for one in found.releases] == [("weekly", "anew")]
    told = {one.dataset: one for one in found.datasets}
    assert told["one"].in_its_year == Fraction(1, 2) + 2, "of a person's year, the old series and the new one"
    costs = [review_release(c.release("weekly"), c).drawn_from(c.datasets["records"]) for c in (before, after)]
    assert told["records"].in_its_year == sum(costs) > told["one"].in_its_year
