"""A row is known again by a keyed hash of what it says, its person and its block; an edition remembers each hash once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_stats.secure import entries
from dp_stats.secure.engines import HASH_LENGTH
from dp_stats.secure.entries import (
    MARK,
    SCHEMA,
    amounts,
    given,
    notes_of,
    read,
    remembered,
    together,
    with_marks,
    write,
)
from dp_stats.secure.late import marks_of, told_apart, unseen
from dp_stats.secure.rows import BLOCK, DAY, PERSON, RECORD, Rows

KEY = "a key"
MONDAY, TUESDAY = date(2021, 2, 15), date(2021, 2, 16)
FIRST = ("p", 0, MONDAY, "A", 3)
SAID: list[tuple[str, int, date, str, int | None]] = [
    FIRST, FIRST, FIRST, ("q", *FIRST[1:]), ("p", 1, *FIRST[2:]), ("p", 0, TUESDAY, "A", 3), ("p", 0, MONDAY, "B", 3),
    ("p", 0, MONDAY, "A", 30), ("p", 0, MONDAY, "A", None), ("p", 0, MONDAY, "A", None),
]  # fmt: skip
"""Person, block, day, area, steps: equal rows, and rows that differ in one thing."""


@pytest.fixture
def backend() -> Iterator[Any]:
    connection = ibis.duckdb.connect(threads=1)
    yield connection
    connection.disconnect()


def rows_of(said: list[Any], records: list[str | None] | None = None) -> Rows:
    person, block, day, area, steps = (list(column) for column in zip(*said, strict=True))
    columns: dict[str, Any] = {
        PERSON: pa.array(person), BLOCK: pa.array(block, pa.int32()), DAY: pa.array(day), "at_0": pa.array(area),
        "steps_0": pa.array(steps, pa.int64()),
    }  # fmt: skip
    if records is not None:
        columns[RECORD] = pa.array(records, pa.string())
    return Rows(
        ibis.memtable(pa.table(columns)), {"area": "at_0", "date": DAY}, {"amount": "steps_0"}, ("2021", "2022")
    )


def marked(backend: Any, rows: Rows) -> Rows:
    return told_apart(backend, rows, KEY, rows.table[PERSON].upper())


def mark(person: str, block: int, text: str) -> str:
    """A row's hash, as it is described."""
    whole = f"{KEY}{person.upper()}\x1f{('2021', '2022')[block]}\x1f{text}"
    return hashlib.sha256(whole.encode()).hexdigest()[:HASH_LENGTH]


def marks_in(rows: Rows) -> list[str]:
    """The rows' hashes as 32 digits."""
    return [str(mark).replace("-", "") for mark in rows.table[MARK].to_pyarrow().to_pylist()]


def content(row: tuple[str, int, date, str, int | None], number: int) -> str:
    _, _, day, area, steps = row
    return "\x1f".join(["row", day.isoformat(), area, "" if steps is None else str(steps), str(number)])


def test_a_row_is_known_by_person_block_content_and_a_number_among_equal_ones(backend: Any) -> None:
    rows = rows_of(SAID)
    found = marked(backend, rows)
    assert found.table.columns == (*rows.table.columns, MARK)
    assert (found.coordinates, found.steps, found.blocks) == (rows.coordinates, rows.steps, rows.blocks)
    expected = [mark(row[0], row[1], content(row, SAID[:at].count(row))) for at, row in enumerate(SAID)]
    assert len(set(expected)) == len(SAID)
    assert sorted(marks_in(found)) == sorted(expected)


def test_equal_rows_need_not_stand_together(backend: Any) -> None:
    first, second = (marked(backend, rows_of(said)) for said in (SAID, SAID[::-1]))
    assert sorted(marks_in(first)) == sorted(marks_in(second))


def test_a_record_is_known_by_its_id_whatever_it_says_and_by_its_content_where_it_has_none(backend: Any) -> None:
    said: list[Any] = [FIRST, ("p", 0, TUESDAY, "B", 7), FIRST, FIRST, FIRST, ("q", *FIRST[1:])]
    records = ["1", "2", None, None, "3", "1"]
    found = marked(backend, rows_of(said, records)).table.select(PERSON, RECORD, MARK).to_pyarrow().to_pylist()
    expected = [
        *((person, record, mark(person, 0, f"id\x1f{record}")) for person, record in ("p1", "p2", "p3", "q1")),
        *(("p", None, mark("p", 0, content(FIRST, number))) for number in (0, 1)),
    ]
    assert sorted((row[PERSON], row[RECORD] or "", row[MARK].replace("-", "")) for row in found) == sorted(
        (person, record or "", one) for person, record, one in expected
    )


