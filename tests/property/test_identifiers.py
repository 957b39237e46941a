"""One person is one identifier, however tools and people have written it; what has lost its digits is nobody's."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats.catalogue.models import Column, Identifier
from dp_stats.errors import SourceError
from dp_stats.secure.identifiers import loose_key, person_sql

NHS = Identifier(kind="nhs_number")
CODED = Identifier(remove=" /", case="upper", pattern="[A-Z]{2}[0-9]{4}")


@pytest.fixture(scope="module")
def read():
    connection = duckdb.connect(config={"threads": 1})

    def of(values, identifier=None, *, key=False):
        sql = person_sql("v", "VARCHAR", identifier, where="a column")
        rows = connection.execute(
            f"SELECT {loose_key('p') if key else 'p'} FROM (SELECT {sql} AS p, i FROM "
            "(SELECT unnest(?) AS v, unnest(?) AS i)) ORDER BY i",
            [values, list(range(len(values)))],
        )
        return [row[0] for row in rows.fetchall()]

    return of


def valid(digits: str) -> bool:
    """The NHS Data Dictionary's rule, as it is written there."""
    remainder = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), digits, strict=False)) % 11
    check = 11 - remainder
    return (0 if check == 11 else check) == int(digits[9]) and check != 10


def spoilt(digits: str) -> list[str]:
    """How else one number comes."""
    parts = (digits[:3], digits[3:6], digits[6:])
    return [digits, " ".join(parts), "-".join(parts), f"{digits}.0", f"\u00a0{digits} ", f" {digits}.00"]


numbers = st.text("0123456789", min_size=10, max_size=10)
valid_numbers = numbers.map(lambda digits: [digits[:9] + last for last in "0123456789" if valid(digits[:9] + last)])


def many(one):
    """Many at once, as reading one takes a query, and reading many no more."""
    return st.lists(one, min_size=25, max_size=25)


@settings(max_examples=12, deadline=None)
@given(several=many(numbers))
def test_a_check_digit_is_judged_as_the_rule_says(read, several):
    written = [digits[:9] + str(last) for digits in several for last in range(10)]
    assert [one is not None for one in read(written, NHS)] == [valid(one) for one in written]


@settings(max_examples=12, deadline=None)
@given(several=many(valid_numbers))
def test_every_spelling_of_a_valid_number_is_the_same_person(read, several):
    spelt = [(digits, written) for found in several for digits in found for written in spoilt(digits)]
    assert read([written for _, written in spelt], NHS) == [digits for digits, _ in spelt]


@settings(max_examples=100, deadline=None)
@given(digits=numbers.filter(lambda digits: digits.strip("0") != ""))
def test_without_a_declaration_every_spelling_still_opts_out_the_same_person(read, digits):
    assert len(set(read([*spoilt(digits), digits.lstrip("0")], key=True))) == 1


@pytest.mark.parametrize("identifier", [None, NHS])
@pytest.mark.parametrize("lost", ["9.43E+09", "9.434766e9", "9434E+6", "", "  "])
def test_what_has_lost_its_digits_is_nobody(read, identifier, lost):
    assert read([lost], identifier) == [None]


def test_where_nothing_is_written_there_is_nobody_though_the_pattern_admits_it(read):
    assert read(["", " ", None, "-", "1-2"], Identifier(remove="-", pattern="[0-9]*")) == [None] * 4 + ["12"]


def test_letters_and_separators_are_read_as_declared(read):
    assert read(["ab1234", "AB 12/34", "A1234", "AB12345"], CODED) == ["AB1234", "AB1234", None, None]


@pytest.mark.parametrize("identifier", [None, NHS])
@pytest.mark.parametrize(
    "kind",
    ["FLOAT", "DOUBLE", "DECIMAL(10,2)", "DECIMAL(18,1)", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"],
)
def test_fractions_and_times_are_no_identifiers(kind, identifier):
    with pytest.raises(SourceError, match=rf"^'id' of the list has type {re.escape(kind)}, but holds identifiers"):
        person_sql("v", kind, identifier, where="'id' of the list")


@pytest.mark.parametrize("kind", ["VARCHAR", "BIGINT", "HUGEINT", "DECIMAL(10,0)", "UUID"])
def test_texts_and_whole_numbers_are_identifiers(kind):
    assert person_sql("v", kind, None, where="a column") == person_sql("v", "VARCHAR", None, where="another")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({}, "write 'kind', or a 'pattern'"),
        ({"kind": "nhs_number", "pattern": "x"}, "either 'kind' or"),
        ({"pattern": "["}, "no regular expression"),
        ({"pattern": "(?=x).*"}, "look around"),
        ({"pattern": r"(a)\1"}, "refer back"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused(declared, said):
    with pytest.raises(ValidationError, match=said):
        Identifier(**declared)


def test_only_a_person_has_an_identifier():
    with pytest.raises(ValidationError, match="only a person column"):
        Column.model_validate({"from": "day", "type": "date", "identifier": {"kind": "nhs_number"}})
