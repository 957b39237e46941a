"""What is new and what comes next: an Atom feed, and the release calendar as JSON and iCalendar."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

from icalendar import Calendar, Event, Timezone, TimezoneStandard
from pydantic import Field

from dp_stats.catalogue.due import due_at
from dp_stats.catalogue.periods import Period, next_period, parse_period
from dp_stats.catalogue.schedule import Schedule, zone_of
from dp_stats.editions.edition import Edition, Facts, Instant, utc
from dp_stats.editions.reasons import SAY_THEIR_KIND
from dp_stats.editions.revisions import Correction
from dp_stats.texts.words import Texts

MOST_ENTRIES = 100
MONTHS_AHEAD = 12
_ATOM = "http://www.w3.org/2005/Atom"


class Planned(Facts):
    """One line of the release calendar: when the edition of a period is to appear."""

    release: str = Field(description="Id of the release.")
    title: str = Field(description="What it is called.")
    period: str = Field(description="Label of the period.")
    period_text: str = Field(description="The period in words.")
    when: Instant = Field(description="When the edition is to appear.")
    timezone: str = Field("UTC", description="Whose clocks the agency goes by.")

    @property
    def local(self) -> datetime:
        """When it is to appear, on the clocks of the agency."""
        return self.when.astimezone(zone_of(self.timezone))


class Scheduled(Facts):
    """What the calendar needs to know about a release.

    Attributes:
        last: the newest published period, or the one before the first. start, end: first and last day that is ever
            published, if there is one.
    """

    release: str
    title: str
    kind: str
    timetable: Schedule
    settle_days: int
    last: str
    start: date = date.min
    end: date | None = None

    @classmethod
    def after(cls, edition: Edition) -> Scheduled | None:
        """What is to follow an edition; None where its release has no schedule."""
        release = edition.release
        if release.timetable is None:
            return None
        return cls(
            release=release.id,
            title=release.title,
            kind=release.period_kind,
            timetable=release.timetable,
            settle_days=release.settle_days,
            last=edition.period.label,
            end=release.end,
        )


def feed(
    editions: Iterable[Edition],
    corrections: Iterable[Correction],
    *,
    texts: Texts,
    title: str,
    base_url: str,
    path: str,
    tree: str = "",
) -> bytes:
    """An Atom feed (RFC 4287) of editions, revisions and retractions, newest first.

    Args:
        path: where the feed stands below the folder of its language. tree: that folder below ``base_url``, with a slash at the
            end; none for the first language.
    """
    base_url, said = f"{base_url}/{tree}".rstrip("/"), f"{texts.language}:" if tree else ""
    reasons = {(c.edition, c.revision): c for c in corrections if c.kind != "retraction"}
    entries: list[tuple[datetime, str, str, str, str]] = []
    for edition in editions:
        correction = reasons.get((edition.id, edition.revision.number))
        name, text = texts("feed.new", edition=edition.title), edition.release.summary
        if correction is not None:
            name = texts("feed.revised", edition=edition.title)
            text = correction.reason
            if correction.kind not in SAY_THEIR_KIND:
                text = texts("edition.why", kind=texts(f"corrections.kinds.{correction.kind}"), note=text)
            if correction.cells_affected is not None:
                text = texts("feed.changed", reason=text, count=texts.number(correction.cells_affected))
        entries.append((edition.published, f"{edition.path}#published", name, text, edition.path))
    for correction in corrections:
        if correction.kind == "retraction":
            place = f"{correction.edition}/r{correction.revision}"
            entries.append(
                (
                    correction.when,
                    f"{place}#retracted",
                    texts("feed.withdrawn", edition=correction.title),
                    correction.reason,
                    place,
                )
            )
    entries = sorted(entries, key=lambda e: (e[0], e[1]), reverse=True)[:MOST_ENTRIES]

    ElementTree.register_namespace("", _ATOM)
    root = ElementTree.Element(f"{{{_ATOM}}}feed", {"xml:lang": texts.language})
    _add(root, "title", title)
    _add(root, "id", _urn(f"{said}feed:{path}"))
    _add(root, "updated", utc(entries[0][0]) if entries else "1970-01-01T00:00:00Z")
    _link(root, f"{base_url}/{path}", "self", "application/atom+xml")
    _link(root, f"{base_url}/", "alternate", "text/html")
    author = ElementTree.SubElement(root, f"{{{_ATOM}}}author")
    _add(author, "name", title)
    for when, key, name, text, place in entries:
        entry = ElementTree.SubElement(root, f"{{{_ATOM}}}entry")
        _add(entry, "title", name)
        _add(entry, "id", _urn(f"{said}{key}"))
        _add(entry, "published", utc(when))
        _add(entry, "updated", utc(when))
        _link(entry, f"{base_url}/{place.rpartition('/')[0]}/index.html", "alternate", "text/html")
        _add(entry, "summary", text)
    ElementTree.indent(root, space=" ")
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _urn(key: str) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'dp-stats:{key}')}"


def _universal_time() -> Timezone:
    zone, always = Timezone(), TimezoneStandard()
    zone.add("tzid", "Etc/UTC")
    always.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001, local time by RFC 5545, section 3.6.5
    always.add("tzoffsetfrom", timedelta())
    always.add("tzoffsetto", timedelta())
    zone.add_component(always)
    return zone


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}").text = text


def _link(parent: ElementTree.Element, href: str, rel: str, kind: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}link", {"rel": rel, "href": href, "type": kind})


def calendar(releases: Iterable[Scheduled], *, since: datetime, texts: Texts) -> list[Planned]:
    """When each edition of the next twelve months is to appear: the first scheduled moment after it has settled.

    Args:
        since: where the calendar begins; the same moment gives the same calendar.
    """
    until = since + timedelta(days=366 * MONTHS_AHEAD // 12)
    planned: list[Planned] = []
    for release in releases:
        period = _next(parse_period(release.last))
        while period is not None and (release.end is None or period.start <= release.end):
            covered = period.within(release.start, release.end)
            when = due_at(covered, schedule=release.timetable, settle_days=release.settle_days)
            if when > until:
                break
            if when >= since:
                planned.append(
                    Planned(
                        release=release.release,
                        title=release.title,
                        period=period.label,
                        period_text=texts.period(covered.code, kind=period.kind),
                        when=when,
                        timezone=release.timetable.timezone,
                    )
                )
            period = _next(period)
    return sorted(planned, key=lambda p: (p.when, p.release, p.period))


def _next(period: Period) -> Period | None:
    if period.kind == "range":
        return None
    return next_period(period)


def icalendar(
    planned: Sequence[Planned], *, stamp: datetime, base_url: str, texts: Texts, shown: Collection[str] = ()
) -> bytes:
    """The calendar as iCalendar (RFC 5545), to subscribe to; one without events holds its time zone, as it must hold something.

    Args:
        shown: releases that have a page to lead to; others lead to the page of the calendar.
    """
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", f"-//dp-stats//{texts('feed.calendar')}//{texts.language.upper()}")
    calendar.add("calscale", "GREGORIAN")
    for item in planned:
        event = Event()
        event.add("uid", str(uuid.uuid5(uuid.NAMESPACE_URL, f"dp-stats:{item.release}/{item.period}#calendar")))
        event.add("dtstamp", stamp.astimezone(UTC))
        event.add("dtstart", item.when.astimezone(UTC))
        event.add("summary", texts("feed.planned", release=item.title, period=item.period_text))
        event.add("url", f"{base_url}/{f'{item.release}/index' if item.release in shown else 'calendar'}.html")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    if not planned:
        calendar.add_component(_universal_time())
    return bytes(calendar.to_ical(sorted=False))
