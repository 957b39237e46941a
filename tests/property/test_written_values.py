"""Whatever is written in a declared way is read back as it was meant, over the whole space of ways to write it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.models import Dataset
from dp_stats.errors import CatalogueError
from dp_stats.secure.canonical import Read, canonical_sql
from dp_stats.secure.database import literal, open_database
from dp_stats.secure.source_table import SourceTable
from tests.builders import code_list, declared_dataset

ZONES = ("UTC", "Europe/London", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Pacific/Auckland")
CODES = code_list("codes", ["01001", "01003", "56045", "1", "123456"])


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Read texts as values of one column with this declaration: the values, and how each was read."""
    folder: Path = tmp_path_factory.mktemp("values")
    opened = open_database(folder)
    database = opened.__enter__()

    def reading(column: dict[str, Any], texts: list[str]) -> list[tuple[Any, Read]]:
        kind = column["type"]
        others: dict[str, Any] = {"person": "person"} if kind == "date" else {"person": "person", "day": "date"}
        declared = declared_dataset("values", {"value": {"from": "value", **column}, **others})
        dataset = Dataset.model_validate(declared)
        rows = ", ".join(f"({i}, {literal(text)}, 'p', '2024-01-01')" for i, text in enumerate(texts))
        wanted = ", ".join(["value AS c0", "person AS c1", "day AS c2"][: len(dataset.columns)])
        source = f"SELECT {wanted}, place FROM (VALUES {rows}) AS t(place, value, person, day)"
        with database.cursor() as connection:  # temporary tables of its own
            connection.execute("SET TimeZone = 'UTC'")
            table = SourceTable(source, ("VARCHAR",) * len(dataset.columns), "values")
            sql = canonical_sql(connection, dataset.columns, table, {"codes": CODES})
            sql = sql.replace("SELECT ", "SELECT place, ", 1)
            found = connection.execute(f"SELECT value, _read_0 FROM ({sql}) ORDER BY place").fetchall()
        return [(value, Read(how)) for value, how in found]

    yield reading
    opened.__exit__(None, None, None)


@st.composite
def offsets(draw: st.DrawFn) -> tuple[timedelta, str]:
    """An offset from UTC and a way to write it."""
    minutes = draw(st.sampled_from([0, 60, -60, 330, 345, -210, 720, 780, -600, 840]))
    if minutes == 0 and draw(st.booleans()):
        return timedelta(0), draw(st.sampled_from(["Z", "z", " UTC", "+00:00", "-00:00", " +0000"]))
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    forms = [f"{hours:02d}:{rest:02d}", f"{hours:02d}{rest:02d}"] + ([f"{hours:02d}"] if rest == 0 else [])
    return timedelta(minutes=minutes), draw(st.sampled_from(["", " "])) + sign + draw(st.sampled_from(forms))


DAYS = st.dates(date(1980, 1, 1), date(2036, 12, 31))
TIMES = st.tuples(
    st.sampled_from([0, 0, 1, 11, 12, 22, 23, 23]), st.sampled_from([0, 29, 30, 59]), st.sampled_from([0, 1, 59])
)


def written_day(day: date) -> list[str]:
    """Every way in which ISO 8601 writes a day."""
    year, week, weekday = day.isocalendar()
    return [
        day.isoformat(), f"{day:%Y%m%d}", f"{day:%Y-%j}", f"{day:%Y%j}",
        f"{year}-W{week:02d}-{weekday}", f"{year}W{week:02d}{weekday}",
    ]  # fmt: skip


@st.composite
def iso_texts(draw: st.DrawFn) -> tuple[datetime, timedelta | None, bool, str]:
    """What the clock shows, its offset if any, whether a time is written, and the text."""
    day, (hour, minute, second) = draw(DAYS), draw(TIMES)
    text = draw(st.sampled_from(written_day(day)))
    if draw(st.integers(0, 3)) == 0:
        return datetime.combine(day, time()), None, False, text
    colon = draw(st.sampled_from([":", ""]))
    parts = draw(st.integers(1, 3))
    clock = datetime.combine(day, time(hour, minute * (parts > 1), second * (parts > 2)))
    written = colon.join([f"{hour:02d}", f"{minute:02d}", f"{second:02d}"][:parts])
    if draw(st.integers(0, 9)) == 0:
        clock, written = (
            datetime.combine(day, time()) + timedelta(days=1),
            colon.join(["24", "00", "00"][:parts]),
        )
    elif parts == 3:
        written += draw(st.sampled_from(["", ".0", ".999", ",5", ".123456789"]))
    text += draw(st.sampled_from(["T", "t", " "])) + written
    if draw(st.booleans()):
        return clock, None, True, text
    offset, suffix = draw(offsets())
    return clock, offset, True, text + suffix


