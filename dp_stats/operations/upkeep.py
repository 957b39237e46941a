"""Upkeep of a running system: verify ledger and published files, purge old staging, and find what needs a person.

Every function says what it found; sending alerts is the caller's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from dp_stats import pipeline, written
from dp_stats.catalogue import Catalogue, Period, Release, read_catalogue
from dp_stats.catalogue.due import day_at, due_at
from dp_stats.editions.description import made_of
from dp_stats.editions.verify import Fault, verify_public
from dp_stats.errors import DpStatsError, PublishedError
from dp_stats.files import replaced
from dp_stats.ledger import Ledger, Publication, Reservation
from dp_stats.ledger.witnesses import refuse_loss
from dp_stats.operations.forecast import forecast
from dp_stats.outlets.public_log import published_lines, refuse_another
from dp_stats.run import open_ledger, witnesses_of
from dp_stats.secure.in_place.dropping import drop_expired
from dp_stats.secure.spill import remove_abandoned
from dp_stats.secure.staging import purge_expired
from dp_stats.settings import Settings, load_settings
from dp_stats.transparency.verifying import verify
from dp_stats.unfinished import finish, give_back, unfinished

STAGING_KEPT = timedelta(days=2)
LATE_AFTER = timedelta(days=2)
ALL_READ = 28
"""In how many nights all files of older editions are read once; those of newer ones are read every night."""
AT_ONCE = 500
"""How many revisions are asked of the ledger at a time."""
MOST_NAMED = 12
"""How many editions an alert names of those that are missing."""


@dataclass(frozen=True)
class Alert:
    """Something a person should know, in a subject and a sentence; never a value from the data."""

    subject: str
    text: str


def verify_ledger(*, settings: Settings | None = None) -> str:
    """Check the ledger's chain, also against the head kept at the last call and everything else that was kept.

    Returns:
        The head; it is kept in the state folder, and belongs in a backup elsewhere. Empty while nothing was
        ever released.

    Raises:
        LedgerError: something was edited, removed, added or reordered, or the ledger was lost or restored from an
            older backup.
    """
    settings = settings or load_settings()
    kept = settings.home / "ledger.head"
    if not kept.exists() and not released_before(settings):
        return ""
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    head = str(ledger.verify(kept.read_text() if kept.exists() else None, witnesses=witnesses_of(settings)).head)
    with replaced(kept) as draft:
        draft.write_text(head)
    return head


def released_before(settings: Settings) -> bool:
    """Whether there is a ledger, or any sign that there once was one."""
    if not settings.ledger_url.startswith("sqlite") or (settings.home / "ledger.db").exists():
        return True
    return any(folder.exists() for folder in (settings.secure, settings.work, settings.public_dir))


def verify_published(*, night: date | None = None, settings: Settings | None = None) -> int:
    """Check every published file against its edition's checksums, and those against the ledger.

    Args:
        night: which night's share of older editions is read, so that a night's work stays the same however many there are. All
            others are read, too, within the next ``ALL_READ`` nights; that none is missing, and that each has its own files and
            checksums, is checked of all (default: everything is read).

    Returns:
        How many editions the ledger knows as published.

    Raises:
        PublishedError: a file is missing, altered or extra, or an edition is not the one that the ledger recorded.
        LedgerError: an edition was published, or names charges, of which the ledger does not know, or the public log is not
            the ledger's. HistoryError: what anyone can check of the site does not hold.
    """
    settings = settings or load_settings()
    if not released_before(settings):
        return 0
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    placed: dict[Path, dict[str, str]] = {settings.public_dir: {}, settings.restricted: {}}
    older: set[str] = set()
    for known, place in published_in(ledger, settings):
        path = f"{known.edition}/r{known.revision}"
        placed[place][path] = known.checksum
        if night is not None and (night - known.at.date()).days > ALL_READ:
            older.add(path)

    def is_read(path: str) -> bool:
        return night is None or path not in older or (crc32(path.encode()) + night.toordinal()) % ALL_READ == 0

    faults = [
        fault
        for place, checksums in placed.items()
        for fault in verify_public(place, checksums=checksums, whole=is_read)
    ]
    faults += [Fault(path, "extra") for path in placed[settings.restricted] if (settings.public_dir / path).exists()]
    if faults:
        lines = "\n  ".join(f"{fault.path}: {fault.kind}" for fault in faults)
        raise PublishedError(f"Published files are not as they were written; restore them from the backup:\n  {lines}")
    refuse_loss(ledger.unknown(witnesses_of(settings)))
    _verify_log(ledger, settings)
    return sum(map(len, placed.values()))


def _verify_log(ledger: Ledger, settings: Settings) -> None:
    """Check the public log as anyone can, and against the ledger, which alone shows that its end was cut off."""
    there, wanted = published_lines(settings.public_dir), ledger.log()
    refuse_another(there, wanted)
    if len(there) < len(wanted):
        raise PublishedError(
            f"The public log lacks its last {len(wanted) - len(there)} lines. Run `dp-stats site build`, which writes them."
        )
    if wanted:
        verify(str(settings.public_dir))


def published_in(ledger: Ledger, settings: Settings) -> Iterator[tuple[Publication, Path]]:
    """Every published revision with the folder in which it lies: that of the audience which its sealed plan names.

    What was reserved before plans were sealed is where it lies.
    """
    made = {(one.edition, one.revision): one for one in ledger.reservations()}  # the last of each
    everything = ledger.publications()
    for start in range(0, len(everything), AT_ONCE):
        some = everything[start : start + AT_ONCE]
        described = ledger.described(some)
        measured = []
        for known in some:
            document = described.get((known.edition, known.revision))
            measured.append(made.get((known.edition, made_of(document).measured if document else known.revision)))
        audiences = ledger.audiences(one for one in measured if one is not None)
        for known, reservation in zip(some, measured, strict=True):
            if reservation is not None and reservation.id in audiences:
                public = audiences[reservation.id] == "public"
            else:
                public = not (settings.restricted / known.edition / f"r{known.revision}").exists()
            yield known, settings.public_dir if public else settings.restricted


def rebuild_site(*, settings: Settings | None = None) -> list[Alert]:
    """Build all pages and lists again from the edition folders; returns the releases that could not be shown."""
    settings = settings or load_settings()
    if not settings.public_dir.exists():
        return []
    return [
        Alert(
            f"{release} cannot be shown",
            f"Its page says so, its files are where they were, and all others are shown. {why}",
        )
        for release, why in pipeline.refresh_site(settings).items()
    ]


def purge_staging(*, settings: Settings | None = None) -> int:
    """Delete staged and spilled rows that a stopped run left behind, in databases, too; returns how many folders and tables.

    Raises:
        SourceError: a table of rows in a database could not be dropped; all else is deleted.
    """
    settings = settings or load_settings()
    try:
        dropped = drop_expired(settings.secure, after=STAGING_KEPT)
    finally:
        purged = len(purge_expired(settings.secure, after=STAGING_KEPT)) + len(remove_abandoned(settings.secure))
    return dropped + purged


class _Watched(NamedTuple):
    """What alerts are found in."""

    catalogue: Catalogue
    ledger: Ledger
    today: date


def _watched(settings: Settings | None, today: date | None) -> _Watched:
    settings = settings or load_settings()
    return _Watched(read_catalogue(settings.catalogue), open_ledger(settings), today or datetime.now(UTC).date())


def budget_alerts(*, settings: Settings | None = None, today: date | None = None) -> list[Alert]:
    """Blocks whose budget is forecast to run out within the dataset's declared horizon."""
    catalogue, ledger, today = _watched(settings, today)
    alerts = []
    for dataset in catalogue.datasets.values():
        horizon = today + timedelta(days=dataset.budget.forecast_days)
        for block in forecast(catalogue, dataset, ledger, today=today):
            out = block.runs_out
            if out is not None and out.due <= horizon:
                alerts.append(
                    Alert(
                        f"The privacy budget of {dataset.id} runs out",
                        f"Block {block.budget.block} cannot pay for {out.edition}, due on {written.day(out.due)}. Lower the "
                        "release's privacy loss, drop tables, or ask the custodians to decide on the budget.",
                    )
                )
    return alerts


