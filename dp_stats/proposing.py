"""A revision by kind: what it would cost and change, said before anything is done; and those that cost nothing, made.

``format``: names, texts and layout of today; no value may change. ``method``: estimates of today's version of the method.
``late``: rows that later editions have counted. All three are made of stored measurements: nothing is drawn, nothing charged.
``correction``: the records are read and measured again, which is a new charge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from dp_stats.editions import reasons
from dp_stats.editions.description import MadeOf
from dp_stats.editions.edition import Edition, RevisionFacts, SourceFacts
from dp_stats.editions.looks import Looks
from dp_stats.editions.publication import Check, PublishedEdition, tables_of
from dp_stats.editions.revisions import ends_changed, values_changed
from dp_stats.errors import PublishedError
from dp_stats.estimate import estimator
from dp_stats.estimating import estimates_of
from dp_stats.files import require_printable
from dp_stats.late_windows import is_open, open_from
from dp_stats.publishing import publish as publish_run
from dp_stats.publishing import published_as, said_of, software
from dp_stats.revising import add_late, close, late_of
from dp_stats.run import KINDS, Kind, Run, ledger_if_any, open_made, open_run
from dp_stats.texts.words import Texts

if TYPE_CHECKING:
    from dp_stats.ledger import Ledger, Quote
    from dp_stats.settings import Settings

_TOLD = ("release", "dataset", "period", "quality", "dimensions", "statistics", "tables")
"""Facts of an edition that names and texts decide; the others tell what was charged, with what and when."""
_LATER = ("columns", "rows", "files")
"""Facts of a table that follow from its values."""


@dataclass(frozen=True)
class Difference:
    """A fact that a revision tells otherwise than the one whose place it takes; ``where`` names it, step by step."""

    where: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True)
class Proposal:
    """What a revision would be.

    Attributes:
        revision: its number. standing: that of the published revision whose place it takes.
        state: ``begun`` by an earlier attempt, which this one finishes; ``published``: there is nothing left to do.
        quote: what it would cost; None where it costs nothing.
        run: with everything declared about it. why: what it says of itself; None of a correction.
        differences: facts told otherwise. values: table → how many of its values change, and how many it has.
        intervals: how many intervals change.
        looks: whether texts, style or what makes the files are others than before.
        method: versions of the method by which values are estimated, before and now.
        adding: editions whose late rows it would add; none of kind ``late`` where it only becomes final.
        sources: earlier editions that its tables across editions are made from: those of the revision whose place it takes.
    """

    run: Run
    kind: Kind
    reason: str
    standing: int
    state: Literal["new", "begun", "published"] = "new"
    quote: Quote | None = None
    why: RevisionFacts | None = None
    differences: tuple[Difference, ...] = ()
    values: Mapping[str, tuple[int, int]] | None = None
    intervals: int = 0
    looks: bool = False
    method: tuple[int, int] = (estimator.VERSION, estimator.VERSION)
    adding: tuple[str, ...] = ()
    sources: tuple[SourceFacts, ...] | None = None

    @property
    def edition(self) -> str:
        """``release/period``."""
        return self.run.edition

    @property
    def revision(self) -> int:
        return self.run.revision

    @property
    def changed(self) -> int:
        """How many published values change."""
        return sum(changed for changed, _ in (self.values or {}).values())


def propose(edition: str, *, kind: Kind, reason: str, settings: Settings) -> Proposal:
    """What a revision would cost and change. Reads no rows; spends, draws and publishes nothing.

    The same edition, kind and reason are the same revision: asked again, it is finished or found published.

    Raises:
        PublishedError: there is nothing to revise, nothing would change, it needs another kind, or another revision was
            begun and not finished.
    """
    ledger = ledger_if_any(settings)
    standing = _standing(edition, ledger)
    assert ledger is not None
    if kind not in KINDS:
        raise PublishedError(f"'{kind}' is no kind of revision. Write one of {', '.join(KINDS)}.")
    if kind == "late":
        return _late(edition, standing, ledger, settings)
    if not reason.strip():
        raise PublishedError(f"A revision of kind '{kind}' needs a reason, which the public reads. Give --reason.")
    try:
        require_printable(reason)
    except ValueError as unseen:
        raise PublishedError(f"The reason {unseen}: the public reads it.") from None
    before, texts = published_as(ledger, edition, standing), Texts.of(settings)
    last = _last(edition, ledger)
    known = _known(edition, last, kind, reason, ledger, texts)
    if kind == "correction":
        number = number_of_correction(edition, reason=reason, settings=settings)
        run = open_run(edition, revision=number, settings=settings)
        quote = ledger.quote(
            run.plan,
            dataset=run.dataset,
            holders=run.holders,
            revision=number,
            category="adhoc" if run.release.adhoc else "scheduled",
            requested_by=run.release.requested_by or "",
        )
        return Proposal(run, kind, reason, standing, known or "new", quote)
    if known:
        made = published_as(ledger, edition, last)
        run = open_made(edition, revision=last, measured=made.measured, adding=made.adding, settings=settings)
        return Proposal(run, kind, reason, standing, known, why=made.facts)
    run = open_made(edition, revision=last + 1, measured=before.measured, adding=before.adding, settings=settings)
    why = reasons.from_stored(last + 1, kind, reason, before=before, texts=texts)
    return _compared(Proposal(run, kind, reason, standing, why=why), before, ledger, texts)


def number_of_correction(edition: str, *, reason: str, settings: Settings) -> int:
    """The number of a correction: the next, or that of the one for the same reason that was begun or published before.

    Raises:
        PublishedError: nothing is published, or another revision was begun and not finished.
    """
    ledger = ledger_if_any(settings)
    _standing(edition, ledger)
    assert ledger is not None
    last = _last(edition, ledger)
    return last if _known(edition, last, "correction", reason, ledger, Texts.of(settings)) else last + 1


def publish_proposed(proposal: Proposal, *, check: Check) -> PublishedEdition:
    """Make a revision that costs nothing, or make it whole where it is published.

    Raises:
        PublishedError: it is no such revision, or its files cannot be made. QualityError: from ``check``.
    """
    run = proposal.run
    if proposal.kind == "late":
        ledger = run.ledger()
        if proposal.adding:
            since = open_from(run, ledger)
            made = add_late(proposal.edition, run.settings, ledger, since=since, check=check)
        else:
            made = close(proposal.edition, proposal.standing, run.settings, ledger, check=check)
        if made is None:
            raise PublishedError(f"No late records are added to {proposal.edition} any more.")
        return made
    if proposal.why is None:
        raise PublishedError(f"{run.path} is a correction: it must be measured first.")
    return publish_run(run, check=check, why=proposal.why, sources=proposal.sources)


def _standing(edition: str, ledger: Ledger | None) -> int:
    """The revision to use now: the last that is published and not retracted."""
    numbers = [p.revision for p in ledger.publications() if p.edition == edition] if ledger else []
    if ledger is None or not numbers:
        raise PublishedError(f"{edition} is not published, so there is nothing to revise. Write release/period.")
    gone = {r.revision for r in ledger.retractions(edition)}
    return max((n for n in numbers if n not in gone), default=max(numbers))


def _last(edition: str, ledger: Ledger) -> int:
    return ledger.revisions(edition)[-1]


def _known(
    edition: str, last: int, kind: Kind, reason: str, ledger: Ledger, texts: Texts
) -> Literal["begun", "published"] | None:
    """Whether the last revision is the one that is asked for; one of stored measurements that was begun is finished first.

    Raises:
        PublishedError: another was begun and is not finished.
    """
    if last == 1:
        return None
    published = ledger.publication(edition, last) is not None
    reservation, made = ledger.reservation(edition, last), published_as(ledger, edition, last)
    if reservation is not None:
        same, begun = (kind, reason) == ("correction", reservation.reason), ("correction", reservation.reason)
    else:
        before = published_as(ledger, edition, made.facts.supersedes or 1)
        same = (kind, reasons.reason_of(reason, before.estimator, texts)) == (made.facts.kind, made.facts.reason)
        same = same or not (published or kind == "correction")
        begun = (made.facts.kind, made.facts.reason)
        if not published and made.estimator != estimator.VERSION:
            return None  # it was begun with another version of the method: nobody has seen it, and nobody will
    if published:
        retracted = any(r.revision == last for r in ledger.retractions(edition))
        return "published" if same and not retracted else None
    if same:
        return "begun"
    given = f" Or give it back: dp-stats give-back {edition}" if reservation and reservation.state == "reserved" else ""
    raise PublishedError(
        f"Revision {last} of {edition} was begun and is not finished. Finish it first: dp-stats revise {edition} --kind "
        f'{begun[0]} --reason "{begun[1]}"{given}'
    )


def _late(edition: str, standing: int, ledger: Ledger, settings: Settings) -> Proposal:
    adding = late_of(edition, ledger)
    made = published_as(ledger, edition, standing)
    counted = made.measured > 1 or bool(ledger.retractions(edition))
    there = counted or set(adding) <= set(made.adding)
    number = standing if there else _last(edition, ledger) + 1
    run = open_made(
        edition, revision=number, measured=made.measured, adding=made.adding if there else adding, settings=settings
    )
    if there and made.facts.status == "provisional" and not is_open(run.period.label, open_from(run, ledger)):
        return Proposal(replace(run, revision=_last(edition, ledger) + 1), "late", "", standing)
    if not adding:
        raise PublishedError(f"No published edition has measured late records of {edition}. There is nothing to add.")
    if counted:
        raise PublishedError(f"{edition} was corrected or retracted, so late records are added to it no more.")
    return Proposal(run, "late", "", standing, "published" if there else "new", adding=adding)


def _compared(proposal: Proposal, made: MadeOf, ledger: Ledger, texts: Texts) -> Proposal:
    """With what would change.

    Raises:
        PublishedError: nothing would, or values would that its kind may not change.
    """
    run, edition = proposal.run, proposal.edition
    folder = run.published_in / edition / f"r{proposal.standing}"
    before = Edition.load(folder)
    estimates = estimates_of(run, before.sources)
    account = ledger.account(run.edition, run.measured)
    after = said_of(run, estimates, account, texts, proposal.why, before.sources)
    tables = tables_of(after, estimates, run.published_in)
    values = {id: (values_changed(folder / f"{id}.parquet", table), len(table)) for id, table in tables.items()}
    found = replace(
        proposal,
        sources=before.sources,
        differences=tuple(_differences(_told(before), _told(after))),
        values=values,
        intervals=sum(ends_changed(folder / f"{id}.parquet", table) for id, table in tables.items()),
        looks=_other_looks(run, proposal.standing, ledger, texts),
        method=(made.estimator, estimator.VERSION),
    )
    _refuse(found)
    return found


def _refuse(proposal: Proposal) -> None:
    """Hold a proposal against what its kind may change."""
    edition, (before, now) = proposal.edition, proposal.method
    if proposal.kind == "method" and before == now:
        raise PublishedError(
            f"{edition} is estimated by version {now} of the method, which is the one that is installed: there is no other "
            "estimate of what is stored. For names, texts and layout use --kind format; for other data --kind correction."
        )
    if proposal.kind == "format" and before != now:
        raise PublishedError(
            f"{edition} was estimated by version {before} of the method and would be by version {now} now. Use --kind method, "
            "which also takes today's names and texts and costs nothing."
        )
    if proposal.kind == "format" and (proposal.changed or proposal.intervals):
        raise PublishedError(
            f"{proposal.changed} values and {proposal.intervals} intervals of {edition} would be others; names, texts and layout "
            "change none. Run this where the edition was published, with the software that its edition.json names."
        )
    if proposal.kind == "format" and not (proposal.differences or proposal.looks):
        raise PublishedError(
            f"Nothing would change in {edition}: its names, texts and layout are those of today. Edit the catalogue, the code "
            "lists or the reports first. What is counted, read and measured is changed by --kind correction alone."
        )


def _other_looks(run: Run, standing: int, ledger: Ledger, texts: Texts) -> bool:
    """Whether the files would look otherwise: other texts or style, or other software that writes them."""
    description, publication = ledger.description(run.edition, standing), ledger.publication(run.edition, standing)
    if description is None or publication is None:
        return True
    return description.looks != Looks.of(run.settings).hash or publication.software != software(
        run.settings.reports, texts
    )


def _told(edition: Edition) -> dict[str, Any]:
    facts = {name: value for name, value in edition.model_dump(mode="json").items() if name in _TOLD}
    for table in facts["tables"]:
        for name in _LATER:
            table.pop(name, None)
    return facts


def _differences(before: Any, after: Any, where: tuple[str, ...] = ()) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            yield from _differences(before.get(name), after.get(name), (*where, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            name = old.get("id") or old.get("name") if isinstance(old, dict) else ""
            yield from _differences(old, new, (*where, str(name or number)))
    else:
        yield Difference(where, _text(before), _text(after))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
