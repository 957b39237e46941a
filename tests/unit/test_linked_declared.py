"""What may be declared of several tables and steps, and in which words the rest is refused."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats.catalogue.linked.expressions import LONGEST, parse
from dp_stats.catalogue.linked.flow import reads_the_period
from dp_stats.catalogue.linked.functions import NotAllowedError
from dp_stats.plan import declaration
from dp_stats.plan.sealed import reading_hash
from tests.linked_examples import EVERYTHING, PERSON, TABLES, counted, dataset


def test_each_custodian_of_linked_tables_answers_as_a_user_of_its_own() -> None:
    both = [{"name": "The hospitals", "user": "ann"}, {"name": "The practices", "user": " Ann"}]
    with pytest.raises(ValidationError, match="two of them answer as the same user"):
        dataset([], rows="stays", custodians=both)


COLUMNS = {"start": "date", "end": "date", "ward": "text", "cost": "number", "stays": "whole", "old": "truth"}

GIVES = {
    "start": "date",
    "'it''s'": "text",
    "DATE '2024-02-29'": "date",
    "cost + stays": "number",
    "stays - 1": "whole",
    "-stays * 7": "whole",
    "ward in ('a', 'b') and not old": "truth",
    "cost between 1 and 2.5": "truth",
    "start is not null": "truth",
    "case when cost > 3 then 'much' end": "text",
    "case ward when 'a' then 1 else 2.5 end": "number",
    "coalesce(end, period_end)": "date",
    "least(start, end, plus_days(start, stays))": "date",
    "years_between(start, end) >= 18 or starts_with(ward, 'F32')": "truth",
    "left(ward, 3) = 'F32'": "truth",
    "weekday(start) + month(start) + year(start) + floor(cost)": "whole",
    "null": "nothing",
}

REFUSED = {
    "count(*) > 1": "'count' adds up rows",
    "sum(cost) over (partition by ward) > 1": "a window looks at other rows",
    "row_number() over () = 1": "a window looks at other rows",
    "lag(cost)": "a window looks at other rows",
    "ward in (select ward from stays)": "a query looks at other rows",
    "exists(select 1)": "a query looks at other rows",
    "(select max(cost) from stays) = cost": "a query looks at other rows",
    "start < current_date": "'current_date' asks a clock",
    "start < now()": "'now' asks a clock",
    "random() < 0.5": "'random' is chance",
    "uuid() = ward": "'uuid' is chance",
    "cost / 2 > 1": "'/' would make a fraction",
    "cost * cost > 1": "'*' multiplies a whole number by a constant",
    "stays * 10000000 > 1": "'*' multiplies a whole number by a constant",
    "ward like 'F%'": "patterns differ between engines",
    "ward < 'b'": "a text has no order here",
    "least(ward, 'b') = 'a'": "least takes two or more dates or numbers",
    "ward = 1": "a text and a whole number do not go together",
    "start + 1": "add days to a date with plus_days",
    "ward = null": "nothing equals NULL",
    "ward in (ward)": "IN needs a list of constants",
    "cast(cost as int)": "'cast' is not on the list",
    "cost::int": "nothing is cast but a day",
    "ward::date": "nothing is cast but a day",
    "DATE '1066-10-14'": "nothing is cast but a day",
    "stays.cost": "write the column's name alone",
    "patient = '1'": "there is no column 'patient'",
    "not cost": "NOT needs true or false",
    "cost and old": "AND needs true or false",
    "coalesce(cost)": "coalesce takes two or more values of one kind",
    "left(ward, stays)": "must be a constant",
    "years_between(start, cost)": "years_between takes two dates",
    "1e6 < cost": "a number is at most",
    "0.1234567 < cost": "a number is at most",
    "nosuch(cost)": "'nosuch' is not on the list",
    "cost, stays": "it is not one SQL expression",
    "cost; drop table stays": "it is not one SQL expression",
    "cost >": "it is not one SQL expression",
    "ward || 'x'": "is not on the list",
    "interval 3 days": "is not on the list",
    "@x": "is not on the list",
    "case when null then null end": "there is nothing but NULL",
    "old is true": "IS needs NULL",
}


@pytest.mark.parametrize("text", GIVES)
def test_an_expression_on_the_list_has_a_kind(text: str) -> None:
    assert parse(text, COLUMNS).kind == GIVES[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_on_the_list_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(NotAllowedError, match=re.escape(REFUSED[text])):
        parse(text, COLUMNS)


@given(st.text(max_size=80) | st.sampled_from(["(" * 400 + "1" + ")" * 400, "not " * 450 + "old", "'" + "x" * LONGEST]))
def test_whatever_is_written_is_read_or_refused_in_words(text: str) -> None:
    with suppress(NotAllowedError):
        parse(text, COLUMNS)


STEPS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no such table": (
        [{"step": "keep", "of": "wards", "where": "true"}],
        "steps, number 1 (keep): of: there is no table 'wards'",
    ),
    "no condition": ([{"step": "keep", "of": "stays", "where": "cost"}], "where: a condition is true or false"),
    "the person": (
        [{"step": "derive", "of": "stays", "columns": {"patient": "ward"}}],
        "columns: 'patient' says whose the row is",
    ),
    "a join without a reason": (
        [{"step": "join", "of": "stays", "with": "homes", "columns": {"ward": "area"}}],
        "columns: there is a column 'ward' already",
    ),
    "a float key of a record": (
        [{"step": "first", "of": "stays", "per": ["cost"], "by": ["start"]}],
        "per: 'cost' is a number, and must be a text or a date or a whole number (whether two decimals",
    ),
    "a float key of a join": (
        [{"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "on": {"cost": "rooms"}}],
        "on: 'cost' is a number",
    ),
    "keys of two kinds": (
        [{"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "on": {"start": "area"}}],
        "on: 'start' is a date and 'area' is a text",
    ),
    "an order of texts": ([{"step": "last", "of": "stays", "by": ["ward"]}], "by: 'ward' is a text"),
    "per person twice": ([{"step": "count", "of": "stays", "per": ["patient"], "as": "n", "most": 3}], "is the person"),
    "a day of the edition": (
        [{"step": "derive", "of": "stays", "columns": {"period_end": "end"}}],
        "'period_end' is a day of the edition",
    ),
    "an interval of a text": (
        [{"step": "spread", "of": "stays", "from": "ward", "until": "end", "day": "day", "most": 3}],
        "from: 'ward' is a text, and must be a date",
    ),
    "many with many without a bound": (
        [{"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "most": {"of": 1000, "with": 1}}],
        "each row of one side would be repeated for each of the other; write at most 100",
    ),
    "an interval without an end": (
        [{"step": "spread", "of": "stays", "from": "start", "until": "end", "day": "day", "most": 9999}],
        "most",
    ),
    "the second step": (
        [
            {"step": "count", "of": "stays", "to": "n", "as": "n", "most": 3},
            {"step": "keep", "of": "n", "where": "start is null"},
        ],
        "steps, number 2 (keep): where: there is no column 'start'",
    ),
    "an unknown step": ([{"step": "sort", "of": "stays"}], "steps.0"),
}


@pytest.mark.parametrize("case", STEPS)
def test_a_step_that_is_not_person_local_or_fits_nothing_is_refused_by_its_number(case: str) -> None:
    steps, words = STEPS[case]
    with pytest.raises(ValidationError) as refused:
        dataset(steps)
    assert words in str(refused.value)


DATASETS: dict[str, tuple[dict[str, Any], str]] = {
    "two origins": ({"source": {"kind": "csv", "path": "x.csv"}}, "write either 'source' (one table) or 'tables'"),
    "a list for all": (
        {"opt_outs": {"source": {"kind": "csv", "path": "x.csv"}, "column": "Person"}},
        "each table has its own list",
    ),
    "no such rows": ({"rows": "wards"}, "rows: there is no table 'wards' after the steps"),
    "which rows": ({"steps": []}, "rows: say which of the tables"),
    "no such column": (
        {"columns": {"patient": {**PERSON, "from": "patient"}, "day": {"from": "born", "type": "date"}}},
        "columns.day.from: table 'stays' has no column 'born'",
    ),
    "another kind": (
        {"columns": {"patient": {**PERSON, "from": "patient"}, "day": {"from": "ward", "type": "date"}}},
        "columns.day: 'ward' is a text after the steps, from which no date is read",
    ),
    "a custodian nobody knows": ({"custodians": [{"name": "Somebody"}]}, "custodian: 'The hospitals' is not among"),
    "another spelling": (
        {"tables": {**TABLES, "homes": {**TABLES["homes"], "columns": {**TABLES["homes"]["columns"], "who": {
            **PERSON, "identifier": {"pattern": "[0-9]{4}"}}}}}},
        "tables.homes: its persons are written otherwise than those of 'stays'",
    ),
    "no spelling": (
        {"tables": {"stays": {**TABLES["stays"], "columns": {**TABLES["stays"]["columns"], "patient": {
            "from": "Person", "type": "person"}}}}},
        "identifier: declare how a person is written",
    ),
    "a manifest for all": ({"intake": {"manifest": "rows.json"}}, "intake.manifest: each table has its own"),
    "a record": ({"record_id": "day"}, "record_id"),
}  # fmt: skip


@pytest.mark.parametrize("case", DATASETS)
def test_a_dataset_whose_parts_do_not_fit_is_refused(case: str) -> None:
    given, words = DATASETS[case]
    fields = {"steps": [{"step": "keep", "of": "stays", "where": "start is not null"}], **given}
    steps = fields.pop("steps")
    with pytest.raises(ValidationError) as refused:
        dataset(steps, **fields)
    assert words in str(refused.value)


def test_rows_for_which_another_table_has_no_record_may_be_told_where_identifiers_are_shared() -> None:
    steps = [
        {"step": "join", "of": "stays", "with": "homes", "columns": ["area"]},
        {"step": "derive", "of": "stays", "columns": {"alone": "case when area is null then 1 else 0 end"}},
    ]
    columns = {"patient": {**PERSON, "from": "patient"}, "day": {"from": "start", "type": "date"}}
    told = {**columns, "alone": {"from": "alone", "type": "number"}}
    assert dataset(steps, columns=told, unlinked="alone").unlinked == "alone"
    with pytest.raises(ValidationError, match="must be a column of type number"):
        dataset(steps, columns=columns, unlinked="alone")


def test_the_hash_of_how_rows_are_read_covers_every_table_and_step_and_no_text() -> None:
    whole = counted(EVERYTHING)
    hashes = {reading_hash(whole, {})}
    for number in range(len(EVERYTHING)):
        changed = [dict(step) for step in EVERYTHING]
        of = changed[number]["of"]
        changed.insert(number, {"step": "keep", "of": of, "where": "true"})
        hashes.add(reading_hash(counted(changed), {}))
    elsewhere = {**TABLES, "homes": {**TABLES["homes"], "source": {"kind": "csv", "path": "elsewhere.csv"}}}
    hashes.add(reading_hash(dataset(EVERYTHING, tables=elsewhere), {}))
    hashes.add(reading_hash(dataset(EVERYTHING), {}))
    assert len(hashes) == len(EVERYTHING) + 3
    texts = {**TABLES, "homes": {**TABLES["homes"], "custodian": "The register", "expectations": "other.json"}}
    custodians = [{"name": "The hospitals"}, {"name": "The register"}]
    assert reading_hash(dataset(EVERYTHING, tables=texts, custodians=custodians), {}) in hashes


def test_a_sealed_dataset_is_told_with_its_tables_by_whoever_has_them() -> None:
    whole = counted(EVERYTHING)
    sealed = declaration.reading(whole)
    assert "custodian" not in sealed["tables"]["homes"]
    assert declaration.dataset_told(sealed, [whole]) == whole
    fewer = dataset([], tables={"stays": TABLES["stays"]}, title="Renamed")
    assert declaration.dataset_told(sealed, [fewer, whole]) == whole


RECORD = {**TABLES["stays"]["columns"], "number": {"from": "Number", "type": "text"}}
NUMBERED = {**TABLES, "stays": {**TABLES["stays"], "columns": RECORD}}
READ = {
    "patient": {**PERSON, "from": "patient"},
    "day": {"from": "start", "type": "date"},
    "number": {"from": "number", "type": "record"},
}


@pytest.mark.parametrize(
    ("step", "makes"),
    [
        ({"step": "keep", "of": "stays", "where": "cost > 1"}, ""),
        ({"step": "last", "of": "stays", "per": ["number"], "by": ["start"]}, ""),
        ({"step": "join", "of": "stays", "with": "homes", "columns": ["area"]}, ""),
        (
            {"step": "join", "of": "stays", "with": "homes", "columns": ["area"], "most": {"of": 2, "with": 2}},
            "number 1 (join) gives is not one row",
        ),
        (
            {"step": "spread", "of": "stays", "from": "start", "until": "end", "day": "d", "most": 3},
            "number 1 (spread)",
        ),
        (
            {"step": "sessions", "of": "stays", "from": "start", "until": "end", "gap": 1, "first": ["number"]},
            "number 1 (sessions)",
        ),
    ],
)
def test_a_record_is_named_for_good_where_each_row_that_counts_is_one(step: dict[str, Any], makes: str) -> None:
    def declare() -> Any:
        return dataset([step], tables=NUMBERED, columns=READ, record_id="number")

    if not makes:
        assert declare().record_id == "number"
        return
    with pytest.raises(ValidationError, match=re.escape(makes)):
        declare()


@pytest.mark.parametrize(
    ("texts", "reads"), [(["coalesce(end, period_end)"], True), (["start", "cost + 1"], False), (["end"], False)]
)
def test_steps_that_ask_for_the_editions_days_are_known(texts: list[str], reads: bool) -> None:
    columns = {f"d{number}": text for number, text in enumerate(texts)}
    declared = dataset([{"step": "derive", "of": "stays", "columns": columns}])
    assert reads_the_period(declared.steps) is reads