def test_what_another_edition_has_looked_at_is_left_out_and_nothing_else(backend: Any) -> None:
    rows = marked(backend, rows_of(SAID))
    everything = marks_in(rows)
    seen = pa.table({"block": ["2021", "2021", "2022"], MARK: [everything[0], everything[4], "0" * HASH_LENGTH]})
    left = unseen(backend, rows, given(seen))
    assert left.table.columns == rows.table.columns
    assert sorted(marks_in(left)) == sorted({*everything} - {everything[0], everything[4]})
    assert unseen(backend, rows, None) is rows


def test_rows_are_remembered_once_by_the_name_of_their_block(backend: Any) -> None:
    own, late = (marked(backend, rows_of(said)) for said in (SAID, [SAID[4], SAID[0], ("z", *FIRST[1:])]))
    found = [(row["block"], row[MARK]) for row in listed(backend, marks_of([own, late]))]
    wanted = {
        (own.blocks[row[1]], mark(row[0], row[1], content(row, SAID[:at].count(row)))) for at, row in enumerate(SAID)
    }
    assert sorted(found) == sorted(wanted | {("2021", mark("z", 0, content(FIRST, 0)))})


HASHES = [hashlib.sha256(bytes([n])).hexdigest()[:HASH_LENGTH] for n in range(4)]


def entry_of(amounts: list[tuple[int, str, int, int, int]], marks: list[tuple[str, int]]) -> Any:
    """An entry with the hashes that the numbers stand for."""
    persons = [(HASHES[which], *others) for which, *others in amounts]
    names = ["hash", "block", "kept", "truncated", "marked"]
    kinds = [pa.string(), *(SCHEMA.field(name).type for name in names[1:])]
    columns = zip(*persons, strict=True) if persons else [()] * len(names)
    table = given(pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], names=names))
    if not marks:
        return with_marks(table, None)
    seen = pa.table({"block": [block for block, _ in marks], MARK: [HASHES[which] for _, which in marks]})
    return with_marks(table, given(seen))


def listed(backend: Any, table: Any) -> list[dict[str, Any]]:
    """Rows with hashes as 32 digits."""
    rows: list[dict[str, Any]] = backend.to_pyarrow(table).to_pylist()
    return [{n: v.replace("-", "") if v and n in ("hash", MARK) else v for n, v in row.items()} for row in rows]


def test_a_file_holds_amounts_and_remembered_rows_and_gives_back_either(backend: Any, tmp_path: Path) -> None:
    persons = [(0, "2021", 2, 0, 1), (1, "2022", 1, 3, 0)]
    path = tmp_path / "entry.parquet"
    write(
        backend,
        entry_of(persons, [("2021", 2), ("2021", 3)]),
        path,
        notes={"attempt": "a1"},
        folder=tmp_path,
        ordered=True,
    )
    found = read(backend, [path], blocks=("2021", "2022"))
    assert found is not None
    assert [tuple(row.values()) for row in listed(backend, amounts(found))] == [(HASHES[n], *r) for n, *r in persons]
    assert sorted(row[MARK] for row in listed(backend, remembered(found))) == sorted(HASHES[2:])
    assert [row["block"] for row in listed(backend, remembered(found))] == ["2021", "2021"]
    assert listed(backend, remembered(entry_of(persons, []))) == []
    only = read(backend, [path], blocks=("2022",))
    assert only is not None
    assert [row["hash"] for row in listed(backend, only)] == [HASHES[1]]