def late_editions(*, settings: Settings | None = None, today: date | None = None) -> list[Alert]:
    """Releases of which editions are not published some days after they were due: one alert names them all."""
    catalogue, ledger, today = _watched(settings, today)
    published = {one.edition for one in ledger.publications()}
    alerts = []
    for release in catalogue.releases.values():
        missing = [period.label for period in _due(catalogue, release, today - LATE_AFTER, but=published)]
        if missing:
            alerts.append(Alert(f"{release.id} is late", _missing(ledger, release, missing)))
    return alerts


def unfinished_corrections(*, settings: Settings | None = None, now: datetime | None = None) -> list[Alert]:
    """Bring corrections to an end that were begun some days ago: given back where nothing was measured, published where it is
    stored; one that was spent and not stored needs its rows again, so a person is told."""
    settings = settings or load_settings()
    ledger = open_ledger(settings)
    alerts = []
    for one in unfinished(ledger, before=(now or datetime.now(UTC)) - LATE_AFTER):
        name = f"{one.edition} r{one.revision}"
        if one.state == "reserved":
            give_back(one.edition, ledger, revision=one.revision, reason="abandoned before anything was measured")
            text = f"Nothing of it had been measured, so its charge is free again. To make it after all: {finish(one)}"
            alerts.append(Alert(f"The correction {name} was given back", text))
        elif one.state == "stored":
            alerts.append(_finished(one, name, settings))
        else:
            text = f"Its charge is spent, and nothing is stored of it. {finish(one)}"
            alerts.append(Alert(f"The correction {name} is not finished", text))
    return alerts


