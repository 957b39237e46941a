"""The reader's kit: every snippet runs as it is printed, in the folder of the edition."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dp_stats.editions.readers_kit import snippets


@pytest.fixture(params=["areas", "no areas"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    sample = request.getfixturevalue("sample" if request.param == "areas" else "costs")
    return sample.publish(tmp_path)


def test_pandas_loads_every_table_with_its_intervals(published: Any) -> None:
    for table in published.edition.tables:
        code = snippets(published.edition, table)["pandas"]
        check = f"assert len(data) == {table.rows}; assert data['upper_95'].dtype == 'float64'"
        check += "; assert str(data['date'].dtype).startswith('datetime64'); assert (data['status'] != 'nan').all()"
        subprocess.run([sys.executable, "-c", code + check], cwd=published.folder, check=True, capture_output=True)


@pytest.mark.parametrize("odd", [["01001", "01003"], ["1E05", "2E05"], ["NA", "nan"], ["TRUE", "FALSE"]], ids=" ".join)
def test_codes_are_read_as_they_are_written(
    published: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for table in published.edition.tables:
        with (published.folder / f"{table.id}.csv").open(encoding="utf-8", newline="") as file:
            first = next(csv.DictReader(file))
        codes = [name for name in first if name.endswith("_code")] or ["metric"]
        with (tmp_path / f"{table.id}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, list(first))
            rows.writeheader()
            rows.writerows({**first, **dict.fromkeys(codes, code)} for code in odd)
        read: dict[str, Any] = {}
        exec(snippets(published.edition, table)["pandas"], read)
        for column in codes:
            assert read["data"][column].tolist() == odd


def test_duckdb_loads_every_table_with_its_intervals(published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(published.folder)
    for table in published.edition.tables:
        with duckdb.connect() as connection:
            rows = connection.execute(snippets(published.edition, table)["duckdb"]).fetchall()
            assert connection.execute("SELECT count(*) FROM data").fetchone() == (table.rows,)
            assert len(rows) == table.rows, "nothing is dropped, of whatever reliability"


def test_polars_loads_every_table_with_codes_as_text(published: Any) -> None:
    pytest.importorskip("polars")
    for table in published.edition.tables:
        texts = [c.name for c in table.columns if c.type == "string"]
        check = f"assert len(data) == {table.rows}; assert all(data.schema[c] == pl.String for c in {texts!r})"
        code = snippets(published.edition, table)["polars"]
        subprocess.run([sys.executable, "-c", code + check], cwd=published.folder, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_loads_every_table_with_its_intervals(published: Any) -> None:
    for table in published.edition.tables:
        code = (
            snippets(published.edition, table)["r"]
            + f"stopifnot(nrow(data) == {table.rows}, is.numeric(data$upper_95))"
        )
        subprocess.run(["Rscript", "-e", code], cwd=published.folder, check=True, capture_output=True)


def test_every_snippet_has_three_lines(published: Any) -> None:
    for table in published.edition.tables:
        for code in snippets(published.edition, table).values():
            assert len(code.strip().splitlines()) == 3


def test_the_kit_in_the_folder_holds_the_same_snippets(published: Any) -> None:
    text = (published.folder / "readers-kit.md").read_text(encoding="utf-8")
    printed = re.findall(r"```\w+\n(.*?)```", text, flags=re.DOTALL)
    assert printed == [c for t in published.edition.tables for c in snippets(published.edition, t).values()]


def test_an_address_stands_before_the_file(published: Any) -> None:
    address = "https://statistics.example.org/x/latest/"
    code = snippets(published.edition, published.edition.tables[0], address=address)
    assert all(f"{address}{published.edition.tables[0].id}" in c for c in code.values())