def test_several_entries_as_one_remember_each_row_once(backend: Any) -> None:
    first = entry_of([(0, "2021", 2, 0, 1), (1, "2022", 1, 3, 0)], [("2021", 2), ("2021", 3)])
    second = entry_of([(0, "2021", 1, 4, 0), (0, "2022", 5, 0, 0)], [("2021", 3), ("2022", 3)])
    for how, (kept, truncated) in {"sum": (3, 4), "max": (2, 4)}.items():
        both = together(first.union(second), how)
        assert sorted(tuple(row.values()) for row in listed(backend, amounts(both))) == sorted(
            [(HASHES[0], "2021", kept, truncated, 1), (HASHES[0], "2022", 5, 0, 0), (HASHES[1], "2022", 1, 3, 0)]
        )
        assert sorted((row["block"], row[MARK]) for row in listed(backend, remembered(both))) == sorted(
            [("2021", HASHES[2]), ("2021", HASHES[3]), ("2022", HASHES[3])]
        )


class Named:
    """DuckDB under the name of another engine, and as that one reads and writes files: one, or into many parts."""

    def __init__(self, engine: Any, name: str) -> None:
        self._engine, self.name = engine, name.partition(" ")[0]
        self._session = SimpleNamespace(conf={"spark.master": "local[1]" if name == "pyspark" else "spark://lake"})
        self._files = name in ("duckdb", "pyspark")

    def read_parquet(self, files: Any) -> Any:
        assert self._files
        assert (self.name == "pyspark") == isinstance(files, str)
        return self._engine.read_parquet(files)

    def to_parquet(self, table: Any, path: Path, **said: Any) -> None:
        assert self._files
        if self.name == "duckdb":
            self._engine.to_parquet(table, path, **said)
        else:
            assert not said
            rows = self._engine.to_pyarrow(table.mutate(**{n: table[n].cast("string") for n in ("hash", MARK)}))
            for name in ("hash", MARK):
                keys = [None if key is None else bytes.fromhex(key.replace("-", "")) for key in rows[name].to_pylist()]
                rows = rows.set_column(rows.column_names.index(name), name, pa.array(keys, pa.binary()))
            path.mkdir()
            (path / "_SUCCESS").touch()
            half = len(rows) // 2
            pq.write_table(rows.slice(half), path / "part-00001.parquet")
            pq.write_table(rows.slice(0, half), path / "part-00000.parquet")


ENGINES = ("duckdb", "postgres", "pyspark", "pyspark on a cluster")
PERSONS = [(1, "2022", 1, 3, 0), (3, "2021", 4, 0, 0), (0, "2021", 2, 0, 1)]
REMEMBERED = [("2022", 0), ("2021", 3), ("2021", 2)]
IN_ORDER = [
    (HASHES[3], "2021", 4, 0, 0, None), (HASHES[0], "2021", 2, 0, 1, None), (None, "2021", 0, 0, 0, HASHES[3]),
    (None, "2021", 0, 0, 0, HASHES[2]), (HASHES[1], "2022", 1, 3, 0, None), (None, "2022", 0, 0, 0, HASHES[0]),
]  # fmt: skip


