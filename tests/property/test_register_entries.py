"""What an edition writes into the contribution register, and what it reads there of the others."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
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
from dp_stats.secure.entries import AMOUNTS, MARK, SCHEMA
from dp_stats.secure.late import Views
from dp_stats.secure.register import Register
from dp_stats.secure.rows import Rows
from dp_stats.secure.secret import keyed_digest

KEY = b"secret of this installation"
BEFORE, ACROSS, AFTER = "2021-W12", "2021-W13", "2021-W14"
"""Weeks of March, of both March and April, and of April 2021: blocks are months."""

FIRST_DAY = date(2021, 3, 1)

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
    def registered(self) -> list[tuple[bytes, str, int, int, int]]:
        return [tuple(row.values())[:-1] for row in pq.read_table(self.file).to_pylist()]

    def person(self, name: str) -> bytes:
        """How a person stands in the file; written out here, because files that exist must stay readable."""
        charge = f"{self.reservation.dataset}/{self.reservation.key}"
        key = hmac.new(KEY, f"persons/{charge}".encode(), hashlib.sha256).hexdigest()
        return hashlib.sha256((key + name).encode()).digest()[:16]


def rows_of(given: Contributions, blocks: tuple[str, ...]) -> tuple[ibis.Table, ibis.Table]:
    """All rows, and those of the persons of whom something is dropped."""
    found = [
        (person, blocks.index(block), at >= dropped, at < truncated, at < marked)
        for (person, block), (rows, dropped, truncated, marked) in given.items()
        for at in range(rows)
    ]
    with_dropped = {person for (person, _), (_, dropped, _, _) in given.items() if dropped}
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

    return ibis.memtable(table(found).drop(list(names))), ibis.memtable(
        table([r for r in found if r[0] in with_dropped])
    )


def in_order(registered: Iterable[tuple[bytes, str, int, int, int]]) -> list[tuple[bytes, str, int, int, int]]:
    """As a file is sorted: by block, then by hash."""
    return sorted(registered, key=lambda row: (row[1], row[0]))


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
    assert across.registered == in_order(
        (across.person(person), block, found - dropped, truncated, marked)
        for (person, block), (found, dropped, truncated, marked) in FIRST.items()
    )
    content = pq.ParquetFile(across.file)
    assert [(f.name, f.type) for f in content.schema_arrow] == [(f.name, f.type) for f in SCHEMA]
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
            ("p2", APRIL): (2, 4, 1),
            ("p4", APRIL): (0, 4, 1),
        }
    ]  # not: p1 in April, who has no row there
    again = edition(BEFORE)
    again.enter(duck, {("p1", MARCH): (1, 0, 0, 0), ("p2", MARCH): (1, 0, 0, 0), ("p4", MARCH): (1, 0, 0, 0)})
    assert again.allowed == [
        {("p1", MARCH): (0, 2, 0)}
    ]  # not: what it counted itself; p2, who has no more than is left
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
    assert across.registered == in_order(
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
    same = {across.register._digest(across.file, edition, revision) for edition in ("a", "b") for revision in (1, 2)}
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
    table = pa.table(
        {"hash": ["a", "b"], "block": ["2021", "2021"], "kept": [2, 1], "truncated": [3, 0], "marked": [1, 0]},
        schema=pa.schema([("hash", pa.string()), *[SCHEMA.field(name) for name in ("block", *AMOUNTS)]]),
    )
    kept = registering._kept_only(ibis.memtable(table)).to_pyarrow()
    assert kept.schema == table.schema
    assert kept.to_pydict() == table.to_pydict() | {"truncated": [0, 0], "marked": [0, 0]}


Days = Mapping[tuple[str, str], Iterable[int]]
"""Person and block → the days of her rows, from 1 March on."""


class LateEdition:
    """An edition that counts late rows, with what it was given to bound: rows, and what was left to persons."""

    def __init__(self, one: Edition, backend: ibis.BaseBackend) -> None:
        self.one, self.backend = one, backend
        self.looked: list[tuple[list[tuple[str, str, int]], dict[tuple[str, str], tuple[int, int, int]]]] = []

    def enter(self, own: Days, late: Days | None = None) -> tuple[list[int], list[int] | None]:
        """The days of the edition's own rows that are kept, and of late ones."""
        views = Views(self._rows(own), None if late is None else self._rows(late))
        kept, more = self.one.register.enter_late(self.backend, views, self._bounded)
        return self._kept(kept), None if more is None else self._kept(more)

    def _rows(self, given: Days) -> Rows:
        blocks = self.one.plan.blocks
        found = [
            (person, blocks.index(block), FIRST_DAY + timedelta(at))
            for (person, block), days in given.items()
            for at in days
        ]
        persons, at, days = zip(*found, strict=True) if found else [()] * 3
        table = pa.table(
            {
                "person": pa.array(persons, pa.string()),
                "block": pa.array(at, pa.int32()),
                "day": pa.array(days, pa.date32()),
            }
        )
        return Rows(ibis.memtable(table), {}, {}, blocks)

    def _bounded(self, rows: Rows, allowances: ibis.Table | None) -> Bounded:
        """The first days count; of others those that are left to a person as truncated, and the first stands for her."""
        blocks = self.one.plan.blocks
        left = {} if allowances is None else left_of(self.backend, allowances, blocks)
        found = sorted(
            (row["person"], row["block"], row["day"])
            for row in self.backend.to_pyarrow(rows.table.select("person", "block", "day")).to_pylist()
        )
        self.looked.append(([(person, blocks[at], (day - FIRST_DAY).days) for person, at, day in found], left))
        seen: Counter[tuple[str, int]] = Counter()
        flags = []
        for person, at, day in found:
            most, truncated, marked = left.get((person, blocks[at]), (3, 4, 1))
            number = seen[person, at]
            seen[person, at] += 1
            lost = number - most
            flags.append((person, at, day, lost < 0, 0 <= lost < truncated, 0 <= lost < marked))
        names = ("person", "block", "day", "kept", "truncation_counted", "truncation_marked")
        kinds = (pa.string(), pa.int32(), pa.date32(), pa.bool_(), pa.bool_(), pa.bool_())
        columns = zip(*flags, strict=True) if flags else [()] * 6
        return Bounded(rows, ibis.memtable(pa.table(dict(zip(names, map(pa.array, columns, kinds), strict=True)))))

    def _kept(self, bounded: Bounded) -> list[int]:
        rows = self.backend.to_pyarrow(bounded.candidates.filter("kept").select("day")).to_pylist()
        return sorted((row["day"] - FIRST_DAY).days for row in rows)

    @property
    def registered(self) -> list[tuple[str, str, int, int, int]]:
        """What the file says of persons, by name."""
        names = {self.one.person(name): name for name in ("p1", "p2", "p3")}
        rows = pq.read_table(self.one.file).to_pylist()
        return sorted((names[h], *amounts) for h, *amounts, mark in (row.values() for row in rows) if mark is None)

    @property
    def remembered(self) -> Counter[str]:
        """How many different rows the file remembers in each block."""
        marks = [
            (row["block"], row["seen"]) for row in pq.read_table(self.one.file).to_pylist() if row["seen"] is not None
        ]
        assert len({*marks}) == len(marks)
        return Counter(block for block, _ in marks)


