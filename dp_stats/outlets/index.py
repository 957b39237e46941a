"""Everything that speaks of all editions at once: catalogue, feeds, calendar, registers, corrections log and API."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dp_stats import files
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.spoken import release_in
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, editions
from dp_stats.editions.isolated import noted, without_failing
from dp_stats.editions.languages import said_in
from dp_stats.editions.latest import folder_lock
from dp_stats.editions.renamed import with_former
from dp_stats.editions.revisions import Correction, corrections, newest_first, status_of
from dp_stats.outlets import api, budgets, data_use, dcat, feeds, history, openapi, shared_areas, slices
from dp_stats.outlets.restricted import RestrictedUse, restricted_uses
from dp_stats.texts.words import Texts


@dataclass(frozen=True)
class Indexed:
    """What a refresh did: how many files it wrote, and which releases it had to leave out, and why."""

    written: int
    left_out: Mapping[str, str] = field(default_factory=dict)


def refresh_index(
    public: Path,
    *,
    base_url: str,
    texts: Texts,
    further: Sequence[Texts] = (),
    releases: Iterable[Release] = (),
    isolate: bool = True,
    put: files.Put = files.replace_file,
    restricted: Path | None = None,
) -> Indexed:
    """Write every file that speaks of all public editions; files that have not changed are left alone.

    ``catalog.jsonld``, ``feed.atom`` (and one for each release), ``calendar.json``, ``calendar.ics``,
    ``corrections.json``, ``register.json``, ``register.csv``, ``budget.json``, the tree ``api/`` and each release's
    ``history/``.

    Args:
        base_url: address of the public folder, without a slash at the end.
        texts: the language of titles and sentences that are not declared. further: other languages, in which feeds, calendars
            and registers are written, too, each in a folder of its own (``cy/``).
        releases: declared releases, so that the calendar shows those that have no edition yet.
        isolate: a release that cannot be listed is left out, and the others are listed; False: its error is raised.
        put: what puts the files of the tree in place, of which there are many.
        restricted: the folder of editions that are not public: the register tells of their use, and nothing else does.
    """
    with folder_lock(public):
        left_out: dict[str, str] = {}
        known: dict[str, Published] = {}
        for id in sorted({folder.parent.parent.name for folder in editions(public)}):
            with noted(left_out, id, isolate=isolate):
                published = Published.read(public, id, texts)
                if published.editions:
                    known[id] = published

        uses = restricted_uses(restricted, left_out)

        def contents(ids: Collection[str]) -> dict[str, bytes]:
            """The files that speak of these releases."""
            waiting = [r for r in releases if r.id in ids or r.id not in known]
            found = [known[id] for id in ids]
            told = [*(e for one in found for e in one.editions), *(e for one in uses for e in one.editions)]
            since = max((e.published for e in told), default=None)
            made = _contents(found, waiting, since, base_url, texts, "") | _data(
                public, found, base_url, [texts, *further]
            )
            for other in further:
                said = [one.said_in(public, other) for one in found]
                made |= _contents(said, waiting, since, base_url, other, f"{other.language}/")
                made |= _registers(public, said, uses, base_url, other, f"{other.language}/")
            return made | _registers(public, found, uses, base_url, texts, "")

        if isolate:
            made, failed = without_failing(list(known), contents)
        else:
            made, failed = contents(list(known)), {}
        left_out |= failed
        current = {id: one.current for id, one in known.items() if id not in failed and one.current}
        series = {id: _series(known, one.current) for id, one in known.items() if id not in failed}
        written, failed = history.write_history(
            public, series, base_url=base_url, texts=texts, isolate=isolate, put=put
        )
        left_out |= failed
        for one in known.values():
            if one.editions and not one.current:  # all retracted: nothing of it may go on being read as current
                shutil.rmtree(public / api.path_of(api.topic_of(one.editions[-1])), ignore_errors=True)
        for write, own in (
            (api.write_api, {id: series[id] for id in current}),
            (slices.write_slices, current),
            (shared_areas.write_shared_areas, series),
        ):
            count, failed = write(public, own, base_url=base_url, isolate=isolate, put=put)
            written, left_out = written + count, {**left_out, **failed}
        shared = any(api.shared_levels(editions[-1]) for editions in current.values())
        described = openapi.document(base_url=base_url, texts=texts, shared=shared)
        written += int(put(public / openapi.PATH, described))
        written += sum(files.replace_file(public / path, content) for path, content in made.items())
        return Indexed(written, left_out)


def _series(known: Mapping[str, Published], current: tuple[Edition, ...]) -> tuple[Edition, ...]:
    """The current editions of a release with those that it published under names it had before."""
    if not current:
        return ()
    former = [e for name in current[-1].release.formerly if name in known for e in known[name].current]
    return with_former(current, former, lambda edition: edition)


@dataclass(frozen=True)
class Published:
    """What is published of one release: all editions, those to use, and the corrections log."""

    id: str
    editions: tuple[Edition, ...]
    current: tuple[Edition, ...]
    log: tuple[Correction, ...]

    def said_in(self, public: Path, texts: Texts) -> Published:
        """The same in another language."""
        return self.read(public, self.id, texts)

    @classmethod
    def read(cls, public: Path, id: str, texts: Texts | None = None) -> Published:
        """Read the editions of a release that are for the public, as they read in the language of ``texts`` (default: their own).

        Raises:
            PublishedError: an edition's facts or its status cannot be read.
        """

        def said(edition: Edition) -> Edition:
            return edition if texts is None else said_in(edition, texts)

        every = (said(Edition.load(folder)) for folder in editions(public, release=id))
        found = tuple(e for e in every if e.release.audience == "public")
        log = corrections(public, release=id, said=said) if found else ()
        return cls(id, found, tuple(_current(public, found)), log)


def _contents(
    published: Sequence[Published],
    releases: Iterable[Release],
    since: datetime | None,
    base_url: str,
    texts: Texts,
    tree: str,
) -> dict[str, bytes]:
    """Feeds, the calendar and the log of corrections in one language.

    Args:
        since: when anything was last published, for whomever: there the calendar begins; None: it is not written.
        tree: the folder of its files.
    """
    found = [e for one in published for e in one.editions]
    newest = [one.current[-1] for one in published if one.current]
    renamed = {name for e in newest for name in e.release.formerly}
    log = newest_first(c for one in published for c in one.log)

    def feed(editions: Iterable[Edition], log: Iterable[Correction], title: str, path: str) -> bytes:
        return feeds.feed(editions, log, texts=texts, title=title, base_url=base_url, path=path, tree=tree)

    contents = {
        f"{tree}feed.atom": feed(found, log, texts("feed.title"), "feed.atom"),
        f"{tree}corrections.json": formats.json_bytes([c.model_dump(mode="json") for c in log]),
    }
    for one in published:
        title = one.editions[-1].release.title
        contents[f"{tree}{one.id}/feed.atom"] = feed(one.editions, one.log, title, f"{one.id}/feed.atom")
    going_on = [e for e in newest if e.release.id not in renamed]
    if since is None:
        return contents
    calendar = _calendar(going_on, releases, since, f"{base_url}/{tree}".rstrip("/"), texts)
    return contents | {f"{tree}{name}": content for name, content in calendar.items()}


def _registers(
    public: Path,
    published: Sequence[Published],
    restricted: Sequence[RestrictedUse],
    base_url: str,
    texts: Texts,
    tree: str,
) -> dict[str, bytes]:
    """The register of data uses in one language."""
    address = f"{base_url}/{tree}".rstrip("/")
    spends = budgets.budgets(public, [e for one in published for e in one.editions])
    uses = [
        data_use.data_use(
            one.editions,
            spend=spends.get(one.editions[-1].dataset.id),
            base_url=address,
            texts=texts,
            holders=spends,
        )
        for one in published
    ]
    spends = budgets.with_restricted(spends, public, restricted)
    uses += [
        data_use.data_use(
            [said_in(e, texts) for e in one.editions],
            spend=spends.get(one.editions[-1].dataset.id),
            base_url=address,
            texts=texts,
            checksums=one.checksums,
            holders=spends,
        )
        for one in restricted
    ]
    return {
        f"{tree}register.json": data_use.register_json(uses),
        f"{tree}register.csv": data_use.register_csv(uses, texts),
    }


def _data(public: Path, published: Sequence[Published], base_url: str, spoken: Sequence[Texts]) -> dict[str, bytes]:
    """What is one for all languages: the catalogue, whose words stand in each, and what has been spent."""
    own = {one.id: one.current for one in published if one.current}
    series = [own]
    for texts in spoken[1:]:
        series.append(
            {id: tuple(said_in(Edition.load(public / e.path), texts) for e in known) for id, known in own.items()}
        )
    newest = [[known[-1] for known in said.values()] for said in series]
    catalogue = dcat.dcat_in_each(newest, base_url=base_url, spoken=spoken, series=series)
    spends = budgets.budgets(public, [e for one in published for e in one.editions])
    return {"catalog.jsonld": formats.json_bytes(catalogue), budgets.FILE_NAME: budgets.budget_json(spends)}


def _current(public: Path, published: Iterable[Edition]) -> list[Edition]:
    """The revision to use of each period, in order of time; retracted editions are left out."""
    states = {e.id: status_of(public, e.id).current for e in published}
    return sorted((e for e in published if states[e.id] == e.revision.number), key=lambda e: e.period.end)


def _calendar(
    newest: list[Edition], releases: Iterable[Release], since: datetime, base_url: str, texts: Texts
) -> dict[str, bytes]:
    scheduled = [s for e in newest if (s := feeds.Scheduled.after(e))]
    known = {s.release for s in scheduled}
    for release in releases:
        if release.timetable is None or release.period == "range":
            continue
        if release.audience == "public" and release.id not in known:
            first = release.calendar.period_of(release.start, release.period)
            before = release.calendar.before(first)
            scheduled.append(
                feeds.Scheduled(
                    release=release.id,
                    title=release_in(release, texts.language).title,
                    kind=release.period,
                    timetable=release.timetable,
                    settle_days=release.settle_days,
                    last=before.label,
                    start=release.start,
                    end=release.end,
                )
            )
    planned = feeds.calendar(scheduled, since=since, texts=texts)
    shown = {e.release.id for e in newest}
    return {
        "calendar.json": formats.json_bytes([p.model_dump(mode="json") for p in planned]),
        "calendar.ics": feeds.icalendar(planned, stamp=since, base_url=base_url, texts=texts, shown=shown),
    }
