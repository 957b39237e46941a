"""What an edition writes into the contribution register, and what it reads there of the others."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_stats.errors import RegisterError
from dp_stats.ledger import Ledger
from dp_stats.secure import register as registering
from dp_stats.secure.bound import Bounded
from dp_stats.secure.register import Register
from dp_stats.secure.rows import Rows

KEY = b"secret of this installation"
BEFORE, ACROSS, AFTER = "2021-W12", "2021-W13", "2021-W14"
"""Weeks of March, of both March and April, and of April 2021: blocks are months."""

Contributions = Mapping[tuple[str, str], tuple[int, int, int, int]]
"""Person and block → rows found, and of them dropped, counted as truncated, and marked."""


class Edition:
    """One week of a series, with its own entry in the register; what people contribute is given."""

    def __init__(self, home: Path, ledger: Ledger, made: Any) -> None:
        self.made, self.ledger, self.plan = made, ledger, made.plan
        self.reservation = ledger.reserve(
            made.sealed, dataset=made.dataset, category="scheduled", requested_by="test", reason="test"
        )
        self.register = Register(home, ledger=ledger, reservation=self.reservation, plan=made.plan, key=KEY)
        self.allowed: list[dict[tuple[str, str], tuple[int, int, int]] | None] = []

    def enter(self, backend: ibis.BaseBackend, given: Contributions) -> None:
        everything, candidates = rows_of(given, self.plan.blocks)
        rows = Rows(everything, {}, {}, self.plan.blocks)

        def bounded(allowances: ibis.Table | None) -> Bounded:
            self.allowed.append(None if allowances is None else left_of(backend, allowances, self.plan.blocks))
            return Bounded(rows, candidates)

        assert self.register.enter(backend, rows, bounded).rows is rows

    @property
    def file(self) -> Path:
        entry = [e for e in self.ledger.register_entries(self.reservation) if e.edition == self.plan.edition][-1]
        return self.register.folder / f"{entry.digest}.parquet"

    @property
    def registered(self) -> list[tuple[str, str, int, int, int]]:
        return [tuple(row.values()) for row in pq.read_table(self.file).to_pylist()]

    def person(self, name: str) -> str:
        """How a person stands in the file; written out here, because files that exist must stay readable."""
        charge = f"{self.reservation.dataset}/{self.reservation.key}"
        key = hmac.new(KEY, f"persons/{charge}".encode(), hashlib.sha256).hexdigest()
        return hashlib.sha256((key + name).encode()).hexdigest()[:32]


def rows_of(given: Contributions, blocks: tuple[str, ...]) -> tuple[ibis.Table, ibis.Table]:
    """All rows, and those of the persons of whom something is dropped."""
    found = [
        (person, blocks.index(block), at >= dropped, at < truncated, at < marked)
        for (person, block), (rows, dropped, truncated, marked) in given.items()
        for at in range(rows)
    ]
    crowded = {person for (person, _), (_, dropped, _, _) in given.items() if dropped}
    names = ("kept", "truncation_counted", "truncation_marked")

    def table(rows: list[tuple[str, int, bool, bool, bool]]) -> pa.Table:
        persons, at, *flags = zip(*rows, strict=True) if rows else [()] * 5
        return pa.table(
            {
                "person": pa.array(persons, pa.string()),
                "block": pa.array(at, pa.int32()),
                **{name: pa.array(flag, pa.bool_()) for name, flag in zip(names, flags, strict=True)},
            }
        )

    return ibis.memtable(table(found).drop(list(names))), ibis.memtable(table([r for r in found if r[0] in crowded]))


def left_of(backend: ibis.BaseBackend, allowances: ibis.Table, blocks: tuple[str, ...]) -> Any:
    assert set(allowances.columns) == {"person", "block", "rows_left", "truncated_left", "mark_left"}
    return {
        (row["person"], blocks[row["block"]]): (row["rows_left"], row["truncated_left"], row["mark_left"])
        for row in backend.to_pyarrow(allowances).to_pylist()
    }


@pytest.fixture
def edition(tmp_path: Path, fully_measured: Callable[..., Any]) -> Callable[[str], Edition]:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")

    def made(week: str) -> Edition:
        declared = fully_measured(series=True, period=week, block="month", k=3, cap=4)
        few = tuple(m for m in declared.plan.measurements if m.id == "cases@all.week")
        plan = declared.plan.model_copy(update={"measurements": few})
        return Edition(
            tmp_path / "secure", ledger, type(declared)(declared.dataset, declared.release, declared.grid, plan)
        )

    return made


MARCH, APRIL = "2021-03", "2021-04"
FIRST: Contributions = {
    ("p1", MARCH): (5, 2, 2, 1),
    ("p2", MARCH): (1, 0, 0, 0),
    ("p3", MARCH): (9, 6, 4, 1),
    ("p2", APRIL): (3, 1, 1, 1),
    ("p4", APRIL): (2, 0, 0, 0),
}


def test_the_file_holds_what_each_person_contributes_to_each_block_and_nothing_else(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    across = edition(ACROSS)
    across.enter(duck, FIRST)
    assert across.registered == sorted(
        (across.person(person), block, found - dropped, truncated, marked)
        for (person, block), (found, dropped, truncated, marked) in FIRST.items()
    )
    content = pq.ParquetFile(across.file)
    assert content.schema_arrow.remove_metadata() == registering.SCHEMA
    assert content.metadata.row_group(0).column(0).compression == "ZSTD"
    (mark,) = [value for key, value in content.schema_arrow.metadata.items() if key == b"attempt"]
    assert len(bytes.fromhex(mark.decode())) == 16
    assert across.file.stat().st_mode & 0o777 == 0o600
    assert across.file.parent.stat().st_mode & 0o777 == 0o700


def test_an_empty_snapshot_is_registered_like_any_other(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    across, before = edition(ACROSS), edition(BEFORE)
    across.enter(duck, {})
    assert across.registered == []
    before.enter(duck, {("p1", MARCH): (1, 0, 0, 0)})
    assert before.allowed == [None]


def test_the_files_name_is_the_keyed_digest_of_charge_edition_revision_and_content(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    """Written out here: a register that exists must be found after an upgrade."""
    across = edition(ACROSS)
    across.enter(duck, FIRST)
    reservation = across.reservation
    charge = f"{reservation.dataset}/{reservation.key}"
    key = hmac.new(KEY, f"register/{charge}".encode(), hashlib.sha256).digest()
    named = f"{reservation.edition}+r{reservation.revision}\0".encode() + across.file.read_bytes()
    assert across.file.stem == hmac.new(key, named, hashlib.sha256).hexdigest()
    folder = hashlib.sha256(charge.encode()).hexdigest()[:32]
    assert across.file.parent == across.register.folder.parent.parent / "register" / folder


def test_what_is_left_to_a_person_is_the_bound_less_what_all_other_editions_counted_in_the_block(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    before, across, after = map(edition, (BEFORE, ACROSS, AFTER))
    before.enter(duck, {("p1", MARCH): (1, 0, 0, 0), ("p3", MARCH): (6, 3, 3, 1), ("gone", MARCH): (1, 0, 0, 0)})
    after.enter(duck, {("p1", APRIL): (2, 1, 1, 0), ("p2", APRIL): (1, 0, 0, 0), ("p4", APRIL): (3, 0, 0, 0)})
    across.enter(duck, FIRST)
    assert before.allowed == after.allowed == [None]
    assert across.allowed == [
        {
            ("p1", MARCH): (2, 4, 1),
            ("p3", MARCH): (0, 1, 0),
            ("p1", APRIL): (2, 3, 1),
            ("p2", APRIL): (2, 4, 1),
            ("p4", APRIL): (0, 4, 1),
        }
    ]
    again = edition(BEFORE)
    again.enter(duck, {("p1", MARCH): (1, 0, 0, 0), ("p2", MARCH): (1, 0, 0, 0), ("p4", MARCH): (1, 0, 0, 0)})
    assert again.allowed == [{("p1", MARCH): (0, 2, 0), ("p2", MARCH): (2, 4, 1)}]  # not: what it counted itself
    last = edition("2021-W11")
    last.enter(duck, {("p3", MARCH): (1, 0, 0, 0), ("p1", MARCH): (1, 0, 0, 0)})
    assert last.allowed == [{("p1", MARCH): (0, 2, 0), ("p3", MARCH): (0, 0, 0)}]  # 3 + 3 rows counted, 3 + 4 truncated


def test_another_attempt_registers_the_most_that_any_of_its_edition_counted(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    across = edition(ACROSS)
    across.enter(duck, {("p1", MARCH): (3, 0, 0, 0), ("p2", APRIL): (2, 0, 0, 0), ("p3", APRIL): (1, 0, 0, 0)})
    across.enter(duck, {("p1", MARCH): (5, 3, 2, 1), ("p2", APRIL): (3, 0, 0, 0), ("p4", MARCH): (1, 0, 0, 0)})
    assert across.allowed == [None, None]
    assert across.registered == sorted(
        (across.person(person), block, *amounts)
        for person, block, *amounts in (
            ("p1", MARCH, 3, 2, 1),
            ("p2", APRIL, 3, 0, 0),
            ("p3", APRIL, 1, 0, 0),
            ("p4", MARCH, 1, 0, 0),
        )
    )


def test_equal_attempts_and_editions_have_digests_of_their_own(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    """Else the ledger would tell that two of them count alike, nobody for instance."""
    across, after = edition(ACROSS), edition(AFTER)
    for one in (across, across, after):
        one.enter(duck, {})
    digests = [entry.digest for entry in across.ledger.register_entries(across.reservation)]
    assert len(set(digests)) == 3
    same = {across.register._digest(b"", edition, revision) for edition in ("a", "b") for revision in (1, 2)}
    assert len(same) == 4


def test_another_revision_of_an_edition_is_another_edition(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    across = edition(ACROSS)
    across.enter(duck, {("p1", MARCH): (1, 0, 0, 0)})
    entries = across.ledger.register_entries(across.reservation)
    assert [across.register._is_own(entry) for entry in entries] == [True]
    across.register.reservation = replace(across.reservation, revision=2)
    assert [across.register._is_own(entry) for entry in entries] == [False]


@pytest.mark.parametrize("harm", ["lost", "altered", "of another edition"])
def test_a_file_that_is_not_what_was_written_refuses_every_edition_of_the_series(
    harm: str, edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    before, across, after = map(edition, (BEFORE, ACROSS, AFTER))
    before.enter(duck, {})
    across.enter(duck, {("p1", MARCH): (1, 0, 0, 0)})
    if harm == "lost":
        across.file.unlink()
    elif harm == "altered":
        pq.write_table(pq.read_table(across.file).slice(0, 0), across.file)
    else:
        across.file.write_bytes(before.file.read_bytes())
    for one in (across, after):
        with pytest.raises(
            RegisterError, match=r"^The contribution register of series tests has lost or altered a file"
        ):
            one.enter(duck, {})


def test_an_edition_that_is_always_overtaken_gives_up_after_so_many_attempts(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "ATTEMPTS", 3)
    monkeypatch.setattr(Ledger, "register_entry", lambda *_, **__: False)
    across = edition(ACROSS)
    with pytest.raises(RegisterError, match=r"^Other editions of this series kept registering at the same time\."):
        across.enter(duck, FIRST)
    assert across.allowed == [None] * 3


def test_rows_and_persons_of_each_charge_have_hashes_of_their_own(tmp_path: Path) -> None:
    def keys(dataset: str, charge: str) -> set[str]:
        reservation = SimpleNamespace(dataset=dataset, key=charge)
        made = Register(tmp_path, ledger=None, reservation=reservation, plan=None, key=KEY)  # type: ignore[arg-type]
        return {made.row_key, made.person_key, made.digest_key.hex()}

    assert len(keys("visits", "one") | keys("visits", "two") | keys("deaths", "one")) == 9
    assert keys("visits", "one") == keys("visits", "one")


def test_of_late_rows_only_those_that_are_kept_use_an_allowance() -> None:
    used = pa.table(
        {"hash": ["a", "b"], "block": ["2021", "2021"], "kept": [2, 1], "truncated": [3, 0], "marked": [1, 0]},
        schema=registering.SCHEMA,
    )
    kept = registering._kept_only(used)
    assert kept.schema == registering.SCHEMA
    assert kept.to_pydict() == used.to_pydict() | {"truncated": [0, 0], "marked": [0, 0]}
