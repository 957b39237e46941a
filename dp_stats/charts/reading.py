"""Published editions as the site sees them: releases with their revisions, from which panels are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.charts.merged_areas import read_back_series, with_back_series
from dp_stats.charts.panels import Panel, TableValues, areas_of, groups_of, read_table
from dp_stats.editions.edition import Edition, RevisionStatus, TableFacts, editions
from dp_stats.editions.languages import foreign_reason, said_in
from dp_stats.editions.moments import Moment, moments_of
from dp_stats.editions.renamed import with_former
from dp_stats.editions.revisions import EditionStatus, status_of
from dp_stats.errors import PublishedError
from dp_stats.texts.words import Texts


@dataclass(frozen=True)
class Revision:
    """One published revision and what has become of it since."""

    edition: Edition
    folder: Path
    status: RevisionStatus
    superseded_by: int | None = None
    note: str = ""

    @property
    def current(self) -> bool:
        """Whether readers should use it."""
        return self.status in ("provisional", "final")


def releases(
    public: Path, texts: Texts, *, known: dict[Path, Edition] | None = None
) -> tuple[tuple[ReleaseView, ...], dict[str, Exception]]:
    """Every release for the public that has an edition below the public folder, by its id, as it reads in a language.

    Args:
        known: editions that were read already, by folder; those that are read now are added.

    Returns:
        The releases, and of those with an edition whose facts or status cannot be read the id and why.
    """
    views: list[ReleaseView] = []
    unreadable: dict[str, Exception] = {}
    for id in sorted({folder.parent.parent.name for folder in editions(public)}):
        try:
            revisions = _revisions(public, id, texts, {} if known is None else known)
        except (PublishedError, KeyError) as error:
            unreadable[id] = error
            continue
        if revisions:
            views.append(ReleaseView(id, revisions, texts))
    return tuple(_renamed(views)), unreadable


def _renamed(views: Sequence[ReleaseView]) -> list[ReleaseView]:
    """The same with what is known of renamed releases: the old ones lead to the new, which go on from their editions."""
    names = {former: view.id for view in views for former in view.latest.edition.release.formerly}
    earlier: dict[str, list[Revision]] = {}
    for view in views:
        if view.id in names:
            earlier.setdefault(names[view.id], []).extend(view.revisions)
    return [
        replace(view, renamed=names.get(view.id, ""), earlier=tuple(earlier.get(view.id, ()))) if names else view
        for view in views
    ]


def _revisions(public: Path, release: str, texts: Texts, known: dict[Path, Edition]) -> tuple[Revision, ...]:
    found = []
    states: dict[str, EditionStatus] = {}
    for folder in editions(public, release=release):
        if folder not in known:
            known[folder] = Edition.load(folder)
        edition = said_in(known[folder], texts)
        if edition.release.audience != "public":
            continue
        if edition.id not in states:
            states[edition.id] = status_of(public, edition.id)
        state = states[edition.id].revision(edition.revision.number)
        note = foreign_reason(state.retraction.reason, edition, texts) if state.retraction else edition.revision.reason
        found.append(Revision(edition, folder, state.status, state.superseded_by, note))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class ReleaseView:
    """A release with all its revisions, and the panels that its pages are drawn from."""

    id: str
    revisions: tuple[Revision, ...]
    texts: Texts
    renamed: str = ""
    """Its name now, where it was renamed."""
    earlier: tuple[Revision, ...] = ()
    """Revisions that were published under names that it had before."""
    _panels: dict[str, Panel | None] = field(default_factory=dict, repr=False)
    _values: dict[tuple[str, str], TableValues] = field(default_factory=dict, repr=False)

    @cached_property
    def current(self) -> tuple[Revision, ...]:
        """The revision to use of each period, in order of time."""
        return _to_use(self.revisions)

    @cached_property
    def history(self) -> tuple[Revision, ...]:
        """The same with the editions that were published under former names."""
        return with_former(self.current, _to_use(self.earlier), lambda r: r.edition) if self.earlier else self.current

    @property
    def latest(self) -> Revision:
        """The newest period's revision; of a release of which everything was retracted, the last one."""
        return self.current[-1] if self.current else self.revisions[-1]

    def before(self, revision: Revision) -> Revision | None:
        """The current edition that a current one is compared with: the one before, or of days the one a week before.

        People are tested, born and paid otherwise on a Sunday than on a Monday; None where there is no such edition.
        """
        at = next((i for i, r in enumerate(self.current) if r.edition.path == revision.edition.path), 0)
        period = revision.edition.period
        if period.kind != "day":
            return self.current[at - 1] if at else None
        day = period.start - timedelta(days=7)
        return next((r for r in self.current[:at] if r.edition.period.start == day), None)

    def values(self, revision: Revision, table: TableFacts) -> TableValues:
        """A table's values, read once."""
        key = (revision.edition.path, table.id)
        if key not in self._values:
            self._values[key] = read_table(revision.folder, revision.edition, table)
        return self._values[key]

    def panel(self, table_id: str, *, upto: Revision | None = None) -> Panel | None:
        """A table along all current editions that have it, under former names, too; ``upto`` gives one edition alone."""
        key = table_id if upto is None else f"{table_id}@{upto.edition.path}"
        if key not in self._panels:
            self._panels[key] = self._build(table_id, (upto,) if upto else self.history)
        return self._panels[key]

    def last_with(self, table_id: str) -> Edition | None:
        """The newest current edition that has a table, under former names, too."""
        having = (r.edition for r in reversed(self.history) if any(t.id == table_id for t in r.edition.tables))
        return next(having, None)

    def _build(self, table_id: str, revisions: Sequence[Revision]) -> Panel | None:
        having = [r for r in revisions if any(t.id == table_id for t in r.edition.tables)]
        if not having:
            return None
        last = having[-1].edition
        table = last.table(table_id)
        having = having if table.across is None else having[-1:]  # whose rows reach back by themselves
        areas, groups = areas_of(last, table), groups_of(last, table)
        moments: list[Moment] = []
        labels: list[str] = []
        periods: list[str] = []
        parts: dict[str, list[NDArray[Any]]] = {"value": [], "lower": [], "upper": [], "status": []}
        origin: list[int] = []
        for number, revision in enumerate(having):
            edition = revision.edition
            own = edition.table(table_id)
            values = self.values(revision, own)
            days = moments_of(edition, own)
            moments += days
            origin += [number] * len(days) if own.across is None else []
            labels += [self.texts.when(m.label, kind=m.kind) for m in days]
            said = [self.texts.period(m.label, kind=m.kind) for m in days]
            periods += said if len(days) > 1 or own.across is not None else [edition.period.text]
            index = np.ix_(
                _places(table.statistics, own.statistics),
                _places(areas.codes, areas_of(edition, own).codes),
                np.arange(len(days)),
                _places(groups.codes, groups_of(edition, own).codes),
            )
            missing = np.zeros(tuple(len(i.ravel()) for i in index), dtype=bool)
            for axis in index:
                missing |= axis < 0
            for name in ("value", "lower", "upper"):
                parts[name].append(np.where(missing, np.nan, getattr(values, name)[index]).swapaxes(1, 2))
            parts["status"].append(np.where(missing, "x", values.status[index]).swapaxes(1, 2))
        whole = {name: np.concatenate(part, axis=1) for name, part in parts.items()}
        if len(having) > 1:
            rows = read_back_series(having[-1].folder.parent.parent, self.latest.edition)
            dates = [m.start.isoformat() for m in moments]
            whole = with_back_series(whole, rows, table=table, areas=areas, groups=groups, dates=dates)
        return Panel(
            table,
            areas,
            groups,
            tuple(moments),
            tuple(labels),
            tuple(periods),
            whole["value"],
            whole["lower"],
            whole["upper"],
            whole["status"],
            tuple(origin),
            frozenset(dimension.unknown for dimension in last.dimensions if dimension.unknown),
        )


def _to_use(revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    """The current revision of each period, in order of time."""
    best: dict[str, Revision] = {}
    for revision in revisions:
        if revision.current:
            held = best.get(revision.edition.period.label)
            if held is None or held.edition.revision.number < revision.edition.revision.number:
                best[revision.edition.period.label] = revision
    return tuple(sorted(best.values(), key=lambda r: (r.edition.period.start, r.edition.period.end)))


def _places(wanted: Sequence[str], have: Sequence[str]) -> NDArray[np.intp]:
    """Where each wanted code stands in another list; -1 where it does not."""
    if tuple(wanted) == tuple(have):
        return np.arange(len(wanted))
    at = {code: i for i, code in enumerate(have)}
    return np.array([at.get(code, -1) for code in wanted], dtype=np.intp)
