"""The contribution register: what each person has already contributed to other editions of a series.

A series is charged once per block because the *sum* over its editions of one person's kept rows never
exceeds the bound (individual accounting: Feldman and Zrnic 2021; the argument is in docs/explanation/series-cost-once.md).
Per charge and edition there is one Parquet file in the secure store (``secure.entries``): keyed hash of the person, block, kept
rows, truncated rows counted, and whether the person counts as truncated. The file's keyed digest stands in the ledger.
An edition that cannot read the file of every edition that shares a block with it exactly as it was written is refused.
What others used is added up and joined in the engine that holds the rows, from verified copies (``secure.copies``), and
what closed editions used is kept added up (``secure.sums``).

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
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import ibis
import ibis.expr.types as ir

from dp_stats.errors import RegisterError
from dp_stats.files import replaced
from dp_stats.ledger.witnesses import register_folder
from dp_stats.plan.model import Plan
from dp_stats.secure import entries as entry_files
from dp_stats.secure.bound import COUNTED, KEPT, MARKED, Bounded
from dp_stats.secure.copies import Copies
from dp_stats.secure.engines import HASH_LENGTH, held, sha256_hex
from dp_stats.secure.entries import AMOUNTS, amounts, by_person, remembered, short, sums_of, together, with_marks
from dp_stats.secure.late import Views, marks_of, told_apart, unseen
from dp_stats.secure.rows import BLOCK, PERSON, Rows
from dp_stats.secure.secret import keyed_digest
from dp_stats.secure.staging import PRIVATE_FILE, secure_folder
from dp_stats.secure.sums import SUMMED_AT, Sum, Sums, notes

if TYPE_CHECKING:
    from dp_stats.ledger import Ledger, Reservation
    from dp_stats.ledger.records import RegisterEntry

T = TypeVar("T")

ATTEMPTS = 50
"""How often an edition starts again because another one of its series registered at the same moment."""


class Register:
    """The register of one charge, as seen by one edition. ``close`` removes the private copies that it read."""

    def __init__(self, secure: Path, *, ledger: Ledger, reservation: Reservation, plan: Plan, key: bytes) -> None:
        self.ledger, self.reservation, self.plan = ledger, reservation, plan
        charge = f"{reservation.dataset}/{reservation.key}"
        folder = register_folder(reservation.dataset, reservation.key)
        self.folder = secure_folder(secure_folder(secure) / "register") / folder
        self.digest_key = hmac.new(key, f"register/{charge}".encode(), hashlib.sha256).digest()
        self.row_key = hmac.new(key, f"rows/{charge}".encode(), hashlib.sha256).hexdigest()
        self.person_key = hmac.new(key, f"persons/{charge}".encode(), hashlib.sha256).hexdigest()
        self.copies = Copies(secure)
        sums = secure_folder(secure_folder(secure / "register-sums") / folder)
        self.sums = Sums(sums, hmac.new(key, f"sums/{charge}".encode(), hashlib.sha256).digest(), self.copies)
        self._found: list[tuple[Rows, ir.Table]] = []

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was copied; nothing that the register has returned may be computed after."""
        self._found.clear()
        self.copies.close()

    def enter(self, backend: ibis.BaseBackend, rows: Rows, bounded: Callable[[ir.Table | None], Bounded]) -> Bounded:
        """Bound the rows by what is left to each person, and register what they contribute.

        Raises:
            RegisterError: a file is missing or altered, or other editions kept registering in between.
        """

        def once(others: ir.Table | None) -> tuple[Bounded, ir.Table]:
            used = None if others is None else amounts(others)
            kept = bounded(self._allowances(backend, rows, used))
            return kept, with_marks(self._contributions(backend, rows, kept), None)

        return self._enter(backend, once)

    def enter_late(
        self, backend: ibis.BaseBackend, views: Views, bounded: Callable[[Rows, ir.Table | None], Bounded]
    ) -> tuple[Bounded, Bounded | None]:
        """The same where late rows count: first the edition's own rows, then late ones within what is left then.

        Returns:
            The bounded rows of the edition's own period, and of the late periods; truncated late rows are not counted.
        """
        own = self._told_apart(backend, views.own)
        late = None if views.late is None else self._told_apart(backend, views.late)

        def once(others: ir.Table | None) -> tuple[tuple[Bounded, Bounded | None], ir.Table]:
            used, seen = (None, None) if others is None else (amounts(others), remembered(others))
            rows = unseen(backend, own, seen)
            kept = bounded(rows, self._allowances(backend, rows, used))
            entry, looked_at, kept_late = held(backend, self._contributions(backend, rows, kept)), [rows], None
            if late is not None:
                left = unseen(backend, late, seen)
                more_used = entry if used is None else used.union(entry)
                kept_late = bounded(left, self._allowances(backend, left, more_used))
                more = _kept_only(self._contributions(backend, left, kept_late))
                entry, looked_at = by_person(entry.union(more), "sum"), [rows, left]
            return (kept, kept_late), with_marks(entry, marks_of(looked_at))

        return self._enter(backend, once)

    def _told_apart(self, backend: ibis.BaseBackend, rows: Rows) -> Rows:
        return told_apart(backend, rows, self.row_key, self._hash(backend, rows.table[PERSON]))

    def _enter(self, backend: ibis.BaseBackend, once: Callable[[ir.Table | None], tuple[T, ir.Table]]) -> T:
        """Read, bound, register; from the start if another edition registered in between.

        Args:
            once: what others have used, and the rows that they looked at → what is kept, and the edition's own entry.
        """
        for _ in range(ATTEMPTS):
            entries = self.ledger.register_entries(self.reservation)
            counting = [e for e in entries if not e.replaced]
            kept, entry = once(self._others(backend, [e for e in counting if not self._is_own(e)]))
            own = [self._verified(e) for e in counting if self._is_own(e)]
            if self._record(backend, entry, own=own, expected=len(entries)):
                return kept
        raise RegisterError(
            "Other editions of this series kept registering at the same time. Run this edition again when they have ended."
        )

    def _is_own(self, entry: RegisterEntry) -> bool:
        return (entry.edition, entry.revision) == (self.reservation.edition, self.reservation.revision)

    def _others(self, backend: ibis.BaseBackend, entries: Sequence[RegisterEntry]) -> ir.Table | None:
        """What other editions registered of the blocks of this one, verified; None where they registered nothing there."""
        for entry in entries:
            if not self._path(entry).is_file():
                raise self._lost()
        standing = {e.digest: self.ledger.reservation(e.edition, e.revision) for e in entries}
        blocks_of: dict[tuple[Path, ...], list[str]] = {}
        for block in self.plan.blocks:
            here = [e for e in entries if _shares(block, e, standing[e.digest])]
            closed = {e.digest for e in here if _is_closed(e, standing[e.digest])}
            blocks_of.setdefault(self._files(backend, block, here, closed), []).append(block)
        parts = [entry_files.read(backend, files, blocks=blocks) for files, blocks in blocks_of.items()]
        found = [part for part in parts if part is not None]
        return entry_files.union(found) if found else None

    def _files(
        self, backend: ibis.BaseBackend, block: str, entries: Sequence[RegisterEntry], closed: set[str]
    ) -> tuple[Path, ...]:
        """Verified copies of files that together hold a block once: a sum of closed editions, and the others' own files."""
        known = self.sums.find(block, closed) if len(closed) >= SUMMED_AT else None
        summed: frozenset[str] = known.digests if known is not None else frozenset()
        left = [e for e in entries if e.digest not in summed]
        files = {e.digest: self._verified(e) for e in left}
        more = closed - summed
        if len(more) >= SUMMED_AT:
            parts = [*([known.file] if known is not None else []), *(files.pop(digest) for digest in sorted(more))]
            known = self._summed(backend, block, parts, summed | more)
        return (*([known.file] if known is not None else []), *files.values())

    def _summed(
        self, backend: ibis.BaseBackend, block: str, files: Sequence[Path], digests: frozenset[str]
    ) -> Sum | None:
        """Add up closed editions' entries of a block and keep the sum; None where they hold nothing of it."""
        found = entry_files.read(backend, files, blocks=(block,))
        if found is None:
            return None
        draft = self.copies.draft()
        self._write(backend, together(found, "sum"), draft, notes(digests), ordered=False)
        return self.sums.keep(block, draft, digests)

    def _allowances(self, backend: ibis.BaseBackend, rows: Rows, used: ir.Table | None) -> ir.Table | None:
        """What others have left to each person of the snapshot who has more rows than that.

        Whoever has no more rows in a block than are left to her loses none of them, and needs no allowance.
        """
        if used is None:
            return None
        index = ibis.cases(*((used["block"] == label, at) for at, label in enumerate(rows.blocks)), else_=-1)
        used = used.select("hash", *AMOUNTS, **{BLOCK: index.cast("int32")})
        known = self._persons(backend, rows).inner_join(used, ["hash", BLOCK])
        known = known.group_by([PERSON, BLOCK]).aggregate(found=known["found"].max(), **sums_of(known))
        left = known.select(
            PERSON,
            BLOCK,
            "found",
            rows_left=_at_least_zero(self.plan.contribution_rows, known["kept"]),
            truncated_left=_at_least_zero(self.plan.truncated_rows_cap, known["truncated"]),
            mark_left=_at_least_zero(1, known["marked"]),
        )
        without_loss = left["rows_left"].clip(upper=1) if self.plan.one_per_cell else left["rows_left"]
        return held(backend, left.filter(left["found"] > without_loss).drop("found"))

    def _persons(self, backend: ibis.BaseBackend, rows: Rows) -> ir.Table:
        """Every person of the rows in each block: how many rows were found, and the hash that stands for her."""
        known = next((table for of, table in self._found if of is rows), None)
        if known is None:
            found = rows.table.group_by([PERSON, BLOCK]).aggregate(found=rows.table.count())
            known = held(backend, found.mutate(hash=short(backend, self._hash(backend, found[PERSON]))))
            self._found.append((rows, known))
        return known

    def _hash(self, backend: ibis.BaseBackend, person: ir.StringValue) -> ir.StringValue:
        return sha256_hex(backend, ibis.literal(self.person_key) + person).substr(0, HASH_LENGTH)

    def _contributions(self, backend: ibis.BaseBackend, rows: Rows, kept: Bounded) -> ir.Table:
        """What each person contributes to this edition."""
        candidates = kept.candidates
        dropped = candidates.group_by([PERSON, BLOCK]).aggregate(
            dropped=(~candidates[KEPT]).sum(), truncated=candidates[COUNTED].sum(), marked=candidates[MARKED].sum()
        )
        joined = self._persons(backend, rows).left_join(dropped, [PERSON, BLOCK])
        label = ibis.cases(*((joined[BLOCK] == at, label) for at, label in enumerate(rows.blocks)), else_="")
        counted = {
            "kept": joined["found"] - joined["dropped"].fill_null(0),
            "truncated": joined["truncated"].fill_null(0),
            "marked": joined["marked"].fill_null(0),
        }
        return joined.select("hash", block=label, **{name: amount.cast("int32") for name, amount in counted.items()})

    def _record(self, backend: ibis.BaseBackend, entry: ir.Table, *, own: Sequence[Path], expected: int) -> bool:
        """Write the file, then its digest to the ledger; false if another edition registered first.

        Per person and block it holds the largest amounts that any attempt at the edition has registered, and the rows that
        any of them looked at. A random mark makes each version's digest its own: equal contents are not recognised as
        such by the ledger.
        """
        earlier = entry_files.read(backend, own)
        if earlier is not None:
            entry = together(entry.union(earlier), "max")
        draft = self.copies.draft()
        self._write(backend, entry, draft, {"attempt": secrets.token_hex(16)}, ordered=True)
        digest = self._digest(draft, self.reservation.edition, self.reservation.revision)
        with replaced(secure_folder(self.folder) / f"{digest}.parquet", mode=PRIVATE_FILE) as target:
            self.copies.copy(draft, target)
        draft.unlink()
        return self.ledger.register_entry(self.reservation, expected=expected, digest=digest)

    def _write(
        self, backend: ibis.BaseBackend, entry: ir.Table, path: Path, about: dict[str, str], *, ordered: bool
    ) -> None:
        entry_files.write(backend, entry, path, notes=about, folder=self.copies.folder, ordered=ordered)

    def _path(self, entry: RegisterEntry) -> Path:
        return self.folder / f"{entry.digest}.parquet"

    def _verified(self, entry: RegisterEntry) -> Path:
        """A private copy of an entry's file, which is as it was written."""
        about = _about(entry.edition, entry.revision)
        copy = self.copies.verified(self._path(entry), key=self.digest_key, about=about, digest=entry.digest)
        if copy is None:
            raise self._lost()
        return copy

    def _lost(self) -> RegisterError:
        return RegisterError(
            f"The contribution register of series {self.plan.release} has lost or altered a file in {self.folder}. "
            "Restore the secure store from its backup. Without it this series can release nothing more in the blocks "
            "it has been charged for; a new release with its own charge can."
        )

    def _digest(self, file: Path, edition: str, revision: int) -> str:
        """The keyed digest that stands in the ledger; of another edition it differs even if the same people count."""
        return keyed_digest(file, self.digest_key, about=_about(edition, revision))


def _about(edition: str, revision: int) -> str:
    return f"{edition}+r{revision}"


def _shares(block: str, entry: RegisterEntry, standing: Reservation | None) -> bool:
    """Whether an entry may say something of a block: its edition counts rows of it, or the ledger does not tell."""
    return standing is None or standing.id != entry.reservation or block in standing.blocks


def _is_closed(entry: RegisterEntry, standing: Reservation | None) -> bool:
    return standing is not None and standing.id == entry.reservation and standing.state == "stored"


def _at_least_zero(most: int, used: ir.IntegerValue) -> ir.IntegerValue:
    return (most - used).clip(lower=0)


def _kept_only(used: ir.Table) -> ir.Table:
    """Contributions without what is truncated of late rows, which is not counted."""
    return used.mutate(truncated=ibis.literal(0, type="int32"), marked=ibis.literal(0, type="int32"))
