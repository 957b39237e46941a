"""The contribution register: what each person has already contributed to other editions of a series.

A series is charged once per block because the *sum* over its editions of one person's kept rows never
exceeds the bound (individual accounting: Feldman and Zrnic 2021; the argument is in docs/explanation/series-cost-once.md).
Per charge and edition there is one Parquet file in the secure store: keyed hash of the person, block, kept
rows, truncated rows counted, and whether the person counts as truncated. The file's keyed digest stands in the ledger.
An edition that cannot read every other edition's file exactly as it was written is refused.

The order makes it safe: read → bound → write the file → record its digest if nobody else registered since
(compare and swap; else start again) → aggregate → draw. A retry never lowers what its own first attempt
registered, because that attempt may still be under way.

A series that counts late rows keeps more: a keyed hash of every row that an edition looked at (``secure.late``), so that
another one counts only what nobody has. A late row uses the same allowance as any other.

Every attempt records a version of its own, whatever it counted, and only the latest may store. So which attempt's
rows are measured follows from the order in which attempts registered, never from whether their rows were equal.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dp_stats.errors import RegisterError
from dp_stats.files import replaced
from dp_stats.ledger.witnesses import register_folder
from dp_stats.plan.model import Plan
from dp_stats.secure.bound import COUNTED, KEPT, MARKED, Bounded
from dp_stats.secure.engines import HASH_LENGTH, held, sha256_hex
from dp_stats.secure.late import (
    MARK,
    Views,
    amounts,
    marks_of,
    remembered,
    told_apart,
    unseen,
    with_marks,
    without_repeats,
)
from dp_stats.secure.rows import BLOCK, PERSON, Rows
from dp_stats.secure.staging import PRIVATE_FILE, secure_folder

if TYPE_CHECKING:
    from dp_stats.ledger import Ledger, Reservation
    from dp_stats.ledger.records import RegisterEntry

T = TypeVar("T")

ATTEMPTS = 50
"""How often an edition starts again because another one of its series registered at the same moment."""

_KEYS, _AMOUNTS = ["hash", "block"], ["kept", "truncated", "marked"]
SCHEMA = pa.schema([*((key, pa.string()) for key in _KEYS), *((amount, pa.int64()) for amount in _AMOUNTS)])


class Register:
    """The register of one charge, as seen by one edition."""

    def __init__(self, secure: Path, *, ledger: Ledger, reservation: Reservation, plan: Plan, key: bytes) -> None:
        self.ledger, self.reservation, self.plan = ledger, reservation, plan
        charge = f"{reservation.dataset}/{reservation.key}"
        self.folder = secure_folder(secure_folder(secure) / "register") / register_folder(
            reservation.dataset, reservation.key
        )
        self.digest_key = hmac.new(key, f"register/{charge}".encode(), hashlib.sha256).digest()
        self.row_key = hmac.new(key, f"rows/{charge}".encode(), hashlib.sha256).hexdigest()
        self.person_key = hmac.new(key, f"persons/{charge}".encode(), hashlib.sha256).hexdigest()

    def enter(self, backend: ibis.BaseBackend, rows: Rows, bounded: Callable[[ir.Table | None], Bounded]) -> Bounded:
        """Bound the rows by what is left to each person, and register what they contribute.

        Raises:
            RegisterError: a file is missing or altered, or other editions kept registering in between.
        """

        def once(others: pa.Table, seen: pa.Table) -> tuple[Bounded, pa.Table]:
            kept = bounded(self._allowances(backend, rows, others))
            return kept, self._contributions(backend, rows, kept)

        return self._enter(once)

    def enter_late(
        self, backend: ibis.BaseBackend, views: Views, bounded: Callable[[Rows, ir.Table | None], Bounded]
    ) -> tuple[Bounded, Bounded | None]:
        """The same where late rows count: first the edition's own rows, then late ones within what is left then.

        Returns:
            The bounded rows of the edition's own period, and of the late periods; truncated late rows are not counted.
        """
        own = self._told_apart(backend, views.own)
        late = None if views.late is None else self._told_apart(backend, views.late)

        def once(others: pa.Table, seen: pa.Table) -> tuple[tuple[Bounded, Bounded | None], pa.Table]:
            rows = unseen(backend, own, seen)
            kept = bounded(rows, self._allowances(backend, rows, others))
            entry, looked_at, kept_late = self._contributions(backend, rows, kept), [rows], None
            if late is not None:
                left = unseen(backend, late, seen)
                used = _by_person(pa.concat_tables([others, entry]), "sum")
                kept_late = bounded(left, self._allowances(backend, left, used))
                more = _kept_only(self._contributions(backend, left, kept_late))
                entry, looked_at = _by_person(pa.concat_tables([entry, more]), "sum"), [rows, left]
            return (kept, kept_late), with_marks(entry, marks_of(looked_at))

        return self._enter(once)

    def _told_apart(self, backend: ibis.BaseBackend, rows: Rows) -> Rows:
        return told_apart(backend, rows, self.row_key, self._hash(backend, rows.table[PERSON]))

    def _enter(self, once: Callable[[pa.Table, pa.Table], tuple[T, pa.Table]]) -> T:
        """Read, bound, register; from the start if another edition registered in between.

        Args:
            once: what others have used, and the rows that they looked at → what is kept, and the edition's own entry.
        """
        for _ in range(ATTEMPTS):
            entries = self.ledger.register_entries(self.reservation)
            others, seen = self._others(entries)
            own = self._own(entries)
            kept, used = once(others, seen)
            entry = used if own is None else _highest(own, used)
            if self._record(entry, expected=len(entries)):
                return kept
        raise RegisterError(
            "Other editions of this series kept registering at the same time. Run this edition again when they have ended."
        )

    def _others(self, entries: Sequence[RegisterEntry]) -> tuple[pa.Table, pa.Table]:
        """What the other editions registered, added up per person and block of this edition; and the rows they looked at."""
        tables = [self._read(e) for e in entries if not e.replaced and not self._is_own(e)]
        here = [t.filter(pc.is_in(t["block"], value_set=pa.array(self.plan.blocks))) for t in tables]
        used = pa.concat_tables([amounts(t) for t in here]) if here else SCHEMA.empty_table()
        return _by_person(used, "sum"), without_repeats([remembered(t) for t in here])

    def _own(self, entries: Sequence[RegisterEntry]) -> pa.Table | None:
        """What an earlier attempt at this edition registered."""
        found = [self._read(e) for e in entries if not e.replaced and self._is_own(e)]
        return found[-1] if found else None

    def _is_own(self, entry: RegisterEntry) -> bool:
        return (entry.edition, entry.revision) == (self.reservation.edition, self.reservation.revision)

    def _allowances(self, backend: ibis.BaseBackend, rows: Rows, others: pa.Table) -> ir.Table | None:
        """What is left to each person of the snapshot who contributed to other editions."""
        others = others.filter(pc.is_in(others["block"], value_set=pa.array(rows.blocks)))
        if not len(others):
            return None
        left = {
            "hash": others["hash"],
            BLOCK: pc.cast(pc.index_in(others["block"], value_set=pa.array(rows.blocks)), pa.int32()),
            "rows_left": _at_least_zero(self.plan.contribution_rows, others["kept"]),
            "truncated_left": _at_least_zero(self.plan.truncated_rows_cap, others["truncated"]),
            "mark_left": _at_least_zero(1, others["marked"]),
        }
        persons = rows.table.select(PERSON).distinct()
        persons = persons.mutate(hash=self._hash(backend, persons[PERSON]))
        return held(backend, persons.inner_join(ibis.memtable(pa.table(left)), "hash").drop("hash"))

    def _hash(self, backend: ibis.BaseBackend, person: ir.StringValue) -> ir.StringValue:
        return sha256_hex(backend, ibis.literal(self.person_key) + person).substr(0, HASH_LENGTH)

    def _contributions(self, backend: ibis.BaseBackend, rows: Rows, kept: Bounded) -> pa.Table:
        """What each person contributes to this edition."""
        found = rows.table.group_by(PERSON, BLOCK).aggregate(found=rows.table.count())
        candidates = kept.candidates
        dropped = candidates.group_by(PERSON, BLOCK).aggregate(
            dropped=(~candidates[KEPT]).sum(), truncated=candidates[COUNTED].sum(), marked=candidates[MARKED].sum()
        )
        joined = found.left_join(dropped, [PERSON, BLOCK])
        table = joined.select(
            hash=self._hash(backend, joined[PERSON]),
            block=joined[BLOCK],
            kept=joined["found"] - joined["dropped"].fill_null(0),
            truncated=joined["truncated"].fill_null(0),
            marked=joined["marked"].fill_null(0),
        ).to_pyarrow()
        labels = pa.array(rows.blocks).take(table["block"])
        return _by_person(table.set_column(1, "block", labels).cast(SCHEMA), "sum")

    def _record(self, entry: pa.Table, *, expected: int) -> bool:
        """Write the file, then its digest to the ledger; false if another edition registered first.

        A random mark makes each version's digest its own: equal contents are not recognised as such by the ledger.
        """
        content = io.BytesIO()
        entry = entry.replace_schema_metadata({"attempt": secrets.token_hex(16)})
        pq.write_table(entry, content, compression="zstd")
        digest = self._digest(content.getvalue(), self.reservation.edition, self.reservation.revision)
        target = secure_folder(self.folder) / f"{digest}.parquet"
        with replaced(target, mode=PRIVATE_FILE) as draft:
            draft.write_bytes(content.getvalue())
        return self.ledger.register_entry(self.reservation, expected=expected, digest=digest)

    def _read(self, entry: RegisterEntry) -> pa.Table:
        try:
            content = (self.folder / f"{entry.digest}.parquet").read_bytes()
        except OSError:
            content = b""
        if not hmac.compare_digest(self._digest(content, entry.edition, entry.revision), entry.digest):
            raise RegisterError(
                f"The contribution register of series {self.plan.release} has lost or altered a file in {self.folder}. "
                "Restore the secure store from its backup. Without it this series can release nothing more in the blocks "
                "it has been charged for; a new release with its own charge can."
            )
        return pq.read_table(io.BytesIO(content))

    def _digest(self, content: bytes, edition: str, revision: int) -> str:
        """The keyed digest that stands in the ledger; of another edition it differs even if the same people count."""
        return hmac.new(self.digest_key, f"{edition}+r{revision}\0".encode() + content, hashlib.sha256).hexdigest()


def _at_least_zero(most: int, used: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.max_element_wise(pc.subtract(most, used), 0)


def _highest(first: pa.Table, second: pa.Table) -> pa.Table:
    """Per person and block the larger amounts of the two, and the rows that either looked at."""
    largest = _by_person(pa.concat_tables([amounts(first), amounts(second)]), "max")
    if MARK not in second.column_names:
        return largest
    return with_marks(largest, without_repeats([remembered(first), remembered(second)]))


def _kept_only(used: pa.Table) -> pa.Table:
    """Contributions without what is truncated of late rows, which is not counted."""
    nothing = pa.array([0] * len(used), pa.int64())
    return pa.table({name: used[name] if name in (*_KEYS, "kept") else nothing for name in used.column_names})


def _by_person(table: pa.Table, how: str) -> pa.Table:
    """One row per person and block, in a fixed order."""
    grouped = table.group_by(_KEYS).aggregate([(amount, how) for amount in _AMOUNTS])
    columns = {**{key: grouped[key] for key in _KEYS}, **{amount: grouped[f"{amount}_{how}"] for amount in _AMOUNTS}}
    return pa.table(columns).sort_by([(key, "ascending") for key in _KEYS])
