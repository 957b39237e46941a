"""What is said in words: warnings of a plan from their facts, and numbers of few digits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from english import TEXTS

from dp_stats import written
from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import CatalogueError
from dp_stats.plan.warnings import AboveCeiling, AboveMean, UnknownSize, UnmeasuredTruncation
from dp_stats.settings import shipped
from dp_stats.site.combine_page import days_written
from dp_stats.texts import numbers, warnings
from dp_stats.texts.words import Texts


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.1234, "0.123"),
        (12.5, "12.5"),
        (40.0, "40"),
        (999.6, "1,000"),
        (1234.0, "1,230"),
        (-0.5, "\N{MINUS SIGN}0.5"),
        (1e-6, "0.000001"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_a_number_shows_three_significant_digits_and_no_exponent(value: float, said: str) -> None:
    assert numbers.significant(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1234.4, "1,234"),
        (100.0, "100"),
        (99.97, "100"),
        (99.9, "99.9"),
        (0.01234, "0.0123"),
        (1e-6, "0.000001"),
        (-1.5, "\N{MINUS SIGN}1.5"),
        (-0.0, "0"),
        (float("nan"), "–"),
    ],
)
def test_a_measure_for_staff_has_the_digits_that_a_person_needs(value: float, said: str) -> None:
    assert written.number(value) == said


def test_privacy_losses_shares_and_days_are_written_for_staff_in_one_way() -> None:
    assert written.rho(Fraction(1, 3)) == "0.333333"
    assert written.epsilon(Fraction(1, 3)) == "0.3333"
    assert written.delta(Fraction("2.5e-7")) == "2.5e-07"
    assert written.share(Fraction(1, 8)) == "12.5 %"
    assert written.share(0.4, decimals=0) == "40 %"
    assert written.declared_share(0.07) == "7 %"
    assert written.declared(Fraction("0.0001")) == "0.0001"
    assert written.count(12345) == "12,345"
    assert written.moment(datetime(2026, 3, 4, 9, 30, tzinfo=UTC)) == "4 March 2026, 09:30"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("2021-06-05", "5 June 2021"),
        ("2021-W07", "15 to 21 February 2021"),
        ("2021-W13", "29 March to 4 April 2021"),
        ("2020-W53", "28 December 2020 to 3 January 2021"),
        ("2021-02", "February 2021"),
        ("2021", "2021"),
        ("2020-08-31--2021-08-29", "31 August 2020 to 29 August 2021"),
    ],
)
def test_a_period_says_once_what_both_its_ends_share(label: str, said: str) -> None:
    assert TEXTS.period(label) == said == parse_period(label).text


def test_short_months_are_the_houses_own_and_long_ones_those_of_the_locale() -> None:
    day = date(2021, 6, 5)
    assert (TEXTS.day(day, short=True), TEXTS.month(day), TEXTS.day(day, year=False)) == (
        "5 June 2021",
        "June 2021",
        "5 June",
    )
    assert TEXTS.day(date(2021, 9, 1), short=True, year=False) == "1 Sept"


def other(locale: str, **words: object) -> Texts:
    """English words under another locale's rules for numbers, dates and plurals."""
    return Texts(locale, {**TEXTS.words, "months": (), "locale": locale, **words}, TEXTS.folder)


def test_numbers_and_dates_follow_the_locale() -> None:
    german, indian = other("de"), other("en_IN")
    assert german.number(-1234567.5, decimals=1) == "\N{MINUS SIGN}1.234.567,5"
    assert german.significant(0.1234) == "0,123"
    assert german.day(date(2021, 3, 5)) == "5. März 2021"
    assert german.month(date(2021, 3, 5)) == "März 2021"
    assert indian.number(1234567) == "12,34,567"
    assert other("es").day(date(2021, 3, 5), year=False) == "5 de marzo"


@pytest.mark.parametrize("language", ["en", "cy"])
def test_what_pages_write_days_with_themselves_writes_them_as_pages_do(language: str) -> None:
    texts = Texts.load(shipped("reports"), language)
    forms = days_written(texts)
    for day in (date(2021, month, of) for month in range(1, 13) for of in (2, 22)):
        said = [forms[kind][day.month - 1].format(day=day.day, year=day.year) for kind in ("long", "short", "no_year")]
        assert said == [texts.day(day), texts.day(day, short=True), texts.day(day, year=False)]
    first, end = date(2021, 3, 2), date(2021, 3, 9)
    assert forms["spans"]["month"].format(first=2, end=texts.day(end)) == texts.days(first, end)


def test_a_text_has_a_form_for_each_plural_category_of_the_language() -> None:
    forms = {"zero": "dim {count}", "one": "un", "two": "dau", "few": "tri", "many": "chwech", "other": "{count}"}
    welsh = other("cy", sheep=forms)
    assert [welsh.plural("sheep", n) for n in (0, 1, 2, 3, 6, 1000)] == ["dim 0", "un", "dau", "tri", "chwech", "1,000"]


def test_things_in_a_sentence_are_joined_as_the_language_joins_them() -> None:
    assert TEXTS.listed(["a", "b", "c"]) == "a, b and c"
    assert other("fr").listed(["a", "b"]) == "a et b"


def test_an_unknown_locale_is_refused_by_name() -> None:
    with pytest.raises(CatalogueError, match="locale 'xx_YY' is not known"):
        other("xx_YY").number(1)


def test_a_warning_is_said_with_its_figures_and_with_what_it_is_about() -> None:
    ceiling = AboveCeiling(table="by-area", statistic="cases", margin_95=12.345, ceiling=0.5)
    assert warnings.full(TEXTS, ceiling) == "by-area, cases: the expected margin ±12.3 is above the ceiling ±0.5."
    mean = AboveMean(table="by-area", statistic="cases", margin_95=4567, prior_mean=1000)
    assert warnings.sentence(TEXTS, mean) == "the expected margin ±4,570 exceeds the mean, 1,000."
    assert warnings.full(TEXTS, UnmeasuredTruncation(rows=3)).startswith("Rows beyond 3 per person")
    assert "expected_total" in warnings.full(TEXTS, UnknownSize())
