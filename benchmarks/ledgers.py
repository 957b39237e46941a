"""Ledgers of any size, as a catalogue of weekly releases fills them, for benchmarks.

Half of the releases are series; one edition in twenty is a request that a custodian approved. The first week goes through the
functions that a run calls. The entries of later weeks are made from those of the first, with a chain of their own, and the tables
follow from them.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from benchmarks.many_releases import declare
from dp_stats.catalogue import Catalogue, load_catalogue, yaml
from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.ledger import Ledger, Witnesses, approving, describing, disclosing, measuring, reserving, schema
from dp_stats.ledger.chain import Writer, canonical, entry_of, hash_of, instant
from dp_stats.ledger.database import Database
from dp_stats.ledger.projection import apply
from dp_stats.ledger.rebuilding import Rebuilt
from dp_stats.ledger.records import Entry
from dp_stats.ledger.sealing import unpacked
from dp_stats.plan import make_sealed
from dp_stats.plan.sealed import SealedPlan, sha256
from dp_stats.plan.sealed import canonical as written
from dp_stats.settings import Settings, load_settings

EACH = 7
"""Entries of an edition: reserved, registered (of a series) or approved (of a request), spent, stored, disclosed, …"""
RELEASES = 10
MEASURED = 4_000
"""Bytes of an edition's stored measurements: those of 400 areas."""
REQUESTS = 20
"""One edition in so many is a request."""


def weeks_before(today: date, number: int) -> list[Period]:
    """The last whole weeks, oldest first."""
    monday = today - timedelta(days=today.weekday())
    days = [monday - timedelta(weeks=back) for back in range(number, 0, -1)]
    return [parse_period("{}-W{:02d}".format(*day.isocalendar()[:2])) for day in days]