def test_an_edition_counts_rows_that_none_has_looked_at_its_own_first_and_late_ones_within_what_is_left(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    first, second, third = (LateEdition(edition(week), duck) for week in ("2021-W10", BEFORE, ACROSS))
    assert first.enter({("p1", MARCH): (0, 1), ("p2", MARCH): (2,)}) == ([0, 1, 2], None)
    assert first.registered == [("p1", MARCH, 2, 0, 0), ("p2", MARCH, 1, 0, 0)]
    assert first.remembered == {MARCH: 3}
    # p1 has one row left, of its own period and one that was counted before; late ones find nothing left
    own, late = {("p1", MARCH): (1, 20)}, {("p1", MARCH): (0, 5, 6), ("p2", MARCH): (2, 3), ("p3", MARCH): (4, 4)}
    assert second.enter(own, late) == ([20], [3, 4, 4])
    assert second.looked == [
        ([("p1", MARCH, 20)], {}),
        (
            [("p1", MARCH, 5), ("p1", MARCH, 6), ("p2", MARCH, 3), ("p3", MARCH, 4), ("p3", MARCH, 4)],
            {("p1", MARCH): (0, 4, 1)},
        ),
    ]
    assert second.registered == [("p1", MARCH, 1, 0, 0), ("p2", MARCH, 1, 0, 0), ("p3", MARCH, 2, 0, 0)]
    assert second.remembered == {MARCH: 6}, (
        "what is dropped once is not late, and what is left to nobody is told of nobody"
    )
    # what either has looked at is looked at by nobody again, equal rows as often as they are there
    assert third.enter({("p3", MARCH): (4, 4, 4, 30), ("p1", APRIL): (31,)}, {("p1", MARCH): (0, 5, 6, 7)}) == (
        [4, 31],
        [],
    )
    assert [looked for looked, _ in third.looked] == [
        [("p1", APRIL, 31), ("p3", MARCH, 4), ("p3", MARCH, 30)],
        [("p1", MARCH, 7)],
    ]
    assert third.looked[0][1] == {("p3", MARCH): (1, 4, 1)}
    assert third.registered == [("p1", MARCH, 0, 0, 0), ("p1", APRIL, 1, 0, 0), ("p3", MARCH, 1, 1, 1)]


def test_late_rows_of_the_first_edition_are_within_what_its_own_rows_leave(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    one = LateEdition(edition(BEFORE), duck)
    assert one.enter({("p1", MARCH): (20, 21)}, {("p1", MARCH): (1, 2)}) == ([20, 21], [1])
    assert one.looked[1] == ([("p1", MARCH, 1), ("p1", MARCH, 2)], {("p1", MARCH): (1, 4, 1)})
    assert one.registered == [("p1", MARCH, 3, 0, 0)]
    assert one.remembered == {MARCH: 4}


WEEKS_OF_MARCH = ("2021-W09", "2021-W10", "2021-W11", "2021-W12")


@pytest.fixture
def summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two closed editions are enough for a sum."""
    monkeypatch.setattr(registering, "SUMMED_AT", 2)


def close(one: Edition) -> None:
    """Store what an edition has measured: its entry is never replaced."""
    one.ledger.spend(one.reservation)
    one.ledger.store(one.reservation, b"noisy")


def three_closed(edition: Callable[[str], Edition], duck: ibis.BaseBackend) -> Edition:
    """Three closed editions in which p1 has one row each; the fourth, which is about to register."""
    for week in WEEKS_OF_MARCH[:3]:
        one = edition(week)
        one.enter(duck, {("p1", MARCH): (1, 0, 0, 0), ("p2", MARCH): (week == WEEKS_OF_MARCH[0], 0, 0, 0)})
        close(one)
    return edition(WEEKS_OF_MARCH[3])


def sums_of(one: Edition) -> list[Path]:
    return sorted(one.register.sums.folder.rglob("*.parquet"))


LAST: Contributions = {("p1", MARCH): (2, 2, 0, 0), ("p2", MARCH): (3, 1, 0, 0), ("p3", MARCH): (3, 0, 0, 0)}
LEFT = {("p1", MARCH): (0, 4, 1), ("p2", MARCH): (2, 4, 1)}


@pytest.mark.usefixtures("summed")
@pytest.mark.parametrize("seed", range(2))
def test_many_editions_leave_what_one_edition_with_all_their_rows_would_leave(
    seed: int, edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    """Whichever of them are closed and summed meanwhile, and summed again."""
    random = Random(seed)
    used: Counter[str] = Counter()
    weeks = ["2021-W09", "2021-W10", "2021-W11", "2021-W12", "2021-W13", "2021-W14", "2021-W15", "2021-W16"]
    block = APRIL if seed else MARCH
    for week in [w for w in weeks if block in edition(w).plan.blocks]:
        one = edition(week)
        found = {f"p{n}": random.randint(1, 4) for n in range(8) if random.random() < 0.7}
        left = {p: max(0, 3 - used[p]) for p in found}
        one.enter(duck, {(p, block): (n, n - min(n, left[p]), 0, 0) for p, n in found.items()})
        assert one.allowed[-1] in (
            {(p, block): (left[p], 4, 1) for p, n in found.items() if used[p] and n > left[p]},
            None if not used else {},
        )
        used.update({p: min(n, left[p]) for p, n in found.items()})
        if random.random() < 0.8:
            close(one)
    assert max(used.values()) <= 3


@pytest.mark.usefixtures("summed")
@pytest.mark.parametrize("harm", ["none", "lost", "altered", "forged", "of another block"])
def test_a_sum_is_made_again_where_it_is_lost_and_never_believed_where_it_is_not_what_was_written(
    harm: str, edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    last = three_closed(edition, duck)
    last.enter(duck, LAST)
    (path,) = sums_of(last)
    assert path.parts[-4:-2] == ("register-sums", last.file.parent.name)
    content = path.read_bytes()
    nothing = pq.read_table(path).slice(0, 0)
    if harm in ("lost", "of another block"):
        path.unlink()
    if harm == "altered":
        pq.write_table(nothing, path)
    if harm == "forged":
        pq.write_table(nothing, path.with_name(f"{'0' * 64}.parquet"))
    if harm == "of another block":  # of a charge that has the same key for digests
        other = path.parent.with_name(APRIL) / path.name
        other.parent.mkdir(mode=0o700)
        other.write_bytes(content)
        assert last.register.sums.find(APRIL, frozenset()) is None
    again = edition(WEEKS_OF_MARCH[3])
    again.enter(duck, LAST)
    assert last.allowed + again.allowed == [LEFT, LEFT]
    kept = [p for p in sums_of(again) if p.parent.name == MARCH]
    assert [keyed_digest(p, again.register.sums.key, about=f"sum of {MARCH}") for p in kept] == [kept[0].stem]
    assert kept[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("summed")
def test_a_sum_of_an_entry_that_no_longer_counts_is_not_used(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    first, last = edition(WEEKS_OF_MARCH[0]), edition(WEEKS_OF_MARCH[3])
    first.enter(duck, {("p1", MARCH): (3, 0, 0, 0)})
    stale = frozenset({first.file.stem})
    first.register._summed(duck, MARCH, [first.file], stale)
    assert last.register.sums.find(MARCH, stale) is not None
    first.ledger.void(first.reservation, "nothing was measured")
    assert last.register.sums.find(MARCH, frozenset({"another"})) is None
    last.enter(duck, LAST)
    assert last.allowed == [None]


@pytest.mark.usefixtures("summed")
def test_a_file_of_two_blocks_is_read_once_for_each_though_one_of_them_has_a_sum(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    three_closed(edition, duck)  # in March: three rows of p1, and one of p2
    across = edition(ACROSS)
    across.enter(duck, {("p1", MARCH): (1, 0, 0, 0), ("p1", APRIL): (2, 0, 0, 0)})
    others = across.register._others(duck, across.ledger.register_entries(across.reservation))
    assert others is not None
    kept: Counter[str] = Counter()
    for row in duck.to_pyarrow(others).to_pylist():
        kept[row["block"]] += row["kept"]
    assert kept == {MARCH: 5, APRIL: 2}


@pytest.mark.usefixtures("summed")
def test_a_retry_after_a_sum_was_made_replaces_its_own_entry(
    edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    last = three_closed(edition, duck)
    for _ in range(3):
        last.enter(duck, {("p3", MARCH): (2, 0, 0, 0)})
    assert last.allowed == [{}] * 3
    after = edition(ACROSS)
    after.enter(duck, LAST)
    assert after.allowed == [{**LEFT, ("p3", MARCH): (1, 4, 1)}]


@pytest.mark.usefixtures("summed")
def test_a_lost_file_is_missed_though_a_sum_holds_it(edition: Callable[[str], Edition], duck: ibis.BaseBackend) -> None:
    last = three_closed(edition, duck)
    last.enter(duck, LAST)
    edition(WEEKS_OF_MARCH[1]).file.unlink()
    with pytest.raises(RegisterError, match="has lost or altered a file"):
        edition(WEEKS_OF_MARCH[3]).enter(duck, LAST)


@pytest.mark.usefixtures("summed")
@pytest.mark.parametrize("late", [False, True])
def test_files_of_before_with_hexadecimal_hashes_are_counted(
    late: bool, edition: Callable[[str], Edition], duck: ibis.BaseBackend
) -> None:
    last = three_closed(edition, duck)
    for week in WEEKS_OF_MARCH[:2]:
        one = edition(week)
        table = pq.read_table(one.file)
        hashes = [key.hex() for key in table["hash"].to_pylist()]
        old = table.drop([MARK]).set_column(0, "hash", pa.array(hashes, pa.string()))
        if late:
            row = pa.table(
                {"hash": [""], "block": [MARCH], "kept": [0], "truncated": [0], "marked": [0], MARK: ["ab" * 16]}
            )
            old = old.append_column(MARK, pa.nulls(len(old), pa.string()))
            old = pa.concat_tables([old, row.cast(old.schema)])
        one.file.unlink()
        pq.write_table(old, one.register.folder / "old.parquet")
        digest = one.register._digest(one.register.folder / "old.parquet", one.plan.edition, 1)
        (one.register.folder / "old.parquet").rename(one.register.folder / f"{digest}.parquet")
        renamed(one, digest)
    last.enter(duck, LAST)
    last.enter(duck, LAST)
    assert last.allowed == [LEFT, LEFT]


def renamed(one: Edition, digest: str) -> None:
    """Let the ledger tell another digest of the edition's entry, as if an older version had written its file."""
    told = one.ledger.register_entries

    def entries(reservation: Any) -> Any:
        return [replace(e, digest=digest) if e.edition == one.plan.edition else e for e in told(reservation)]

    one.ledger.register_entries = entries  # type: ignore[method-assign]