def told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows of a file or an engine, with hashes as 32 digits."""
    shown = [[v.hex() if isinstance(v, bytes) else v for v in row.values()] for row in rows]
    return [tuple(v.replace("-", "") if isinstance(v, str) and len(v) > 30 else v for v in row) for row in shown]


@pytest.mark.parametrize("name", ENGINES)
def test_a_file_is_the_same_whichever_engine_writes_it(
    backend: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, said = tmp_path / "entry.parquet", {"attempt": "a1", "sums": "a b"}
    entry = entry_of(PERSONS, REMEMBERED)
    for ordered in (False, True):
        write(Named(backend, name), entry, path, notes=said, folder=tmp_path, ordered=ordered)
        assert sorted(map(str, told(pq.read_table(path).to_pylist()))) == sorted(map(str, IN_ORDER))
        if name == "pyspark":
            (tmp_path / "entry-parts/_SUCCESS").unlink()
            (tmp_path / "entry-parts").rmdir()  # which holds nothing else any more
        assert list(tmp_path.iterdir()) == [path]
    assert told(pq.read_table(path).to_pylist()) == IN_ORDER
    file = pq.ParquetFile(path)
    assert [(f.name, f.type, f.nullable) for f in file.schema_arrow] == [(f.name, f.type, True) for f in SCHEMA]
    assert {file.metadata.row_group(0).column(at).compression for at in range(len(SCHEMA))} == {"ZSTD"}
    assert said.items() <= notes_of(path).items()


def test_what_a_file_says_of_itself_may_be_nothing(tmp_path: Path) -> None:
    with pq.ParquetWriter(tmp_path / "bare.parquet", pa.schema([("kept", pa.int32())]), store_schema=False):
        pass
    assert notes_of(tmp_path / "bare.parquet") == {}


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_reads_files_of_today_and_of_before(backend: Any, name: str, tmp_path: Path) -> None:
    engine, files = Named(backend, name), [tmp_path / f"{number}.parquet" for number in range(4)]
    write(backend, entry_of(PERSONS, REMEMBERED), files[0], notes={}, folder=tmp_path, ordered=True)
    before = pa.table({"hash": [HASHES[2]], "block": ["2022"], "kept": [7], "truncated": [0], "marked": [1]})
    pq.write_table(before, files[1])
    pq.write_table(before.slice(0, 0), files[2])
    late = {"hash": ["", HASHES[1]], "block": ["2022", "2021"], "kept": [0, 8], "truncated": [0, 9], "marked": [0, 1]}
    pq.write_table(pa.table(late | {MARK: [HASHES[1], None]}), files[3])
    everything = [
        *IN_ORDER, (HASHES[2], "2022", 7, 0, 1, None), (None, "2022", 0, 0, 0, HASHES[1]),
        (HASHES[1], "2021", 8, 9, 1, None),
    ]  # fmt: skip
    for blocks in (None, ("2021",), ("2022",), ("2021", "2022"), ("2023",)):
        found = read(engine, files, blocks=blocks)
        assert found is not None
        assert found.schema().names == tuple(SCHEMA.names)
        assert [str(found.schema()[n]) for n in ("kept", "truncated", "marked")] == ["int32"] * 3
        key = "binary" if engine.name == "pyspark" else "uuid"
        assert [str(found.schema()[n]) for n in ("hash", MARK)] == [key] * 2
        wanted = [row for row in everything if blocks is None or row[1] in blocks]
        assert sorted(map(str, told(backend.to_pyarrow(found).to_pylist()))) == sorted(map(str, wanted))
    assert read(engine, [files[2]]) is read(engine, []) is None


def test_a_hash_is_sixteen_bytes_to_every_engine_and_other_text_is_none(backend: Any) -> None:
    text = ibis.memtable(pa.table({"text": [HASHES[0], "no hash", None]}))["text"]
    assert [str(v).replace("-", "") for v in backend.to_pyarrow(entries.short(backend, text)).to_pylist()] == [
        HASHES[0], "None", "None"
    ]  # fmt: skip
    spark = entries.short(Named(backend, "pyspark"), text.nullif("no hash"))
    assert backend.to_pyarrow(spark).to_pylist() == [bytes.fromhex(HASHES[0]), None, None]
    assert "CAST" in ibis.to_sql(entries.short(Named(backend, "postgres"), text).name("key"), dialect="postgres")


@pytest.mark.parametrize("columns", [("hash", MARK), ("hash",), (MARK,), ()])
def test_hashes_are_fetched_as_text_from_engines_that_hold_bytes_and_from_others(
    backend: Any, columns: tuple[str, ...]
) -> None:
    keys = pa.array([bytes.fromhex(HASHES[0]), None], pa.binary())
    held = backend.create_table("held", pa.table({"kept": [1, 2], **dict.fromkeys(columns, keys)}))
    there = backend.create_table("there", given(pa.table({"kept": [1, 2], **{n: [HASHES[0], None] for n in columns}})))
    for table in (held, there):
        found = entries.fetched(table)
        assert found.column_names == ["kept", *columns]
        for name in columns:
            assert pa.types.is_string(found.schema.field(name).type)
            assert [key and key.replace("-", "").lower() for key in found[name].to_pylist()] == [HASHES[0], None]


def test_what_reads_for_another_engine_fetches_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with entries._beside() as ours:
        asked = [f"current_setting('{what}_known_extensions')" for what in ("autoinstall", "autoload")]
        assert ours.raw_sql(f"SELECT {', '.join(asked)}").fetchall() == [(False, False)]
    assert list(tmp_path.iterdir()) == []
