"""Published tables: the right columns, honest statuses, intervals that hold the value, and bytes that never vary."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from english import TEXTS

from dp_stats.editions import filling, workbook
from dp_stats.editions.edition import MARKS, RevisionFacts
from dp_stats.editions.formats import checksums, csv_bytes, parquet_bytes
from dp_stats.editions.tidy import columns_of, tidy
from dp_stats.errors import PublishedError
from dp_stats.estimate.model import EditionEstimates, Estimate


def table_of(sample: Any, name: str, **facts: Any) -> pa.Table:
    edition = sample.edition(**facts)
    return tidy(edition, sample.estimates, edition.table(name))


def estimate(value: list[float], error: list[float], like: Estimate) -> Estimate:
    values, errors = (np.array(x, dtype=float).reshape(like.value.shape) for x in (value, error))
    return Estimate(
        statistic=like.statistic,
        levels=like.levels,
        value=values,
        unrounded=values + 0.123456,
        lower=np.maximum(values - 2 * errors, 0),
        upper=values + 2 * errors,
        standard_error=errors,
    )


def with_cells(sample: Any, statistic: str, value: list[float], error: list[float]) -> Any:
    table = sample.estimates.tables["by-sex"]
    tables = {"by-sex": {**table, statistic: estimate(value, error, table[statistic])}}
    sample.estimates = EditionEstimates(sample.estimates.plan, tables)
    return sample


def test_rows_follow_the_grid_and_say_what_they_are_about(sample: Any) -> None:
    rows = table_of(sample, "area-week-age").to_pandas()
    assert list(rows["metric"]) == ["cases"] * 12 + ["rate"] * 12
    first = rows.iloc[0]
    assert first["geography_type"] == "ltla"
    assert first["geography_code"] == "A1"
    assert first["geography"] == "Bristol, City of"
    assert (first["age_code"], first["age"]) == ("0-39", "0 to 39")
    assert (first["date"], first["period"]) == (date(2021, 2, 15), "2021-W07")
    assert set(rows["age_code"]) == {"0-39", "40+", "unknown"}
    assert list(rows["edition"].unique()) == ["cases-by-area/2021-W07"]


def test_values_are_the_estimates_of_their_cells(sample: Any) -> None:
    rows = table_of(sample, "area-day").to_pandas()
    wide = rows.pivot(index="geography_code", columns="date", values="value").to_numpy()
    assert np.array_equal(wide, sample.estimates.tables["area-day"]["cases"].value[:, :, 0])
    assert rows["age_code"].unique().tolist() == ["all"]


@pytest.mark.parametrize("name", ["area-day", "area-week-age"])
def test_every_value_lies_in_its_interval_and_every_key_is_unique(sample: Any, name: str) -> None:
    edition = sample.edition()
    rows = table_of(sample, name).to_pandas()
    known = rows.dropna(subset=["value"])
    assert ((known["lower_95"] <= known["value"]) & (known["value"] <= known["upper_95"])).all()
    keys = [c.name for c in columns_of(edition, edition.table(name), TEXTS) if c.key]
    assert not rows.duplicated(keys).any()


def test_status_comes_from_value_and_known_error(costs: Any) -> None:
    rows = table_of(with_cells(costs, "cases", [100.0, 10.0], [5.0, 5.0]), "by-sex").to_pandas()
    assert rows["status"].tolist()[:2] == ["", "u"]
    rows = table_of(with_cells(costs, "cases", [0.0, 100.0], [5.0, 5.0]), "by-sex").to_pandas()
    assert rows["status"].tolist()[:2] == ["low", ""]


def test_a_missing_value_is_empty_and_says_why(sample: Any, costs: Any) -> None:
    rate = table_of(sample, "area-week-age").to_pandas().iloc[-1]
    assert rate["metric"] == "rate"
    assert rate["status"] == "z"
    assert rate[["value", "lower_95", "upper_95", "value_unbiased"]].isna().all()
    assert table_of(costs, "by-sex").to_pandas().iloc[-1]["status"] == "x"


def test_a_provisional_edition_marks_every_value(costs: Any) -> None:
    costs = with_cells(costs, "cases", [100.0, 10.0], [5.0, 5.0])
    rows = table_of(costs, "by-sex", revision=RevisionFacts(status="provisional")).to_pandas()
    assert rows["status"].tolist()[:2] == ["p", "p u"]


def test_marks_are_those_that_are_explained(sample: Any) -> None:
    marks = set(" ".join(table_of(sample, "area-week-age")["status"].to_pylist()).split())
    assert marks <= {"", *MARKS}


def test_a_revision_marks_the_values_it_changed(costs: Any) -> None:
    before = table_of(with_cells(costs, "cases", [100.0, 50.0], [5.0, 5.0]), "by-sex")
    costs = with_cells(costs, "cases", [100.0, 51.0], [5.0, 5.0])
    edition = costs.edition(revision=2, reason="late reports")
    rows = tidy(edition, costs.estimates, edition.table("by-sex"), previous=before)
    assert rows["status"].to_pylist()[:2] == ["", "r"]
    assert rows["revision"].to_pylist() == [2] * 6


def test_limits_are_rounded_outwards_to_the_size_of_the_noise(costs: Any) -> None:
    rows = table_of(with_cells(costs, "mean-cost", [10.0, 20.0], [0.0345, 0.0345]), "by-sex").to_pandas()
    mean = rows[rows["metric"] == "mean-cost"].iloc[0]
    assert (mean["lower_95"], mean["upper_95"]) == (9.931, 10.069)
    assert mean["value_unbiased"] == 10.1235


@pytest.mark.parametrize("error", [-1e-12, 1e-12])
def test_last_digits_that_another_processor_computes_otherwise_are_not_published(costs: Any, error: float) -> None:
    """Values on every boundary: halves of the last digit shown, exact limits, a standard error of a fifth of the value."""
    table = costs.estimates.tables["by-sex"]
    like = table["mean-cost"]

    def rows(by: float) -> pa.Table:
        exact = {"value": 10.0, "unrounded": 10.25, "lower": 8.0, "upper": 12.0, "standard_error": 2.0}
        moved = {name: np.full(like.value.shape, at + by) for name, at in exact.items()}
        mean = Estimate(statistic=like.statistic, levels=like.levels, **moved)
        costs.estimates = EditionEstimates(costs.estimates.plan, {"by-sex": {**table, "mean-cost": mean}})
        return table_of(costs, "by-sex")

    exactly = rows(0.0)
    assert exactly.filter(pc.equal(exactly["metric"], "mean-cost"))["status"].to_pylist() == ["", ""]
    assert rows(error).equals(exactly)


def test_estimates_of_another_shape_are_refused(sample: Any, make_sample: Callable[..., Any]) -> None:
    edition = sample.edition()
    tables = {"area-day": sample.estimates.tables["area-week-age"]}
    with pytest.raises(PublishedError, match="has shape"):
        tidy(edition, EditionEstimates(sample.estimates.plan, tables), edition.table("area-day"))
    with pytest.raises(PublishedError, match="no estimate of 'cases'"):
        tidy(edition, EditionEstimates(sample.estimates.plan, {}), edition.table("area-day"))


def test_a_dimension_named_like_a_column_gets_columns_of_its_own(costs: Any) -> None:
    edition = costs.edition()
    [sex] = edition.dimensions
    table = edition.tables[0].model_copy(update={"levels": {"status": "sex"}})
    edition = edition.model_copy(
        update={"dimensions": (sex.model_copy(update={"name": "status"}),), "tables": (table,)}
    )
    rows = tidy(edition, costs.estimates, table)
    assert rows["status_group"].to_pylist()[:2] == ["Female", "Male"]
    assert set(rows["status"].to_pylist()) <= {"", "u", "low", "x"}
    assert len(set(rows.column_names)) == len(rows.column_names)


AWKWARD = ["plain", "comma, here", 'a "quote"', "line\nbreak", "Ynys Môn", "", None]


def test_csv_reads_back_with_another_reader() -> None:
    rows = pa.table(
        {"name": AWKWARD, "n": pa.array([1, -2, None, 4, 5, 6, 7]), "x": [0.1, 1e-7, 2.0, None, 1e20, -0.5, 3]}
    )
    text = csv_bytes(rows)
    read = list(csv.reader(io.StringIO(text.decode("utf-8"), newline=""), strict=True))
    assert read[0] == ["name", "n", "x"]
    assert [line[0] for line in read[1:]] == [v or "" for v in AWKWARD]
    assert [line[1] for line in read[1:]] == ["1", "-2", "", "4", "5", "6", "7"]
    assert [float(line[2]) if line[2] else None for line in read[1:]] == rows["x"].to_pylist()
    assert text.endswith(b"\r\n")
    assert text.startswith(b"name,n,x\r\nplain,1,0.1\r\n")


def test_csv_of_no_rows_is_its_header() -> None:
    assert csv_bytes(pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.int64())})) == b"a,b\r\n"


def test_csv_and_parquet_hold_the_same(sample: Any) -> None:
    rows = table_of(sample, "area-week-age")
    empty = {name: "" for name in ("value", "lower_95", "upper_95", "value_unbiased", "standard_error")}
    text = pd.read_csv(io.BytesIO(csv_bytes(rows)), keep_default_na=False, na_values=empty)
    binary = pq.read_table(io.BytesIO(parquet_bytes(rows))).to_pandas()
    for name in ("value", "lower_95", "upper_95", "value_unbiased", "standard_error"):
        assert np.array_equal(text[name], binary[name], equal_nan=True)
    for name in ("geography", "status", "age", "period"):
        assert text[name].tolist() == binary[name].tolist()


def test_checksums_are_in_the_form_of_sha256sum() -> None:
    assert checksums({"b": b"", "a": b"x"}).decode().splitlines() == [
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  a",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b",
    ]


def test_the_workbook_has_cover_contents_notes_and_a_table_a_sheet(sample: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(sample.publish(tmp_path).folder / "workbook.xlsx") as book:
        sheets = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        marked_up = [name for name in book.namelist() if name.startswith("xl/tables/")]
        texts = book.read("xl/sharedStrings.xml").decode()
    assert sheets == ["Cover", "Contents", "Notes", "Table_1", "Table_2"]
    assert len(marked_up) == 4
    assert "Bristol, City of" in texts
    assert "Lower limit" in texts
    assert "Totals add up." in texts


def in_sheets(book: bytes) -> dict[str, list[Any]]:
    """Everything that stands in the sheets and tables of a workbook, each cell with its text and all of its looks."""
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        read = {name: ElementTree.fromstring(parts.read(name)) for name in parts.namelist() if name.endswith(".xml")}
    texts = ["".join(one.itertext()) for one in read["xl/sharedStrings.xml"]]
    styles = {
        part.tag.rpartition("}")[2]: [ElementTree.tostring(one) for one in part] for part in read["xl/styles.xml"]
    }
    looks = []
    for one in next(part for part in read["xl/styles.xml"] if part.tag.endswith("cellXfs")):
        own = [
            styles[kind][int(one.attrib[id])]
            for kind, id in (("fonts", "fontId"), ("fills", "fillId"), ("borders", "borderId"))
        ]
        looks.append((own, one.get("numFmtId"), [ElementTree.tostring(part) for part in one]))
    found: dict[str, list[Any]] = {}
    for name, part in read.items():
        if name.startswith("xl/tables/"):
            found[name] = [ElementTree.tostring(part)]
        if name.startswith("xl/worksheets/sheet"):
            found[name] = [
                (
                    {key: value for key, value in one.attrib.items() if key != "s"},
                    texts[int(one[0].text or 0)]
                    if one.get("t") == "s"
                    else [part.text for part in one if not len(part)],
                    looks[int(one.attrib["s"])] if "s" in one.attrib else None,
                )
                for one in part.iter()
                if one.tag.endswith(("}c", "}col", "}row", "}dimension", "}tablePart"))
            ]
    return found


def test_sheets_look_as_gptables_lays_them_out_cell_by_cell(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    edition = sample.edition()
    tables = tuple(t.model_copy(update={"columns": columns_of(edition, t, TEXTS)}) for t in edition.tables)
    edition = edition.model_copy(update={"tables": tables})
    rows = {table.id: tidy(edition, sample.estimates, table) for table in edition.tables}
    name = "Llanfair PG, ŴYR — 長い名前"
    for id, table in rows.items():
        names = table["metric"].to_pylist()
        names[len(names) // 2] = name
        rows[id] = table.set_column(table.column_names.index("metric"), "metric", pa.array(names))

    def sheets() -> dict[str, list[Any]]:
        return in_sheets(workbook.workbooks(edition, rows, TEXTS)["workbook"])

    ours = sheets()
    assert any(name in str(cells) for cells in ours.values())
    monkeypatch.setattr(filling, "widest_row", lambda frame: frame)
    monkeypatch.setattr(filling, "fill", lambda book, label, frame: None)
    theirs = sheets()
    assert {*ours} == {*theirs}
    for name, cells in theirs.items():
        assert len(ours[name]) == len(cells)
        assert not [pair for pair in zip(ours[name], cells, strict=True) if pair[0] != pair[1]], name


def test_long_tables_have_a_workbook_of_their_own_and_the_longest_are_left_out(
    sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def texts(name: str) -> str:
        with zipfile.ZipFile(folder / name) as book:
            return book.read("xl/sharedStrings.xml").decode()

    monkeypatch.setattr(workbook, "MOST_ROWS", 25)
    folder = sample.publish(tmp_path / "alone").folder
    assert "In workbooks of their own, because they are long: Daily cases" in texts("workbook.xlsx")
    assert "Bristol, City of" in texts("workbook-area-day.xlsx")
    monkeypatch.setattr(workbook, "MOST_ROWS_ALONE", 27)
    folder = sample.publish(tmp_path / "none").folder
    assert "Only in the CSV files, because they are long: Daily cases" in texts("workbook.xlsx")
    assert not (folder / "workbook-area-day.xlsx").exists()


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://example.org","x")',
        "@SUM(1)",
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "\t=1",
        "\r=1",
        "＝1",
        "-",
        "+44 tel",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    written = csv_bytes(pa.table({"name": [text]})).decode()
    [_, [field]] = csv.reader(io.StringIO(written, newline=""))
    assert field == f"'{text}"


@pytest.mark.parametrize("text", ["North", "-1.5", "+65", "-3,5 %", "'quoted", "", "65-74", "a=b"])
def test_other_texts_and_signed_numbers_stay_as_they_are(text: str) -> None:
    written = csv_bytes(pa.table({"name": [text], "more": ["x"]})).decode()
    assert next(iter(list(csv.reader(io.StringIO(written, newline="")))[1:]))[0] == text


def test_no_cell_of_a_workbook_is_a_formula_whatever_its_texts_are(sample: Any) -> None:
    attack = '=HYPERLINK("http://example.org","x")'
    edition = sample.edition()
    tables = tuple(table.model_copy(update={"title": attack}) for table in edition.tables)
    edition = edition.model_copy(update={"tables": tables})
    edition = edition.model_copy(
        update={"tables": tuple(t.model_copy(update={"columns": columns_of(edition, t, TEXTS)}) for t in tables)}
    )
    rows = {table.id: tidy(edition, sample.estimates, table) for table in edition.tables}
    attacked = {
        name: table.set_column(table.column_names.index("metric"), "metric", pa.array([attack] * len(table)))
        for name, table in rows.items()
    }
    book = workbook.workbooks(edition, attacked, TEXTS)
    with zipfile.ZipFile(io.BytesIO(book["workbook"])) as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
        texts = parts.read("xl/sharedStrings.xml").decode()
    assert "HYPERLINK" in texts
    assert not [sheet for sheet in sheets if "<f>" in sheet]