def local_day(clock: datetime, offset: timedelta | None, zone: str | None, source: str | None) -> date | None:
    """The day a time belongs to, by Python's own time zones; None for a moment without a zone."""
    if offset is not None:
        return clock.replace(tzinfo=timezone(offset)).astimezone(ZoneInfo(zone)).date() if zone else None
    if zone is None or source is None or zone == source:
        return clock.date()
    both = {clock.replace(tzinfo=ZoneInfo(source), fold=fold).astimezone(ZoneInfo(zone)).date() for fold in (0, 1)}
    assume(len(both) == 1)  # an hour that the clock shows twice, or never
    return both.pop()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(iso_texts(), min_size=1, max_size=25),
    st.sampled_from([None, *ZONES]),
    st.sampled_from([None, *ZONES]),
)
def test_all_of_iso_8601_is_read_as_the_local_day(read, texts, zone, source) -> None:
    source = source if zone else None
    declared = {
        "type": "date",
        **({"timezone": zone} if zone else {}),
        **({"source_timezone": source} if source else {}),
    }
    expected = [local_day(clock, offset, zone, source) if timed else clock.date() for clock, offset, timed, _ in texts]
    found = read(declared, [text for *_, text in texts])
    assert [value for value, _ in found] == expected
    assert [how for _, how in found] == [Read.AS_DECLARED if day else Read.MOMENT for day in expected]


PATTERNS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y %H:%M", "%d %b %Y", "%d/%m/%Y %H:%M:%S%z", "%d %B %Y %I:%M %p"
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(PATTERNS),
    st.lists(st.tuples(DAYS, TIMES), min_size=1, max_size=15),
    st.sampled_from(ZONES),
    st.sampled_from([timedelta(0), timedelta(hours=10), -timedelta(hours=9, minutes=30)]),
)
def test_a_date_in_a_declared_pattern_is_read(read, pattern, moments, zone, offset) -> None:
    clocks = [datetime.combine(day, time(*clock), timezone(offset)) for day, clock in moments]
    zoned = "%z" in pattern
    expected = [clock.astimezone(ZoneInfo(zone)).date() if zoned else clock.date() for clock in clocks]
    texts = [clock.strftime(pattern) for clock in clocks]
    if zoned and not offset:
        texts = [text.removesuffix("+0000") + "Z" for text in texts]
    declared = {"type": "date", "formats": [pattern], "timezone": zone}
    assert read(declared, texts) == [(day, Read.AS_DECLARED) for day in expected]


@settings(max_examples=25, deadline=None)
@given(st.booleans(), st.lists(st.tuples(DAYS, st.fractions(0, 1), st.booleans()), min_size=1, max_size=15))
def test_day_numbers_of_spreadsheets_are_read_where_they_are_declared(read, since_1904, days) -> None:
    first = date(1904, 1, 1) if since_1904 else date(1899, 12, 30)
    texts = []
    for day, fraction, timed in days:
        clock = f"{min(float(fraction), 0.99999):.5f}"[1:] if timed else ""
        texts.append(f"{(day - first).days}{clock}")
    form = "excel-1904" if since_1904 else "excel"
    assert read({"type": "date", "formats": [form]}, texts) == [(day, Read.AS_DECLARED) for day, *_ in days]
    assert [value for value, _ in read({"type": "date"}, texts)] == [None] * len(days), "never guessed"


NUMBERS = st.decimals(-(10**11), 10**11, allow_nan=False, allow_infinity=False, places=4)


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    """How numbers are written."""
    decimal = draw(st.sampled_from([".", ","]))
    thousands = draw(st.sampled_from([None, " ", "'", "_", "," if decimal == "." else "."]))
    return {"decimal": decimal, "thousands": thousands, "currency": draw(st.sampled_from(["", "£", "$", "kr", "EUR"]))}


