"""What a revision says of itself: its kind, its reason and what it takes the place of."""

from __future__ import annotations

from dp_stats.catalogue.periods import PeriodKind
from dp_stats.editions.description import MadeOf
from dp_stats.editions.edition import RevisionFacts, RevisionKind, RevisionStatus
from dp_stats.estimate import estimator
from dp_stats.texts.words import Texts

SAY_THEIR_KIND = ("first", "late")
"""Kinds of revision whose reasons say by themselves which they are."""


def correction(number: int, reason: str, *, before: MadeOf | None, texts: Texts) -> RevisionFacts:
    """A revision that was measured anew; ``before`` is the last one published, if there is one."""
    said = reason_of(reason, before.estimator, texts) if before else reason
    supersedes = before.facts.number if before else None
    return RevisionFacts(number=number, kind="correction", reason=said, supersedes=supersedes, remeasured=True)


def from_stored(
    number: int,
    kind: RevisionKind,
    reason: str,
    *,
    before: MadeOf,
    texts: Texts,
    adding: tuple[str, ...] | None = None,
    status: RevisionStatus | None = None,
) -> RevisionFacts:
    """A revision made of the stored measurements of the one ``before``, whose place it takes.

    Args:
        adding: editions whose late rows are added, if others than before. status: if another than before.
    """
    adds = before.adding if adding is None else adding
    return RevisionFacts(
        number=number,
        kind=kind,
        status=status or before.facts.status,
        reason=reason_of(reason, before.estimator, texts),
        supersedes=before.facts.number,
        adds=adds,
        measurements=None if kind == "late" and adds else before.measured,
    )


def reason_of(reason: str, before: int, texts: Texts) -> str:
    """A reason that also says by which version of the method values are estimated now, if it was another ``before``."""
    if before == estimator.VERSION:
        return reason
    return f"{reason} {texts('edition.method', version=estimator.VERSION, before=before)}"


def reason_in(facts: RevisionFacts, kind: PeriodKind, *, own: Texts, other: Texts) -> RevisionFacts:
    """The same facts with a reason in another language, where it is one that every late revision gives.

    Args:
        kind: what one edition of the release covers. own: the language of the reason.
    """
    known = dict(zip(_usual(facts, kind, own), _usual(facts, kind, other), strict=True))
    return facts.model_copy(update={"reason": known.get(facts.reason, facts.reason)})


def _usual(facts: RevisionFacts, kind: PeriodKind, texts: Texts) -> tuple[str, str]:
    periods = [texts.period(name.rpartition("/")[2], kind=kind) for name in facts.adds]
    return texts("edition.late", periods=texts.listed(periods)), texts("edition.closed")
