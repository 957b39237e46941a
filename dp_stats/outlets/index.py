"""Everything that speaks of all editions at once: catalogue, feeds, calendar, registers, corrections log and API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from dp_stats import files
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import period_of
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, editions
from dp_stats.editions.latest import folder_lock
from dp_stats.editions.revisions import corrections, status_of
from dp_stats.outlets import api, feeds, registers
from dp_stats.texts.words import Texts


def refresh_index(public: Path, *, base_url: str, texts: Texts, releases: Iterable[Release] = ()) -> int:
    """Write every file that speaks of all public editions; files that have not changed are left alone.

    ``catalog.jsonld``, ``feed.atom`` (and one for each release), ``calendar.json``, ``calendar.ics``,
    ``corrections.json``, ``register.json``, ``register.csv`` and the tree ``api/``.

    Args:
        base_url: address of the public folder, without a slash at the end.
        texts: the language of titles and sentences that are not declared.
        releases: declared releases, so that the calendar shows those that have no edition yet.

    Returns:
        How many files were written.
    """
    with folder_lock(public):
        found = [e for e in map(Edition.load, editions(public)) if e.release.audience == "public"]
        by_release: dict[str, list[Edition]] = {}
        for edition in found:
            by_release.setdefault(edition.release.id, []).append(edition)
        current = {id: kept for id, es in by_release.items() if (kept := _current(public, es))}
        log = [c for c in corrections(public) if c.edition.partition("/")[0] in by_release]
        newest = [kept[-1] for kept in current.values()]

        contents = {
            "catalog.jsonld": formats.json_bytes(registers.dcat(newest, base_url=base_url, texts=texts)),
            "feed.atom": feeds.feed(
                found, log, texts=texts, title=texts("feed.title"), base_url=base_url, path="feed.atom"
            ),
            "corrections.json": formats.json_bytes([c.model_dump(mode="json") for c in log]),
        }
        for id, published in by_release.items():
            contents[f"{id}/feed.atom"] = feeds.feed(
                published,
                [c for c in log if c.edition.startswith(f"{id}/")],
                texts=texts,
                title=published[-1].release.title,
                base_url=base_url,
                path=f"{id}/feed.atom",
            )
        uses = [registers.data_use(published, base_url=base_url, texts=texts) for published in by_release.values()]
        contents["register.json"] = registers.register_json(uses)
        contents["register.csv"] = registers.register_csv(uses, texts)
        contents |= _calendar(found, newest, releases, base_url, texts)
        written = sum(files.replace_file(public / path, content) for path, content in contents.items())
        return written + api.write_api(public, list(current.values()), base_url=base_url)


def _current(public: Path, published: list[Edition]) -> list[Edition]:
    """The revision to use of each period, in order of time; retracted editions are left out."""
    states = {e.id: status_of(public, e.id).current for e in published}
    return sorted((e for e in published if states[e.id] == e.revision.number), key=lambda e: e.period.end)


def _calendar(
    found: list[Edition], newest: list[Edition], releases: Iterable[Release], base_url: str, texts: Texts
) -> dict[str, bytes]:
    scheduled = [s for e in newest if (s := feeds.Scheduled.after(e))]
    known = {s.release for s in scheduled}
    for release in releases:
        if release.schedule and release.audience == "public" and release.id not in known and release.period != "range":
            before = period_of(period_of(release.start, release.period).start - timedelta(days=1), release.period)
            scheduled.append(
                feeds.Scheduled(
                    release=release.id,
                    title=release.title,
                    kind=release.period,
                    schedule=release.schedule,
                    settle_days=release.settle_days,
                    last=before.label,
                    end=release.end,
                )
            )
    if not found:
        return {}
    stamp = max(e.published for e in found)
    planned = feeds.calendar(scheduled, since=stamp, texts=texts)
    return {
        "calendar.json": formats.json_bytes([p.model_dump(mode="json") for p in planned]),
        "calendar.ics": feeds.icalendar(planned, stamp=stamp, base_url=base_url, texts=texts),
    }
