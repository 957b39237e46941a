"""One revision of one edition: everything declared about it, and its places on disk."""

from __future__ import annotations

import getpass
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from dp_stats import files
from dp_stats.catalogue import Catalogue, Dataset, Grid, Period, Release, read_catalogue
from dp_stats.catalogue.asked import read_asked
from dp_stats.catalogue.due import periods_before
from dp_stats.catalogue.periods import blocks_of
from dp_stats.catalogue.version import version_of
from dp_stats.errors import AgreementError, CatalogueError, LedgerError, NoLedgerError, StorageError
from dp_stats.settings import Settings, load_settings

if TYPE_CHECKING:
    from dp_stats.estimate.late import LateTables
    from dp_stats.ledger import Ledger, Reservation, Witnesses
    from dp_stats.plan.model import Plan
    from dp_stats.plan.sealed import SealedPlan

Kind = Literal["format", "late", "method", "correction"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of revisions that a person can ask for; ``dp_stats.proposing`` says what each is."""


@dataclass(frozen=True)
class Run:
    """One revision of one edition, with everything declared about it and its places on disk.

    ``sealed`` is set where what is declared is the edition's own sealed plan rather than today's catalogue; ``base`` where
    it measures nothing itself: the revision whose stored measurements it is made of; ``adding`` where late rows are added:
    the editions that measured these. ``holders`` are the datasets whose budgets pay as well, as they are declared today.
    """

    settings: Settings
    catalogue: Catalogue
    release: Release
    dataset: Dataset
    period: Period
    revision: int
    sealed: SealedPlan | None = None
    base: int | None = None
    adding: tuple[str, ...] = ()
    holders: Mapping[str, Dataset] = field(default_factory=dict)

    @property
    def measured(self) -> int:
        """The revision whose measurements it is made of."""
        return self.base or self.revision

    @property
    def edition(self) -> str:
        """``release/period``."""
        return f"{self.release.id}/{self.period.label}"

    @property
    def path(self) -> str:
        """The revision's folder, relative to wherever editions are kept."""
        return f"{self.edition}/r{self.revision}"

    @property
    def staging(self) -> Path:
        """Where the snapshot of rows lives until the edition is published or failed."""
        return self.settings.secure / "staging" / self.path

    @property
    def snapshot(self) -> Path:
        """The snapshot's file, or where its rows stay in their database, the file that names their table."""
        return self.staging / ("snapshot.json" if self.dataset.engine == "source" else "snapshot.parquet")

    @property
    def intake_report(self) -> Path:
        """Where staff find its intake report once its rows are gone: in the secure store."""
        return self.settings.secure / "intake" / f"{self.path}.json"

    @property
    def published_in(self) -> Path:
        """The public folder, or for a restricted release a folder that no public server shows."""
        public = self.release.audience == "public"
        return self.settings.public_dir if public else self.settings.restricted

    @cached_property
    def grid(self) -> Grid:
        """The public cells of this edition."""
        return self.catalogue.grid(self.release, self.period)

    @cached_property
    def plan(self) -> Plan:
        """What was sealed for this edition; else what would be, if it were reserved now."""
        return self.planned().plan

    def planned(self) -> SealedPlan:
        """The sealed plan: the ledger's, or one made from what is declared now, in the series that goes on."""
        from dp_stats.plan import make_sealed

        if self.sealed is not None:
            return self.sealed
        ledger = ledger_if_any(self.settings) if self.release.series else None
        known = (
            ledger.series(
                self.release.id,
                dataset=self.dataset.id,
                blocks=blocks_of(self.period, self.dataset.privacy_unit.per),
                formerly=self.release.formerly,
            )
            if ledger
            else []
        )
        return make_sealed(
            self.catalogue, self.release, self.period, known=[k.series for k in known], stored=self._open(ledger)
        )

    def to_seal(self) -> SealedPlan:
        """What a reservation seals: the plan, which says of which version its declarations are."""
        planned = self.planned()
        return planned if self.sealed is not None else planned.planned_at(declared_at(self.settings))

    def _open(self, ledger: Ledger | None) -> dict[str, list[SealedPlan]]:
        """Earlier editions that late rows may still be added to; a correction counts its own period anew and nothing else."""
        if ledger is None or self.release.late is None or self.revision > 1:
            return {}
        before = periods_before(self.release, self.period, self.release.late.periods)
        return ledger.open_editions(self.release.id, dataset=self.dataset.id, periods=[p.label for p in before])

    def charged_again(self) -> tuple[str, ...]:
        """Blocks that reserving this edition now would charge again, because an edit has ended their series."""
        ledger = ledger_if_any(self.settings)
        if ledger is None or not self.plan.series or self.revision > 1:
            return ()
        formerly = self.release.formerly
        return ledger.quote(self.plan, dataset=self.dataset, holders=self.holders, formerly=formerly).again

    def require_recipients(self, now: datetime) -> None:
        """Check that somebody may get what is made for organisations alone.

        Raises:
            AgreementError: none of their contracts is in force.
        """
        known = {one.id: one for one in self.catalogue.recipients_of(self.release)}
        day = now.astimezone(UTC).date()
        whys = [known[id].why_not_on(day) if id in known else "is not declared" for id in self.release.organisations]
        if whys and all(whys):
            said = "; ".join(f"{id}: {why}" for id, why in zip(self.release.organisations, whys, strict=True))
            raise AgreementError(
                f"{self.edition} is made for organisations alone, and none may get it ({said}). Nothing was charged. Renew a "
                "contract in organisations/, or end the release."
            )

    def ledger(self) -> Ledger:
        """The ledger, opened and migrated."""
        return open_ledger(self.settings)


def open_ledger(settings: Settings) -> Ledger:
    """The ledger for writing: made if this is the first use, upgraded, and compared with what lies beside it.

    Raises:
        LedgerError: it is missing or was restored from an older backup, by the heads that were kept, the published
            editions and the contribution registers; or it cannot be opened.
    """
    from dp_stats.ledger import Ledger

    prepare_home(settings)
    today = datetime.now(UTC).date().isoformat()
    return Ledger.open(settings.ledger_url, witnesses=witnesses_of(settings), new=settings.new_ledger == today)


def prepare_home(settings: Settings) -> None:
    """The state folder, made if it is missing; what waits for publication in it, what is not for the public, and what people asked
    for is for its owner alone, whatever the umask.

    Raises:
        StorageError: it cannot be made or written, or everybody may write there and so put another secure store in place.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        if settings.home.stat().st_mode & stat.S_IWOTH:
            raise StorageError(
                f"Everybody may write in the state folder {settings.home}, and so put other rows, rules or a ledger in place. "
                f"Find out who used it, then run: chmod o-w {settings.home}"
            )
        for private in (settings.work, settings.restricted, settings.requests, settings.withdrawn):
            private.mkdir(mode=0o700, exist_ok=True)
            private.chmod(0o700)
    except OSError as error:
        raise files.storage_error(error) or error from None


def declared_at(settings: Settings) -> str:
    """The version of the declarations that plans are made from now: a commit, or what the deployment says; empty if neither."""
    return settings.catalogue_version or version_of(settings.catalogue)


def user_name() -> str:
    """Who runs this: the login's name, or for a user without a name its number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return f"user {os.getuid()}"


def witnesses_of(settings: Settings) -> Witnesses:
    """What proves how much the ledger must know: see ``dp_stats.ledger.witnesses``."""
    from dp_stats.ledger import Witnesses

    return Witnesses(
        heads=settings.heads,
        registers=settings.secure / "register",
        published=(settings.public_dir, settings.restricted),
    )


def open_run(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Run:
    """An edition as its sealed plan declares it once it has been paid for, else as it is declared now.

    Raises:
        CatalogueError: the name is not ``release/period``, or the catalogue does not declare it.
    """
    settings = settings or load_settings()
    name, label = split_name(edition)
    standing = _standing(edition, revision, settings, states=("spent", "stored"))
    if standing is not None:
        return _open_sealed(standing, settings)
    catalogue = load_catalogue_with(name, settings)
    release = catalogue.release(name)
    dataset, period = catalogue.dataset_of(release), catalogue.period(release, label)
    return Run(settings, catalogue, release, dataset, period, revision, holders=catalogue.holders_of(dataset))


def open_reserved(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Run:
    """An edition as its last reservation sealed it, void or not.

    Raises:
        LedgerError: nothing was ever reserved for it, or by a version that did not keep the plan.
    """
    settings = settings or load_settings()
    split_name(edition)
    standing = _standing(edition, revision, settings, states=("reserved", "spent", "stored", "void"))
    if standing is None:
        raise LedgerError(f"Nothing is reserved for {edition}/r{revision}. Run the reserve step first.")
    return _open_sealed(standing, settings)


def open_made(
    edition: str, *, revision: int, measured: int, adding: tuple[str, ...] = (), settings: Settings | None = None
) -> Run:
    """A revision made of the stored measurements of another, or of its own.

    Args:
        measured: the revision that was measured. adding: editions (``release/period``) whose late rows are added.

    Raises:
        LedgerError: nothing was reserved for the edition.
    """
    opened = open_reserved(edition, revision=measured, settings=settings)
    return replace(opened, revision=revision, base=None if measured == revision else measured, adding=adding)


def late_tables(ledger: Ledger, period: str, adding: Sequence[str]) -> tuple[LateTables, ...]:
    """The noisy tables of a period's late rows, as each of the ``adding`` editions has measured it.

    Raises:
        LedgerError: one of them has not.
    """
    from dp_stats.estimate.late import LateTables
    from dp_stats.plan.noisy import NoisyMeasurements

    found = []
    for name in adding:
        stored, reservation = ledger.measurements(name), ledger.latest(name)
        if stored is None or reservation is None:
            raise LedgerError(f"{name}, whose late rows were to be added, has not been measured. Restore the ledger.")
        plan = ledger.sealed(reservation).plan
        noisy = NoisyMeasurements.from_bytes(stored.stored, plan=plan)
        tables = next(late.measurements for late in plan.late if late.label == period)
        found.append(LateTables(tables, {m.id: noisy.values[m.id] for m in tables}))
    return tuple(found)


def split_name(edition: str) -> tuple[str, str]:
    """Release and period of an edition's name.

    Raises:
        CatalogueError: it is not ``release/period``.
    """
    name, slash, label = edition.partition("/")
    if not slash:
        raise CatalogueError(
            f"'{edition}' is no edition. Write release/period, for example covid-cases-by-area/2021-W07."
        )
    return name, label


def _standing(edition: str, revision: int, settings: Settings, *, states: Collection[str]) -> Reservation | None:
    ledger = ledger_if_any(settings)
    found = ledger.latest(edition, revision) if ledger else None
    return found if found is not None and found.state in states else None


def _open_sealed(reservation: Reservation, settings: Settings) -> Run:
    """A run over a sealed plan; today's catalogue only lends its words, as far as it can be read."""
    from dp_stats.ledger import Ledger

    sealed = Ledger.open(settings.ledger_url, create=False).sealed(reservation)
    holders: Mapping[str, Dataset] = {}
    with suppress(CatalogueError):
        today = load_catalogue_with(reservation.release, settings)
        sealed, holders = sealed.told_by(today), today.holders_of(sealed.dataset)
    made = (sealed.catalogue, sealed.release, sealed.dataset, sealed.period, reservation.revision, sealed)
    return Run(settings, *made, holders=holders)


def ledger_if_any(settings: Settings) -> Ledger | None:
    """The ledger, or None where none has been made yet; makes nothing."""
    from dp_stats.ledger import Ledger

    try:
        return Ledger.open(settings.ledger_url, create=False)
    except NoLedgerError:
        return None


def load_catalogue_with(name: str, settings: Settings) -> Catalogue:
    """The declared catalogue, with the ad hoc release called ``name`` if an analyst asked for one.

    Raises:
        CatalogueError: it is not what was asked under this name.
    """
    catalogue = read_catalogue(settings.catalogue)
    request = settings.requests / f"{name}.yaml"
    return catalogue.with_release(read_asked(request)) if request.is_file() else catalogue