def _finished(one: Reservation, name: str, settings: Settings) -> Alert:
    try:
        pipeline.publish(one.edition, revision=one.revision, settings=settings)
    except DpStatsError as error:
        return Alert(f"The correction {name} is not finished", f"It is measured, and cannot be published. {error}")
    return Alert(f"The correction {name} was published", "It had been measured, and its run had stopped before.")


def _missing(ledger: Ledger, release: Release, labels: Sequence[str]) -> str:
    """Which editions are missing, how far each got, and what to do."""
    charged = [label for label in labels if ledger.reservation(f"{release.id}/{label}") is not None]
    others = [label for label in labels if label not in charged]
    said = ["1 edition is not published." if len(labels) == 1 else f"{len(labels)} editions are not published."]
    if charged:
        said.append(
            f"Charged, and stopped on the way: {_some(charged)}. To clear its run goes on without a new charge."
        )
    if others:
        said.append(f"Nothing charged yet: {_some(others)}. Its run failed before the charge, or never began.")
    dag = release.id.replace("-", "_")
    return " ".join(
        [*said, f"See the runs of the DAG {dag} in Airflow; one that is not there can be started for its period."]
    )


def _some(labels: Sequence[str]) -> str:
    """The first and the last of many."""
    if len(labels) <= MOST_NAMED:
        return ", ".join(labels)
    return f"{', '.join(labels[: MOST_NAMED - 1])}, {len(labels) - MOST_NAMED} more, and {labels[-1]}"


def _due(catalogue: Catalogue, release: Release, day: date, *, but: Collection[str]) -> Iterator[Period]:
    """The periods whose editions were to be made on ``day`` or before, by the schedule and past its holidays.

    ``but``: editions that are not asked for; to look up when each of many years was due would take long.
    """
    if release.timetable is None:
        return
    for period in catalogue.periods(release, until=day):
        if f"{release.id}/{period.label}" in but:
            continue
        when = due_at(period, schedule=release.timetable, settle_days=release.settle_days)
        if day_at(release, when) <= day:
            yield period