@dataclass(frozen=True)
class Filled:
    """A ledger of one size and what belongs to it, in a folder."""

    folder: Path
    entries: int
    weeks: int

    @property
    def releases(self) -> int:
        return max(2, round(self.entries / (self.weeks * EACH)))

    @property
    def settings(self) -> Settings:
        home = {"DP_STATS_HOME": str(self.folder / "home"), "DP_STATS_CATALOGUE": str(self.folder / "catalogue")}
        return load_settings(home)

    @property
    def witnesses(self) -> Witnesses:
        return Witnesses(self.settings.heads, self.settings.secure / "register", (self.settings.public_dir,))

    def declare(self) -> None:
        """Write the catalogue: weekly releases, every second one a series, with a budget that all of them fit in."""
        place = self.folder / "catalogue"
        declare(place, math.ceil(self.releases / RELEASES), min(RELEASES, self.releases))
        first = weeks_before(datetime.now(UTC).date(), self.weeks)[0].start
        for file in sorted(place.glob("datasets/*.yaml")):
            file.write_text(yaml.write({**yaml.parse(file.read_text()), "budget": {"rho": 100_000}}))
        for number, file in enumerate(sorted(place.glob("releases/*.yaml"))):
            never = ("end", "late", "schedule", "holidays") if number % REQUESTS == 1 else ("end", "late")
            told = {name: value for name, value in yaml.parse(file.read_text()).items() if name not in never}
            file.write_text(yaml.write({**told, "start": first, "series": number % 2 == 0}))

    def fill(self, url: str) -> None:
        """Make the ledger, with the head of every commit kept beside it."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        catalogue = load_catalogue(self.folder / "catalogue")
        weeks = weeks_before(datetime.now(UTC).date(), self.weeks)
        Ledger.open(url, clock=lambda: moment_in(weeks[0], -1))
        with Database(url, read_only=False).write() as connection:
            first_week(Writer(connection, moment_in(weeks[0], 8)), catalogue, weeks[0])
            go_on(connection, weeks)
        with Ledger.open(url, read_only=True)._database.read() as connection:
            rows = connection.execute(
                select(schema.entries.c.sequence, schema.entries.c.hash).order_by("sequence")
            ).all()
        self.settings.heads.write_text("".join(f"{rows[0].hash} {row.sequence}:{row.hash}\n" for row in rows))


def moment_in(week: Period, days: int) -> datetime:
    return datetime.combine(week.start + timedelta(days=days), datetime.min.time(), tzinfo=UTC)


def first_week(writer: Writer, catalogue: Catalogue, week: Period) -> None:
    """One edition of every release, as runs make them; one in twenty is a request."""
    invented = random.Random(0)
    made = {
        series: make_sealed(catalogue, next(r for r in catalogue.releases.values() if r.series is series), week)
        for series in (True, False)
    }
    for number, release in enumerate(catalogue.releases.values()):
        asked = number % REQUESTS == 1
        name = f"{release.id}-asked" if asked else release.id
        sealed = of_edition(made[release.series], dataset=release.dataset, release=name, period=week)
        _edition(writer, sealed, catalogue.dataset_of(release), invented, asked=asked)


def _edition(writer: Writer, sealed: SealedPlan, dataset: Dataset, invented: random.Random, *, asked: bool) -> None:
    plan = sealed.plan
    if asked:
        shown = dict.fromkeys(plan.blocks, "1/1000000")
        for user in approving.custodians_of(dataset):
            decided: dict[str, Any] = {"approver": user, "decision": "approved", "reason": ""}
            ends = writer.now + timedelta(days=30)
            approving.record(writer, plan_hash=plan.hash, shown=shown, expires=ends, **decided)
    made = reserve(writer, sealed, dataset, asked=asked)
    if made.series:
        known = measuring.register_entries(writer.connection, made)
        digest = hashlib.sha256(plan.edition.encode()).hexdigest()
        measuring.register(writer, made, expected=len(known), digest=digest)
    measuring.spend(writer, made, registered=None)
    measuring.store(writer, made, invented.randbytes(MEASURED), registered=None)
    publish(writer, made, invented)


def go_on(connection: Connection, weeks: list[Period]) -> None:
    """The editions of all weeks after the first: their entries are made from those of the first, and all tables from these."""
    rows = connection.execute(select(schema.entries).order_by(schema.entries.c.sequence)).mappings().all()
    first, rebuilt = [entry_of(row) for row in rows], Rebuilt()
    for row, entry in zip(rows, first, strict=True):
        apply(rebuilt, entry, at=row["at"])
    kept = {row.hash: unpacked(row.content) for row in connection.execute(select(schema.parts))}
    following = _Following(first, kept, invented=random.Random(1))
    added: list[dict[str, Any]] = []
    for number, week in enumerate(weeks[1:], start=1):
        for event, payload in following.week(week, number):
            last = added[-1] if added else {"sequence": len(rows), "hash": first[-1].hash}
            row = {"sequence": last["sequence"] + 1, "previous": last["hash"], "at": instant(moment_in(week, 8))}
            row |= {"event": event, "payload": canonical(payload)}
            added.append({**row, "hash": hash_of(**row)})
            apply(rebuilt, entry_of(added[-1]), at=row["at"], content=following.stored)  # type: ignore[arg-type]
    connection.execute(insert(schema.entries), added)
    connection.execute(update(schema.head).values(sequence=added[-1]["sequence"], hash=added[-1]["hash"]))
    packed = [{"hash": name, "size": len(p), "content": zlib.compress(p)} for name, p in following.parts.items()]
    connection.execute(insert(schema.parts), packed)
    for table in schema.projections:
        columns = list(table.c)
        all_rows = [dict(zip(table.c.keys(), row, strict=True)) for row in rebuilt.rows(table, columns)]
        if table is schema.measurements:
            all_rows = [row for row in all_rows if row["reservation"] > len(rows)]
        else:
            connection.execute(delete(table))
        if all_rows:
            connection.execute(insert(table), all_rows)


class _Following:
    """Entries of later weeks, from those of the first."""

    def __init__(self, first: list[Entry], kept: Mapping[str, bytes], *, invented: random.Random) -> None:
        self.parts: dict[str, bytes] = {}
        self.stored = b""
        self._kept = kept
        self._invented = invented
        self._next = len(first) + 1
        self._paid: set[tuple[str, str]] = set()
        self._editions: list[list[Entry]] = []
        known: dict[str, list[Entry]] = {}
        for entry in first[1:]:
            of = entry.payload.get("edition") or next(
                e.payload["edition"]
                for e in first
                if e.event == "reserved" and e.payload["plan"] == entry.payload["plan"]
            )
            known.setdefault(of, []).append(entry)
            self._paid |= {(entry.payload["key"], b) for b in entry.payload.get("charged", ())}
        self._editions = list(known.values())

    def week(self, week: Period, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
        for entries in self._editions:
            yield from self._edition(entries, week, number)

    def _edition(self, entries: list[Entry], week: Period, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
        told = next(e.payload for e in entries if e.event == "reserved")
        document = json.loads(self._kept[told["plan"]])
        document["plan"] |= {"period": week.label}
        same = {told["plan"]: self._part(canonical(document).encode()), told["period"]: week.label}
        same[told["edition"]] = f"{told['release']}/{week.label}"
        block, reservation = str(week.end.year), 0
        for entry in entries:
            payload = {name: same.get(v, v) if isinstance(v, str) else v for name, v in entry.payload.items()}
            if "blocks" in payload:
                payload["blocks"] = [block]
            if entry.event == "reserved":
                reservation = self._next
                payload["charged"] = [] if (payload["key"], block) in self._paid else [block]
                self._paid.add((payload["key"], block))
            elif "reservation" in payload:
                payload["reservation"] = reservation
            payload |= self._invent(entry.event, number, payload)
            self._next += 1
            yield entry.event, payload

    def _invent(self, event: str, number: int, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What each edition has of its own."""
        if event == "registered":
            return {"sequence": number + 1, "digest": self._invented.randbytes(32).hex()}
        if event == "stored":
            self.stored = self._invented.randbytes(MEASURED)
            return {"checksum": hashlib.sha256(self.stored).hexdigest(), "size": MEASURED}
        if event == "publishing":
            return {"description": described(payload["edition"], self._invented, self._part)}
        if event == "published":
            return {"checksum": self._part(checksums(self._invented))}
        return {}

    def _part(self, content: bytes) -> str:
        self.parts[sha256(content)] = content
        return sha256(content)


