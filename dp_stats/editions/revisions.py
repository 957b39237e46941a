"""What has become of published editions: superseded, corrected, retracted. Kept beside the folders that never change.

``<release>/<period>/retractions.json`` is written by people's decisions; ``<release>/<period>/status.json``
is computed from it and from the revisions there are. Pages, feeds and metadata show both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, Facts, Instant, RevisionKind, RevisionStatus, TableFacts, editions
from dp_stats.errors import PublishedError

STATUS = "status.json"
RETRACTIONS = "retractions.json"


class Retraction(Facts):
    """A decision that a revision must not be used any more; its files stay where they are."""

    revision: int = Field(description="Number of the revision.")
    reason: str = Field(description="Why it must not be used.")
    when: Instant = Field(description="When that was decided.")


class RevisionState(Facts):
    """One revision as it stands now."""

    number: int = Field(description="Its number.")
    status: RevisionStatus = Field(description="What has become of it.")
    published: Instant = Field(description="When it was published.")
    kind: RevisionKind = Field(description="Why there is this revision.")
    reason: str = Field(description="What it says of itself.")
    remeasured: bool = Field(description="Whether the records were read and measured again, at a new charge.")
    supersedes: int | None = Field(description="Number of the revision whose place it took.")
    superseded_by: int | None = Field(description="Number of the revision that took its place.")
    changed: int | None = Field(description="How many published values differ from the revision that it superseded.")
    retraction: Retraction | None = Field(description="The decision that it must not be used any more.")


class EditionStatus(Facts):
    """All revisions of one edition."""

    edition: str = Field(description="Release and period.")
    current: int | None = Field(description="Number of the revision to use; none if all were retracted.")
    revisions: tuple[RevisionState, ...] = Field(description="Each revision, in order.")

    def revision(self, number: int) -> RevisionState:
        """The state of one revision."""
        for state in self.revisions:
            if state.number == number:
                return state
        raise KeyError(f"edition '{self.edition}' has no revision {number}")


class Correction(Facts):
    """One line of the corrections log: a revision of any kind after the first, or a retraction."""

    edition: str = Field(description="Release and period.")
    title: str = Field(description="What the edition is called.")
    revision: int = Field(description="Number of the revision.")
    kind: RevisionKind | Literal["retraction"] = Field(description="What was done.")
    when: Instant = Field(description="When.")
    reason: str = Field(description="Why.")
    cells_affected: int | None = Field(description="How many published values changed.")
    costs_budget: bool = Field(description="Whether noise was drawn again, at a new charge.")
    superseded: str | None = Field(description="Path of the revision whose place it took.")


def retractions(public: Path, edition: str) -> tuple[Retraction, ...]:
    """Every retraction of an edition (``release/period``).

    Raises:
        PublishedError: the record cannot be read; nothing may be shown as current without it.
    """
    path = public / edition / RETRACTIONS
    if not path.is_file():
        return ()
    try:
        return tuple(Retraction.model_validate(item) for item in json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise PublishedError(f"{path} cannot be read; restore it from a copy of the site.") from error


def is_retracted(public: Path, path: str) -> bool:
    """Whether a revision (``release/period/rN``) has been retracted."""
    edition, _, revision = path.rpartition("/r")
    return any(r.revision == int(revision) for r in retractions(public, edition))


def refresh_status(public: Path, release: str, period: str) -> EditionStatus:
    """Compute ``status.json`` of an edition anew and return it."""
    state = _status(public, release, period)
    files.replace_file(public / state.edition / STATUS, formats.json_bytes(state.model_dump(mode="json")))
    return state


def status_of(public: Path, edition: str) -> EditionStatus:
    """Read what ``refresh_status`` wrote.

    Raises:
        PublishedError: there is no such edition here.
    """
    path = public / edition / STATUS
    try:
        return EditionStatus.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PublishedError(
            f"{path} is missing or cannot be read; publish the edition again to restore it."
        ) from error


def _status(public: Path, release: str, period: str) -> EditionStatus:
    found = [Edition.load(folder) for folder in editions(public, release=release, period=period)]
    withdrawn = {r.revision: r for r in retractions(public, f"{release}/{period}")}
    numbers = [e.revision.number for e in found]
    standing = [n for n in numbers if n not in withdrawn]
    states: list[RevisionState] = []
    for edition in found:
        number = edition.revision.number
        later = next((e.revision.number for e in found if e.revision.supersedes == number), None)
        status: RevisionStatus = edition.revision.status
        if number in withdrawn:
            status = "retracted"
        elif later is not None and any(n > number for n in standing):
            status = "superseded"
        states.append(
            RevisionState(
                number=number,
                status=status,
                published=edition.published,
                kind=edition.revision.kind,
                reason=edition.revision.reason,
                remeasured=edition.revision.remeasured,
                supersedes=edition.revision.supersedes,
                superseded_by=later,
                changed=_changed(public, edition),
                retraction=withdrawn.get(number),
            )
        )
    return EditionStatus(edition=f"{release}/{period}", current=max(standing, default=None), revisions=tuple(states))


def _changed(public: Path, edition: Edition) -> int | None:
    """How many published values differ from the superseded revision, or None if nothing is superseded."""
    if edition.revision.supersedes is None:
        return None
    old = public / edition.id / f"r{edition.revision.supersedes}"
    return sum(_table_changes(old, public / edition.path, table) for table in edition.tables)


def _table_changes(old: Path, new: Path, table: TableFacts) -> int:
    name = f"{table.id}.parquet"
    if not (old / name).is_file():
        return table.rows
    return values_changed(old / name, pq.read_table(new / name, columns=["value"]))


def values_changed(old: Path, new: pa.Table) -> int:
    """How many values of a table are not those of the published file ``old``; all where it has other rows or is not there."""
    if not old.is_file():
        return len(new)
    before, after = pq.read_table(old, columns=["value"])["value"], new["value"]
    if len(before) != len(after):
        return len(new)
    same = pc.or_(pc.fill_null(pc.equal(before, after), False), pc.and_(pc.is_null(before), pc.is_null(after)))
    return len(after) - int(pc.sum(same).as_py() or 0)


def ends_changed(old: Path, new: pa.Table) -> int:
    """How many intervals of a table have other ends than in the published file ``old``, beyond the last digits."""
    names = ["lower_95", "upper_95"]
    before = pq.read_table(old, columns=names) if old.is_file() else None
    if before is None or len(before) != len(new):
        return len(new)
    same = [
        np.isclose(before[name].to_numpy(), new[name].to_numpy(), rtol=1e-9, atol=1e-9, equal_nan=True)
        for name in names
    ]
    return int(np.count_nonzero(~np.logical_and(*same)))


def corrections(
    public: Path, *, release: str = "*", said: Callable[[Edition], Edition] = lambda edition: edition
) -> tuple[Correction, ...]:
    """The corrections log of a release (default: of all), newest first.

    Args:
        said: an edition as it reads in the language of the log.
    """
    log: list[Correction] = []
    for folder in editions(public, release=release):
        edition = said(Edition.load(folder))
        state = status_of(public, edition.id).revision(edition.revision.number)
        if state.kind != "first":
            log.append(
                Correction(
                    edition=edition.id,
                    title=edition.title,
                    revision=state.number,
                    kind=state.kind,
                    when=state.published,
                    reason=edition.revision.reason,
                    cells_affected=state.changed,
                    costs_budget=state.remeasured,
                    superseded=None if state.supersedes is None else f"{edition.id}/r{state.supersedes}",
                )
            )
        if state.retraction is not None:
            log.append(
                Correction(
                    edition=edition.id,
                    title=edition.title,
                    revision=state.number,
                    kind="retraction",
                    when=state.retraction.when,
                    reason=state.retraction.reason,
                    cells_affected=sum(table.rows for table in edition.tables),
                    costs_budget=False,
                    superseded=None,
                )
            )
    return newest_first(log)


def newest_first(log: Iterable[Correction]) -> tuple[Correction, ...]:
    """Corrections in the order of the log."""
    return tuple(sorted(log, key=lambda c: (c.when, c.edition, c.revision), reverse=True))
