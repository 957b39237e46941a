"""That figures are provisional, in plain words: that they are expected to rise, and by when they are final."""

from __future__ import annotations

from dp_stats.catalogue.due import due_at, due_day
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period, next_period
from dp_stats.editions.edition import Edition, RevisionFacts
from dp_stats.editions.quality_facts import NoteFacts
from dp_stats.texts.words import Texts

PROVISIONAL = "provisional"
"""Kind of the note."""


def provisional_notes(release: Release, period: Period, revision: RevisionFacts, texts: Texts) -> tuple[NoteFacts, ...]:
    """What a provisional edition says of itself: the last edition that adds records to it, and when that one is due."""
    if release.late is None or revision.status != "provisional":
        return ()
    last = period
    for _ in range(release.late.periods):
        last = next_period(last)
    if release.end is not None and last.start > release.end:
        return (NoteFacts(kind=PROVISIONAL, text=texts("note.provisional_to_the_end")),)
    if release.timetable is None:
        day = due_day(last, settle_days=release.settle_days)
    else:
        when = due_at(last, schedule=release.timetable, settle_days=release.settle_days)
        day = when.astimezone(release.timetable.zone).date()
    text = texts("note.provisional", period=texts.period(last.code, kind=release.period), day=texts.day(day))
    return (NoteFacts(kind=PROVISIONAL, text=text),)


def provisional_said(edition: Edition) -> str:
    """What a provisional edition says of itself; nothing of others."""
    return " ".join(note.text for note in edition.quality.notes if note.kind == PROVISIONAL)