def reserve(writer: Writer, sealed: SealedPlan, dataset: Dataset, *, asked: bool = False) -> Any:
    """Reserve as a run does."""
    who = {"category": "adhoc", "requested_by": "analyst", "reason": "a question"}
    scheduled = {"category": "scheduled", "requested_by": "scheduler", "reason": "scheduled edition"}
    said: Any = who if asked else scheduled
    rest: Any = {"holders": {}, "revision": 1, "run": "a_dag/a_run", "required_approvers": (), "new_series": True}
    return reserving.reserve(writer, sealed, dataset=dataset, **said, **rest)


def publish(writer: Writer, made: Any, invented: random.Random) -> None:
    """Tell of an edition and describe it, with facts and checksums as large as a real edition's."""
    writer.append("disclosed", disclosing._payload(made, 1))
    looks = b'["en","",""]'
    parts = {sha256(looks): looks}

    def part(content: bytes) -> str:
        parts[sha256(content)] = content
        return sha256(content)

    names = {"document": described(made.edition, invented, part), "looks": sha256(looks)}
    told: Any = {**names, "parts": parts, "checksums": b"", "published": None, "measured": 1}
    describing.describe(writer, made.edition, 1, **told)
    describing.publish(writer, made.edition, 1, checksums=checksums(invented), software={"dp-stats": "1"})


def described(edition: str, invented: random.Random, part: Callable[[bytes], str]) -> str:
    """The document of what an edition's files say, which ``part`` keeps."""
    facts = part(json.dumps({"edition": edition, "facts": invented.randbytes(1500).hex()}).encode())
    said = {"revision": {"number": 1}, "provenance": {}}
    return part(json.dumps({"format": 1, "facts": said, "parts": [facts]}).encode())


def checksums(invented: random.Random) -> bytes:
    return "".join(f"{invented.randbytes(32).hex()}  file-{n}.csv\n" for n in range(20)).encode()


def of_edition(sealed: SealedPlan, *, dataset: str, release: str, period: Period) -> SealedPlan:
    """The like of a sealed plan for another release and period: its document says so, and has another hash."""
    document = json.loads(sealed.parts[sealed.hash])
    block = [str(period.end.year)]
    changed = {"dataset": dataset, "release": release, "period": period.label, "blocks": block}
    document["plan"] |= changed
    key = hashlib.sha256(release.encode()).hexdigest()
    document["plan"]["series_hash"] = key
    document["period"] = [period.start.isoformat(), period.end.isoformat(), period.label, period.kind]
    part = written(document)
    plan = sealed.plan.model_copy(update={**changed, "blocks": tuple(block), "series_hash": key, "hash": sha256(part)})
    parts = {name: content for name, content in sealed.parts.items() if name != sealed.hash}
    named = sealed.release.model_copy(update={"id": release, "dataset": dataset})
    return replace(sealed, plan=plan, period=period, release=named, parts={**parts, sha256(part): part})
