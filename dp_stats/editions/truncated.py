"""Notes on statistics that truncated rows are missing from, in plain words: beside the numbers and in the files."""

from __future__ import annotations

from collections.abc import Sequence

from dp_stats.catalogue.models import Dataset, Release
from dp_stats.editions.edition import Edition
from dp_stats.editions.quality_facts import NoteFacts
from dp_stats.estimate.model import EditionEstimates, TruncationEstimate
from dp_stats.plan.expected import NORMAL_95
from dp_stats.plan.repeats import Seen
from dp_stats.texts.words import Texts

UNCORRECTED = ("persons", "mean", "quantile")
"""Kinds of statistics that are not corrected for truncated rows."""

LEFT_OUT, CAP_REACHED, UNMEASURED = "left_out", "cap_reached", "unmeasured_truncation"
UNDECLARED = "undeclared_repeats"
"""Kinds of notes: on how many rows are truncated and what that does to one statistic; and on all statistics, where some persons
have more truncated rows than are counted of one, where nothing tells how many rows are truncated, and where intervals rest on
how many rows a person has at most, which nobody has declared."""


def truncation_notes(
    estimates: EditionEstimates, release: Release, dataset: Dataset, texts: Texts
) -> tuple[NoteFacts, ...]:
    """What an edition says about rows that are missing from its numbers.

    Of how many rows it says what the edition says elsewhere: a noisy number with its interval.
    """
    people = texts.people(dataset.privacy_unit.name)
    bound = texts.plural("note.bound", release.contribution.rows, unit=dataset.privacy_unit.name)
    if estimates.truncation_unmeasured:
        return (NoteFacts(kind=UNMEASURED, text=texts("note.unmeasured_truncation", bound=bound)),)
    if estimates.truncation is None:
        return ()
    published = {name for table in release.tables for name in table.statistics}
    kinds: dict[str, str] = {s.id: s.kind for s in release.statistics}
    for derived in release.derived:
        of_persons = kinds.get(derived.of) == "persons" and derived.kind != "mean"
        kinds[derived.id] = "persons" if of_persons else derived.kind
    said = [
        NoteFacts(kind=LEFT_OUT, text=texts(f"note.left_out.{kind}", People=people.capitalize()), statistic=name)
        for name, kind in kinds.items()
        if kind in UNCORRECTED and name in published
    ]
    size = NoteFacts(kind=LEFT_OUT, text=_size(estimates.truncation, bound, texts))
    beyond: tuple[NoteFacts, ...] = ()
    unit = dataset.privacy_unit.name
    if estimates.truncation.cap_reached:
        cap = texts("note.cap_reached", cap=texts.number(estimates.truncation.cap), unit=unit)
        beyond = (NoteFacts(kind=CAP_REACHED, text=cap),)
    elif estimates.most_rows_assumed is not None:
        most = texts("note.undeclared_repeats", rows=texts.number(estimates.most_rows_assumed), unit=unit)
        beyond = (NoteFacts(kind=UNDECLARED, text=most),)
    return (*((size, *said) if said else ()), *beyond)


def _size(truncation: TruncationEstimate, bound: str, texts: Texts) -> str:
    return texts(
        "note.left_out.size",
        bound=bound,
        rows=texts.number(truncation.truncated_rows),
        lower=texts.number(truncation.lower),
        upper=texts.number(truncation.upper),
        share=texts.percent(truncation.share, decimals=1),
    )


def said_beside(edition: Edition, statistics: Sequence[str], texts: Texts) -> str:
    """What must stand beside numbers of these statistics: which rows are missing from them; empty where none are."""
    notes = edition.quality.notes
    if unmeasured := [note.text for note in notes if note.kind == UNMEASURED]:
        return unmeasured[0]
    about: dict[str, list[str]] = {}
    for note in notes:
        if note.kind == LEFT_OUT and note.statistic in statistics:
            about.setdefault(note.text, []).append(edition.statistic(note.statistic).title)
    size = [note.text for note in notes if note.kind == LEFT_OUT and not note.statistic]
    each = [texts("note.about", what=", ".join(titles), text=text) for text, titles in about.items()]
    beyond = [note.text for note in notes if note.kind in (CAP_REACHED, UNDECLARED)]
    return " ".join((*(size if each else ()), *each, *beyond))


def seen_in(edition: Edition) -> Seen | None:
    """What an edition published of kept and truncated rows; None where it did not measure them."""
    found = edition.quality.truncation
    if found is None or found.rows is None or found.persons is None or found.persons_upper is None or not found.share:
        return None
    return Seen(
        bound=edition.guarantee.contribution_rows,
        kept=found.rows * (1 / found.share - 1),
        truncated=found.rows,
        persons=found.persons,
        error=(found.persons_upper - found.persons) / NORMAL_95,
    )
