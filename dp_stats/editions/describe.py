"""Say every fact about an edition: from its declarations, its plan and its estimates, to an ``Edition``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from dp_stats.catalogue.across_windows import began
from dp_stats.catalogue.due import open_since
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset, Derived, Release, Statistic
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.catalogue.spoken import dataset_in, release_in
from dp_stats.editions.across import across_notes, across_statistics, across_tables
from dp_stats.editions.dimensions import dimension_facts, title_of
from dp_stats.editions.edition import (
    ApprovalFacts,
    BudgetFacts,
    Edition,
    ExpectedFacts,
    LogFacts,
    NoteFacts,
    PeriodFacts,
    ProvenanceFacts,
    QualityFacts,
    ReleaseFacts,
    RevisionFacts,
    RevisionStatus,
    SourceFacts,
    StatisticFacts,
    TableFacts,
    TruncationFacts,
    utc,
)
from dp_stats.editions.guarantee import guarantee_facts
from dp_stats.editions.languages import words_of
from dp_stats.editions.provisional import provisional_notes
from dp_stats.editions.reasons import reason_in
from dp_stats.editions.stewardship import dataset_facts, draw_facts, recipient_facts
from dp_stats.editions.truncated import UNMEASURED, truncation_notes
from dp_stats.estimate import estimator
from dp_stats.estimate.model import EditionEstimates, TruncationEstimate
from dp_stats.files import sha256
from dp_stats.plan.model import ExpectedError, Plan
from dp_stats.plan.warnings import PlanWarning
from dp_stats.texts import warnings
from dp_stats.texts.numbers import rounded
from dp_stats.texts.words import ORIGIN, Texts


class BlockBudget(Protocol):
    """What the ledger says about one block, in ρ."""

    @property
    def block(self) -> str: ...
    @property
    def cap(self) -> Fraction: ...
    @property
    def spent(self) -> Fraction: ...
    @property
    def remaining(self) -> Fraction: ...
    @property
    def delta(self) -> Fraction: ...


class Approval(Protocol):
    """What the ledger says about one approver's decision."""

    @property
    def approver(self) -> str: ...
    @property
    def decision(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def instead_of(self) -> str: ...


class LogHead(Protocol):
    """A head of the public log."""

    @property
    def size(self) -> int: ...
    @property
    def root(self) -> str: ...


class Account(Protocol):
    """What the ledger says about one edition."""

    @property
    def blocks(self) -> Sequence[BlockBudget]: ...
    @property
    def charges(self) -> Sequence[str]: ...
    @property
    def approvals(self) -> Sequence[Approval]: ...
    @property
    def approval_asked(self) -> bool: ...
    @property
    def log(self) -> LogHead | None: ...


def describe(
    release: Release,
    *,
    dataset: Dataset,
    texts: Texts,
    languages: Sequence[Texts] = (),
    **facts: Any,
) -> Edition:
    """Every fact about one edition, before its files are written, with its words in each language.

    Args:
        texts: the language that the edition speaks. languages: further ones, in which its words stand beside.
        facts: those that ``_described`` takes, whatever the language.
    """
    edition = _described(release, dataset=dataset, texts=texts, **facts)
    if texts.language == ORIGIN and not languages:
        return edition
    words = {}
    for other in languages:
        why = reason_in(edition.revision, release.period, own=texts, other=other)
        in_it = release_in(release, other.language), dataset_in(dataset, other.language)
        words[other.language] = words_of(
            edition, _described(in_it[0], dataset=in_it[1], texts=other, **{**facts, "revision": why})
        )
    return edition.model_copy(update={"language": texts.language, "words": words})


def _described(
    release: Release,
    *,
    dataset: Dataset,
    catalogue: Catalogue,
    period: Period,
    grid: Grid,
    estimates: EditionEstimates,
    texts: Texts,
    account: Account | None = None,
    revision: int | RevisionFacts = 1,
    sources: Sequence[SourceFacts] = (),
    reason: str = "",
    published: datetime | None = None,
    commit: str = "",
) -> Edition:
    """The facts in one language.

    Args:
        estimates: only the plan and what the contribution bound truncated are used.
        texts: the language that the edition speaks.
        account: what was charged, what is left and who approved.
        revision: its number, or everything about it; a number above one means that it was measured again.
        reason: why there is a revision. sources: earlier editions that tables across editions are made from.
        published: the moment of publication, with a time zone; now if left out.
        commit: the version of the declarations that it was planned from; empty where that is not known.
    """
    plan, why = estimates.plan, _revision(revision, reason, release, period)
    published = published or datetime.now(UTC).replace(microsecond=0)
    open_from = open_since(release, period) if why.status == "provisional" else None
    begun = began(release, [parse_period(one.edition.rpartition("/")[2]).start for one in sources])
    return Edition(
        release=_release(release, catalogue, texts, period, why.number),
        dataset=dataset_facts(dataset, release, catalogue.agreement_of(dataset)),
        period=_period(period, release, texts),
        revision=why,
        published=published,
        guarantee=guarantee_facts(plan, release, dataset, libraries=library_versions(), texts=texts),
        budget=tuple(_budget(b) for b in account.blocks if b.block in plan.blocks) if account else (),
        quality=QualityFacts(
            truncation=_truncation(estimates.truncation),
            expected=tuple(_expected(e) for e in plan.expected),
            consistent=all(s.kind != "persons" for s in release.statistics),
            notes=(
                *(_warning(w, texts) for w in plan.warnings if w.kind != UNMEASURED),
                *truncation_notes(estimates, release, dataset, texts),
                *_notes(estimates, texts),
                *provisional_notes(release, period, why, texts),
                *across_notes(release, len(sources) + 1, texts),
            ),
        ),
        dimensions=dimension_facts(catalogue, release, dataset, grid, texts),
        statistics=tuple(_statistic(s, release, dataset, texts) for s in release.statistics)
        + tuple(_derived(d, release, texts) for d in release.derived)
        + tuple(across_statistics(begun, texts)),
        tables=(*_tables(release, grid), *across_tables(release, grid, estimates, open_from=open_from)),
        sources=tuple(sources),
        charges=tuple(account.charges) if account else (),
        draws=draw_facts(plan),
        log=LogFacts(size=account.log.size, root=account.log.root) if account and account.log else None,
        approvals=tuple(
            ApprovalFacts(
                approver=a.approver, decision=a.decision, reason=a.reason, when=utc(a.at), instead_of=a.instead_of
            )
            for a in account.approvals
        )
        if account
        else (),
        approval_asked=account.approval_asked if account else None,
        provenance=_provenance(plan, dataset, release, commit),
    )


def _tables(release: Release, grid: Grid) -> tuple[TableFacts, ...]:
    return tuple(
        TableFacts(id=t.id, title=t.title, levels=grid.complete(t.levels), statistics=t.statistics)
        for t in release.tables
    )


def _provenance(plan: Plan, dataset: Dataset, release: Release, commit: str) -> ProvenanceFacts:
    return ProvenanceFacts(
        plan_hash=plan.hash,
        series_hash=plan.series_hash,
        declaration_hash=sha256((dataset.model_dump_json() + release.model_dump_json()).encode()),
        commit=commit,
        versions=library_versions(),
        estimator=estimator.VERSION,
    )


def library_versions() -> dict[str, str]:
    """Versions of the libraries that the guarantee and the numbers rest on."""
    found: dict[str, str] = {}
    for name in ("dp-stats", "opendp", "numpy", "scipy", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            from dp_stats import __version__

            found[name] = __version__ if name == "dp-stats" else "unknown"
    return found


def _release(release: Release, catalogue: Catalogue, words: Texts, period: Period, revision: int) -> ReleaseFacts:
    texts = release.texts.model_dump(exclude={"languages"})
    texts["doi"] = release.texts.doi.format(period=period.label, revision=revision)
    texts.setdefault("practice", {})  # a model leaves out what says nothing
    for name in ("summary", "theme"):
        texts[name] = texts[name].strip() or release.title
    texts["known_issues"] = tuple(
        issue if isinstance(issue, str) else words("practice.dated", day=words.day(issue.since), text=issue.text)
        for issue in release.texts.known_issues
    )
    return ReleaseFacts(
        id=release.id,
        formerly=release.formerly,
        title=release.title,
        licence=release.licence,
        audience=release.audience,
        organisations=recipient_facts(release, catalogue.organisations),
        requested_by=release.requested_by,
        purpose=release.purpose,
        period_kind=release.period,
        end=release.end,
        schedule=release.schedule,
        timezone=release.timezone,
        holidays=release.holidays,
        settle_days=release.settle_days,
        series=release.series,
        headline=release.headline or release.tables[0].id,
        **texts,
    )


def _period(period: Period, release: Release, texts: Texts) -> PeriodFacts:
    said = texts.period(period.code, kind=release.period)
    return PeriodFacts(label=period.label, text=said, kind=release.period, start=period.start, end=period.end)


def _revision(revision: int | RevisionFacts, reason: str, release: Release, period: Period) -> RevisionFacts:
    if isinstance(revision, RevisionFacts):
        return revision
    if revision == 1:
        status: RevisionStatus = "provisional" if period.end >= open_since(release, period) else "final"
        return RevisionFacts(reason=reason, status=status)
    return RevisionFacts(number=revision, kind="correction", reason=reason, supersedes=revision - 1, remeasured=True)


def _statistic(statistic: Statistic, release: Release, dataset: Dataset, texts: Texts) -> StatisticFacts:
    people = texts.people(dataset.privacy_unit.name)
    description = texts(f"statistic.{statistic.kind}.text", people=people)
    bound = release.contribution
    if statistic.kind == "persons" and not bound.why_nothing_is_truncated:
        rows = texts.number(bound.rows)
        description += " " + texts("statistic.missing", rows=rows, unit=dataset.privacy_unit.name, people=people)
    return StatisticFacts(
        id=statistic.id,
        title=statistic.title or title_of(statistic.id),
        unit=statistic.unit or texts(f"statistic.{statistic.kind}.unit", people=people),
        kind=statistic.kind,
        description=description,
        integer=statistic.kind != "sum",
    )


def _derived(derived: Derived, release: Release, texts: Texts) -> StatisticFacts:
    of = next((s for s in release.statistics if s.id == derived.of), None)
    label = (of.title or title_of(of.id)) if of else title_of(derived.of)
    across = title_of(derived.across).lower() if derived.across else texts("statistic.everything")
    facts = {
        "of": label,
        "per": texts.number(derived.per),
        "over": title_of(derived.over or "").lower(),
        "across": across,
        "days": derived.days,
        "q": texts.significant(derived.q or 0),
    }
    rate = texts("statistic.rate_of", of=f"{label[:1].lower()}{label[1:]}")
    return StatisticFacts(
        id=derived.id,
        title=derived.title or (rate if derived.kind == "rate" else title_of(derived.id)),
        unit=derived.unit or texts(f"statistic.{derived.kind}.unit", **facts),
        kind=derived.kind,
        derived=True,
        description=texts(f"statistic.{derived.kind}.text", **facts),
        integer=derived.kind in ("rolling", "cumulative") and of is not None and of.kind != "sum",
    )


def _expected(error: ExpectedError) -> ExpectedFacts:
    def digits(number: float | None) -> float | None:
        return None if number is None else rounded(number, digits=5)

    numbers = {name: digits(getattr(error, name)) for name in ("margin_95", "worst", "prior_mean", "relative")}
    lowest, highest = error.between or (None, None)
    numbers |= {"lowest": digits(lowest), "highest": digits(highest)}
    return ExpectedFacts.model_validate(
        {"table": error.table, "statistic": error.statistic, "cells": error.cells, **numbers}
    )


def _warning(warning: PlanWarning, texts: Texts) -> NoteFacts:
    table, statistic = warnings.place(warning) or ("", "")
    return NoteFacts(kind=warning.kind, text=warnings.sentence(texts, warning), table=table, statistic=statistic)


def _notes(estimates: EditionEstimates, texts: Texts) -> tuple[NoteFacts, ...]:
    found = [e for table in estimates.tables.values() for e in table.values()]
    notes = []
    if any(e.shrunken for e in found):
        notes.append(NoteFacts(kind="leaning", text=texts("note.leaning")))
    if any(e.bounded is not None for e in found):
        notes.append(NoteFacts(kind="corrected", text=texts("note.corrected")))
    if estimates.nothing_truncated:
        text = texts("note.nothing_truncated", reason=estimates.nothing_truncated)
        notes.append(NoteFacts(kind="nothing_truncated", text=text))
    return tuple(notes)


def _truncation(truncation: TruncationEstimate | None) -> TruncationFacts | None:
    if truncation is None:
        return None
    return TruncationFacts(
        rows=round(truncation.truncated_rows, 1),
        lower=round(truncation.lower, 1),
        upper=round(truncation.upper, 1),
        share=round(truncation.share, 5),
        persons=None if truncation.truncated_persons is None else round(truncation.truncated_persons, 1),
        persons_upper=None if truncation.persons_upper is None else round(truncation.persons_upper, 1),
    )


def _budget(block: BlockBudget) -> BudgetFacts:
    from dp_stats.plan.accounting import epsilon_at

    return BudgetFacts(
        block=block.block,
        cap=block.cap,
        spent=block.spent,
        remaining=block.remaining,
        epsilon_cap=epsilon_at(block.cap, block.delta),
        epsilon_spent=epsilon_at(block.spent, block.delta),
        delta=block.delta,
    )
