"""What lies beside a ledger and proves what it should know: kept heads, published editions and register files.

Each witness is written after the ledger's commit that it tells of, so it may lag behind the ledger and never leads.
A ledger that lacks what a witness tells of was lost, or restored from an older backup: going on would spend again
and draw noise a second time.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from dp_stats.errors import LedgerError
from dp_stats.files import sha256
from dp_stats.ledger import schema
from dp_stats.ledger.failures import explained
from dp_stats.ledger.records import Head
from dp_stats.transparency.leaves import HEADS

_LINE = re.compile(r"^([0-9a-f]{64}) ([1-9][0-9]*):([0-9a-f]{64})$", re.MULTILINE)
_EDITION = re.compile(r"r[1-9][0-9]*")
_SHOWN = 5
"""Names of one kind that a message lists before it only counts."""


def register_folder(dataset: str, key: str) -> str:
    """Name of the folder that holds a charge's contribution register: 32 hexadecimal digits."""
    return sha256(f"{dataset}/{key}".encode())[:32]


@dataclass(frozen=True)
class Witnesses:
    """Where the witnesses of a ledger lie; what does not exist tells nothing.

    Attributes:
        heads: the file of kept heads, one line ``LEDGER NUMBER:HASH`` each, where LEDGER is the hash of the
            ledger's first entry. registers: the folder of contribution registers, a folder per charge.
        published: folders of editions, each as ``release/period/rN/edition.json``.
    """

    heads: Path
    registers: Path
    published: tuple[Path, ...]

    def tell(self, *, charges: bool = False) -> Testimony:
        """What the witnesses tell now. Read it before the ledger, which is then never behind it.

        Args:
            charges: read also which entries each edition names as having paid for it (one file per edition).

        Raises:
            LedgerError: a witness is there but cannot be read.
        """
        with explained():
            heads: dict[str, dict[int, str]] = {}
            for ledger, number, digest in self._lines():
                heads.setdefault(ledger, {})[number] = digest
            found = {
                (f"{release.name}/{period.name}", int(revision.name[1:])): Path(revision.path, "edition.json")
                for folder in self.published
                for release in _folders(folder)
                for period in _folders(release)
                for revision in _folders(period)
                if _EDITION.fullmatch(revision.name) and os.path.exists(f"{revision.path}/edition.json")
            }
            named = {name: _charges(path) for name, path in found.items()} if charges else {}
            registers = {path.name for path in self.registers.glob("*") if any(path.glob("*.parquet"))}
            log = next((line for folder in self.published if (line := _log_head(folder))), "")
        return Testimony(heads, frozenset(found), frozenset(registers), named, log)

    def keep(self, ledger: str, head: Head) -> None:
        """Append a head to the file of kept heads, on disk when this returns.

        Raises:
            OSError: the file cannot be written.
        """
        descriptor = os.open(self.heads, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            end = os.fstat(descriptor).st_size
            torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"  # a process was killed while it wrote
            os.write(descriptor, f"{chr(10) if torn else ''}{ledger} {head}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _lines(self) -> Iterable[tuple[str, int, str]]:
        try:
            content = self.heads.read_bytes().decode("latin-1")
        except FileNotFoundError:
            return
        for found in _LINE.finditer(content):  # a torn line tells nothing; the next head stands on a line of its own
            ledger, number, digest = found.groups()
            yield ledger, int(number), digest


@dataclass(frozen=True)
class Testimony:
    """What witnesses tell: heads (ledger → number → hash), published editions with revision, register folders.

    ``named``: edition and revision → the entries (``number:hash``) that it names as having paid for it. ``log``: the head of
    the public log (``size:root``), empty if there is none.
    """

    heads: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    editions: frozenset[tuple[str, int]] = frozenset()
    registers: frozenset[str] = frozenset()
    named: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    log: str = ""

    def __bool__(self) -> bool:
        return bool(self.heads or self.editions or self.registers)

    def accepted(self) -> dict[str, Any]:
        """What a new ledger that is made in spite of it writes into its first entry."""
        return {
            "ledgers": sorted(self.heads),
            "editions": sorted(f"{edition}/r{revision}" for edition, revision in self.editions),
            "registers": sorted(self.registers),
            **({"log": self.log} if self.log else {}),
        }

    def newest(self) -> list[str]:
        """The last head of each ledger, ``number:hash``."""
        return [f"{max(heads)}:{heads[max(heads)]}" for heads in self.heads.values()]

    def unknown_to(self, connection: Connection) -> list[str]:
        """What a ledger should know and does not, one line each; empty if it knows all that is told."""
        entry, first = schema.entries.c, _first(connection)
        accepted = json.loads(first.payload).get("without", {})
        lines: list[str] = []
        known = dict(map(tuple, connection.execute(select(entry.sequence, entry.hash))))
        for ledger, heads in self.heads.items():
            lost = [n for n, digest in heads.items() if ledger != first.hash or known.get(n) != digest]
            if lost and ledger not in accepted.get("ledgers", ()):
                what = "entries up to" if ledger == first.hash else "another ledger with entries up to"
                lines.append(
                    f"{what} {max(lost)}:{heads[max(lost)]}, by the heads that were kept; it ends at {max(known)}"
                )
        stored = {(row.edition, row.revision) for each in _EDITIONS for row in connection.execute(select(*each))}
        waived = set(accepted.get("editions", ()))
        lines += _named(
            "the measurements of published editions",
            (f"{e}/r{n}" for e, n in self.editions - stored if f"{e}/r{n}" not in waived),
        )
        heads_known = {str(Head(*pair)) for pair in known.items()} if self.named else set()
        for (edition, revision), entries in self.named.items():
            lost_entries = [head for head in entries if head not in heads_known]
            if lost_entries and f"{edition}/r{revision}" not in waived:
                lines.append(f"entry {', '.join(lost_entries)}, which paid for {edition}/r{revision}")
        c = schema.reservations.c
        charged = {register_folder(r.dataset, r.key) for r in connection.execute(select(c.dataset, c.key).distinct())}
        lines += _named(
            "the charges of contribution registers", self.registers - charged - set(accepted.get("registers", ()))
        )
        return lines


def _folders(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    """The folders in a folder; none if it is not there. Much is published: looking for names alone is fast."""
    try:
        with os.scandir(folder) as found:
            return [one for one in found if one.is_dir()]
    except (FileNotFoundError, PermissionError):
        return []


def _charges(path: Path) -> tuple[str, ...]:
    """The entries that an edition names; none if its facts cannot be read, which its checksums show."""
    try:
        named = json.loads(path.read_bytes())["charges"]
        return tuple(str(head) for head in named)
    except (ValueError, KeyError, TypeError):
        return ()


def _log_head(folder: Path) -> str:
    """The head of the public log in a folder, as ``size:root``; empty if there is none that can be read."""
    try:
        last = json.loads((folder / HEADS).read_bytes().splitlines()[-1])
        return f"{int(last['size'])}:{last['root']}"
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return ""


_EDITIONS = tuple((table.c.edition, table.c.revision) for table in (schema.measurements, schema.descriptions))
"""What a published revision was made of: measurements of its own, or what was described of late rows added to earlier ones."""


def _first(connection: Connection) -> Any:
    found = connection.execute(
        select(schema.entries.c.hash, schema.entries.c.payload).where(schema.entries.c.sequence == 1)
    ).one_or_none()
    if found is None:
        raise LedgerError("The ledger has lost its first entry. Restore the ledger from its backup.")
    return found


def id_of(connection: Connection) -> str:
    """What a ledger is known by in kept heads: the hash of its first entry."""
    return str(_first(connection).hash)


def _named(what: str, names: Iterable[str]) -> list[str]:
    found = sorted(names)
    if not found:
        return []
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{what}: {', '.join(found[:_SHOWN])}{more}"]


def refuse_loss(lines: Iterable[str]) -> None:
    """Refuse a ledger that does not know what it should.

    Raises:
        LedgerError: if there is any line of ``unknown_to``.
    """
    found = list(lines)
    if found:
        raise LedgerError(
            "This ledger knows less than what lies beside it: it was lost, replaced, or restored from an older backup. "
            "Nothing was recorded. It lacks\n  " + "\n  ".join(found) + "\n"
            "Restore the newest backup of the ledger, to its last transaction, and check that DP_STATS_LEDGER_URL names it. "
            "If nothing newer exists, see 'A lost ledger' in docs/explanation/ledger.md before anything is run."
        )


def refuse_new(testimony: Testimony) -> None:
    """Refuse to make a first ledger where something was released before.

    Raises:
        LedgerError: if anything is told.
    """
    if testimony:
        told = [f"the head {head}" for head in testimony.newest()]
        told += _named("published editions", (f"{e}/r{n}" for e, n in testimony.editions))
        told += _named("contribution registers", testimony.registers)
        raise LedgerError(
            "There is no ledger at the ledger's URL, but something was released from here. Nothing was made. There are\n  "
            + "\n  ".join(told)
            + "\nRestore the ledger from its backup, or correct DP_STATS_LEDGER_URL. A new ledger has forgotten all spending: "
            "only if the old one is lost for ever, read 'A lost ledger' in docs/explanation/ledger.md, then run with --new-ledger."
        )
