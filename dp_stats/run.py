"""One revision of one edition: everything declared about it, and its places on disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dp_stats.catalogue import Catalogue, Dataset, Grid, Period, Release, load_catalogue
from dp_stats.catalogue.load import read_model
from dp_stats.errors import CatalogueError
from dp_stats.settings import Settings, load_settings

if TYPE_CHECKING:
    from dp_stats.ledger import Ledger, Witnesses
    from dp_stats.plan.model import Plan


@dataclass(frozen=True)
class Run:
    """One revision of one edition, with everything declared about it and its places on disk."""

    settings: Settings
    catalogue: Catalogue
    release: Release
    dataset: Dataset
    period: Period
    revision: int

    @property
    def edition(self) -> str:
        """``release/period``."""
        return f"{self.release.id}/{self.period.label}"

    @property
    def path(self) -> str:
        """The revision's folder, relative to wherever editions are kept."""
        return f"{self.edition}/r{self.revision}"

    @property
    def work(self) -> Path:
        """Where estimates wait for publication; no rows."""
        return self.settings.work / self.path

    @property
    def staging(self) -> Path:
        """Where the snapshot of rows lives until the edition is published or failed."""
        return self.settings.secure / "staging" / self.path

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
        """What will be measured: as it was reserved where a reservation stands, else made from the catalogue.

        A plan that lies on disk counts only if it is the one that the ledger knows.
        """
        from dp_stats.plan import make_plan
        from dp_stats.plan.model import Plan

        stored = self.work / "plan.json"
        if stored.exists():
            plan = Plan.model_validate_json(stored.read_bytes())
            standing = self.ledger().reservation(self.edition, self.revision)
            if standing is not None and standing.state != "void" and standing.plan_hash == plan.hash:
                return plan
        return make_plan(self.catalogue, self.release, self.period)

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

    settings.home.mkdir(parents=True, exist_ok=True)
    today = datetime.now(UTC).date().isoformat()
    return Ledger.open(settings.ledger_url, witnesses=witnesses_of(settings), new=settings.new_ledger == today)


def witnesses_of(settings: Settings) -> Witnesses:
    """What proves how much the ledger must know: see ``dp_stats.ledger.witnesses``."""
    from dp_stats.ledger import Witnesses

    return Witnesses(
        heads=settings.heads,
        registers=settings.secure / "register",
        published=(settings.public_dir, settings.restricted),
    )


def open_run(edition: str, *, revision: int = 1, settings: Settings | None = None) -> Run:
    """Find what is declared about an edition.

    Raises:
        CatalogueError: the name is not ``release/period``, or the catalogue does not declare it.
    """
    settings = settings or load_settings()
    name, slash, label = edition.partition("/")
    if not slash:
        raise CatalogueError(
            f"'{edition}' is no edition. Write release/period, for example covid-cases-by-area/2021-W07."
        )
    catalogue = load_catalogue_with(name, settings)
    release = catalogue.release(name)
    return Run(settings, catalogue, release, catalogue.dataset_of(release), catalogue.period(release, label), revision)


def load_catalogue_with(name: str, settings: Settings) -> Catalogue:
    """The declared catalogue, with the ad hoc release called ``name`` if an analyst asked for one."""
    catalogue = load_catalogue(settings.catalogue)
    request = settings.requests / f"{name}.yaml"
    return catalogue.with_release(read_model(request, Release)) if request.is_file() else catalogue