def written_number(number: Decimal, dialect: dict[str, Any], draw: st.DataObject) -> str:
    """A number as the dialect writes it, in one of its ways."""
    whole, _, places = f"{abs(number):f}".partition(".")
    if dialect["thousands"] and draw.draw(st.booleans(), "grouped"):
        signs = {" ": " \u00a0\u202f\u2009", "'": "'\u2019"}.get(dialect["thousands"], dialect["thousands"])
        whole = f"{int(whole):,}".replace(",", draw.draw(st.sampled_from(signs), "separator"))
    text = f"{whole}{dialect['decimal']}{places}"
    sign = "-" if number < 0 else draw.draw(st.sampled_from(["", "+"]), "sign")
    where = (
        draw.draw(st.sampled_from(["none", "before", "within", "behind"]), "currency") if dialect["currency"] else ""
    )
    space = draw.draw(st.sampled_from(["", " ", "\u00a0"]), "space")
    mark = dialect["currency"]
    forms = {
        "before": f"{sign}{mark}{space}{text}",
        "within": f"{mark}{space}{sign}{text}",
        "behind": f"{sign}{text}{space}{mark}",
    }
    return forms.get(where, sign + text)


@settings(max_examples=25, deadline=None)
@given(dialects(), st.lists(NUMBERS, min_size=1, max_size=15), st.data())
def test_a_number_in_a_declared_dialect_is_read_exactly(read, dialect, numbers, data) -> None:
    texts = [written_number(number, dialect, data) for number in numbers]
    assert read({"type": "number", **dialect}, texts) == [(number, Read.AS_DECLARED) for number in numbers]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(CODES.codes), st.integers(0, 5), st.sampled_from(["", ".0", ".00", "."])), min_size=1
    )
)
def test_codes_that_a_tool_took_for_fractions_are_read_where_digits_are_declared(read, written) -> None:
    texts = [f"{code.lstrip('0') if zeros else code}{fraction}" for code, zeros, fraction in written]
    found = read({"type": "code", "codes": "codes", "digits": 5}, texts)
    assert found == [(code, Read.AS_DECLARED) for code, *_ in written]
    told = read({"type": "code", "codes": "codes"}, [f"{code}.0" for code, *_ in written])
    assert told == [(None, Read.FRACTION)] * len(written), "without a declaration the report tells of them"


def test_codes_that_differ_in_lost_zeros_alone_cannot_be_read_by_their_digits(read, monkeypatch) -> None:
    monkeypatch.setattr("tests.property.test_written_values.CODES", code_list("codes", ["1", "01"]))
    with pytest.raises(CatalogueError, match=r"columns\.value\.digits: .* '1' and '01'"):
        read({"type": "code", "codes": "codes", "digits": 5}, ["1"])


def test_what_is_no_date_or_number_is_unreadable_and_never_guessed(read) -> None:
    dates = ["2024-02-30", "2023-366", "2021-W53-1", "2024-W00-1", "2024-W01-8", "2024-01", "2024", "24-01-03", "2024-13-01",
             "2024-01-03T25:00", "2024-01-03T24:30", "2024-01-03T12:60", "2024-01-03Z", "2024-01-03T", "2024-01-03T12:00X",
             "2024-01-03T12:00+25:00", "1899-12-31", "2200-01-01", "45294"]  # fmt: skip
    assert read({"type": "date", "timezone": "UTC"}, dates) == [(None, Read.UNREADABLE)] * len(dates)
    assert read({"type": "date", "formats": ["excel"]}, ["60", "0", "59", "61"]) == [
        (None, Read.UNREADABLE), (None, Read.UNREADABLE),
        (date(1900, 2, 28), Read.AS_DECLARED), (date(1900, 3, 1), Read.AS_DECLARED),
    ]  # fmt: skip
    pounds = {"type": "number", "thousands": ",", "currency": "£"}
    numbers = [
        "1,23",
        "12,34,567",
        "1234,567",
        "£",
        "£-",
        "-£-5",
        "££5",
        "£5£",
        "1,234.5,6",
        "$5",
        "5 6",
        "1.234,5",
        ",123",
    ]
    assert read(pounds, numbers) == [(None, Read.UNREADABLE)] * len(numbers)
    assert read(pounds, ["", "  "]) == [(None, Read.EMPTY)] * 2


def test_the_local_day_of_a_moment_is_the_day_there(read) -> None:
    moment = datetime(2024, 6, 30, 23, 30, tzinfo=UTC)
    texts = [moment.isoformat(), "2024-06-30T23:30:00Z", "2024-07-01T09:30+10:00", "2024-06-30 23:30"]
    london = {"type": "date", "timezone": "Europe/London"}
    assert [value for value, _ in read(london, texts)] == [date(2024, 7, 1)] * 3 + [date(2024, 6, 30)]
    assert read(london | {"source_timezone": "UTC"}, texts[-1:]) == [(date(2024, 7, 1), Read.AS_DECLARED)]
    assert read({"type": "date"}, texts[:3]) == [(None, Read.MOMENT)] * 3, "never silently the day in UTC"
