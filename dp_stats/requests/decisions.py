"""An ad hoc release from the form to the answer: ask, show, decide, authorise, answer.

Measuring and publishing are the same steps as for any release (``pipeline``); these are the ones before.
Whether a request may be measured is read from the ledger each time, never from what a task reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dp_stats.catalogue import Catalogue, read_catalogue
from dp_stats.errors import ApprovalError, BudgetError, PublishedError
from dp_stats.files import replace_file
from dp_stats.ledger import Ledger
from dp_stats.ledger.budget import who
from dp_stats.ledger.cards import ShownCard, objections
from dp_stats.ledger.records import Decision
from dp_stats.requests.approval import Way, is_approved, may_decide, path_of
from dp_stats.requests.asked_release import TABLE, period_of_request
from dp_stats.requests.free_answers import free_table
from dp_stats.requests.kept import load_request, save_request
from dp_stats.requests.preflight import Card, make_card
from dp_stats.requests.preparing import prepare, require_agreement
from dp_stats.requests.questions import chosen, read_question, request_id
from dp_stats.requests.selection import only_chosen
from dp_stats.requests.showing import REVISION
from dp_stats.requests.standing import asked_as, is_withdrawn, keep_asked, keep_withdrawn, standing
from dp_stats.run import ledger_if_any, open_ledger, open_run
from dp_stats.settings import Settings, load_settings

APPROVAL_HOLDS = timedelta(days=30)


@dataclass(frozen=True)
class Request:
    """A request that was checked and kept.

    Attributes:
        path: ``free`` (published tables answer it, or it was measured before), ``approval`` (custodians decide)
            or ``allowed`` (below the dataset's allowance).
    """

    id: str
    edition: str
    path: Way


def name_of(form: Mapping[str, Any], *, requested_by: str, settings: Settings | None = None) -> str:
    """The id under which this analyst's form is kept.

    Raises:
        CatalogueError: the form is wrong.
    """
    catalogue = _catalogue(settings or load_settings())
    return request_id(read_question(form, catalogue), requested_by=requested_by)


def ask(form: Mapping[str, Any], *, requested_by: str, run: str = "", settings: Settings | None = None) -> Request:
    """Check a form, work out the privacy loss it needs, keep it as a declaration, and say what happens next.

    ``run`` names where it was asked, so that who asked finds it again.

    Raises:
        CatalogueError: the form is wrong, or no privacy loss gives the accuracy asked for.
        NotDueError: the period has not ended and settled. BudgetError: the budget cannot pay for it.
        ApprovalError: who asks would have to approve it. AgreementError: the data-sharing agreement is not in force.
    """
    settings = settings or load_settings()
    prepared = prepare(form, requested_by=requested_by, settings=settings)
    question, release = prepared.question, prepared.release
    save_request(release, question, settings)
    made = card(release.id, settings=settings)
    way = path_of(made, question)
    keep_asked(made, way, run=run, settings=settings)
    if made.refusals and way != "free":
        raise BudgetError("The budget does not allow this request:\n  " + "\n  ".join(made.refusals))
    if way == "approval":
        for approver in made.approvers:
            may_decide(made, approver)
    return Request(release.id, made.edition, way)


def request(name: str, *, settings: Settings | None = None) -> Request:
    """A request as it stands now."""
    settings = settings or load_settings()
    _, question = load_request(name, settings)
    made = card(name, settings=settings)
    return Request(name, made.edition, path_of(made, question))


def card(name: str, *, ledger: Ledger | None = None, settings: Settings | None = None) -> Card:
    """The pre-flight card of a request, with the budget as it is now; ``ledger``: one that is open already."""
    settings = settings or load_settings()
    release, question = load_request(name, settings)
    catalogue = _catalogue(settings)
    return make_card(release, catalogue, settings, only=chosen(question, catalogue), ledger=ledger)


def would_count(
    name: str,
    *,
    approver: str,
    decision: Decision,
    shown: ShownCard,
    instead_of: str = "",
    ledger: Ledger | None = None,
    settings: Settings | None = None,
) -> None:
    """Check that a decision would count, as things stand now; nothing is recorded.

    ``instead_of``: the custodian in whose place a deputy (``approver``) decides.

    Raises:
        ApprovalError: the approver may not decide, or would approve what is not as the card says any more.
    """
    settings = settings or load_settings()
    made = card(name, ledger=ledger, settings=settings)
    _require_wanted(made, settings)
    may_decide(made, approver, instead_of=instead_of)
    if decision == "approved":
        changed = objections(
            shown, plan=made.plan.hash, revision=REVISION, purpose=made.release.purpose, quote=made.quote
        )
        if found := list(changed):
            raise ApprovalError(
                f"The approval of {approver} does not count, because what the card showed does not hold any more: "
                f"{'; '.join(found)}. Nothing was charged. Ask again; a new card shows how things stand."
            )


def decide(
    name: str,
    *,
    approver: str,
    decision: Decision,
    reason: str,
    shown: ShownCard,
    instead_of: str = "",
    settings: Settings | None = None,
) -> None:
    """Record a custodian's decision in the ledger, with the card that was shown; it counts for what that says alone.

    ``instead_of``: the custodian in whose place a deputy (``approver``) decides.

    Raises:
        ApprovalError: the approver may not decide, or would approve what is not as the card says any more.
    """
    settings = settings or load_settings()
    would_count(name, approver=approver, decision=decision, shown=shown, instead_of=instead_of, settings=settings)
    expires = datetime.now(UTC) + APPROVAL_HOLDS if decision == "approved" else None
    open_ledger(settings).approve(shown.plan, approver, decision, reason, expires, shown, instead_of)


def withdraw(name: str, *, by: str, settings: Settings | None = None) -> str:
    """Take a request back that waits for people: no answer to it counts any more, until the same is asked again.

    Returns:
        The run in which it was asked, ``dag/run``.

    Raises:
        ApprovalError: somebody else asked for it, or it does not wait any more.
    """
    settings = settings or load_settings()
    asked = asked_as(name, settings=settings)
    if asked is None or who(asked.requested_by) != who(by):
        raise ApprovalError("Only who asked for figures can withdraw the request.")
    if standing(asked, ledger=ledger_if_any(settings), settings=settings).state != "waiting":
        raise ApprovalError("This request does not wait for anybody any more, so that it cannot be withdrawn.")
    keep_withdrawn(name, settings=settings)
    return asked.run


def _require_wanted(made: Card, settings: Settings) -> None:
    """Refuse to go on with a request that was taken back.

    Raises:
        ApprovalError: it was.
    """
    if is_withdrawn(made.release.id, settings=settings):
        raise ApprovalError(
            f"{made.release.requested_by} has withdrawn the request {made.edition}. There is nothing to decide; nothing was spent."
        )


def authorise(name: str, *, settings: Settings | None = None) -> bool:
    """Whether a request may be measured now, by what the ledger says.

    Returns:
        True if it may; False if a custodian refused or did not answer, or if it is answered for free.

    Raises:
        ApprovalError: nobody decided (for example because the task of the approval was marked as done by hand), or
            what was approved is not as it was shown any more. BudgetError: the budget cannot pay for it any more.
            AgreementError: the data-sharing agreement is not in force any more.
    """
    settings = settings or load_settings()
    _, question = load_request(name, settings)
    made = card(name, settings=settings)
    _require_wanted(made, settings)
    if path_of(made, question) == "free":
        return False
    require_agreement(made.dataset, _catalogue(settings))
    ledger, release = open_ledger(settings), made.release
    if not is_approved(made, ledger.approvals(made.plan.hash)):
        return False
    ledger.permit(
        made.plan,
        dataset=made.dataset,
        holders=_catalogue(settings).holders_of(made.dataset),
        revision=REVISION,
        category="adhoc",
        requested_by=release.requested_by or "",
        purpose=release.purpose,
    )
    return True


def answer(name: str, *, settings: Settings | None = None) -> Path:
    """Write the figures that published editions imply, with a note of where they come from.

    Raises:
        PublishedError: nothing that is published answers it.
    """
    settings = settings or load_settings()
    made = card(name, settings=settings)
    if made.free is None:
        raise PublishedError(f"Nothing that is published answers {made.edition}. Ask again without the free answer.")
    table = free_table(made.free, made.release, _catalogue(settings))
    folder = settings.requests / name
    replace_file(folder / "answer.csv", table.encode())
    sources = "\n".join(f"- {made.free.title}: {edition}" for edition in made.free.editions)
    told = f"# {made.release.title}\n\nComputed from what is already published, at no cost to privacy:\n\n{sources}\n"
    if made.free.breaks:
        said = "\n".join(f"- {one.said}" for one in made.free.breaks)
        told += f"\nBoundaries changed within the period (status b):\n\n{said}\n"
    replace_file(folder / "sources.md", told.encode())
    return folder


def hand_over(name: str, *, settings: Settings | None = None) -> Path | None:
    """Keep of the published table only the areas and bands the analyst asked for, in a file of her own.

    Returns:
        The file; None if she asked for all, which the edition holds.

    Raises:
        PublishedError: the edition is not published.
    """
    settings = settings or load_settings()
    release, question = load_request(name, settings)
    run = open_run(f"{name}/{period_of_request(release)}", settings=settings)
    table = run.published_in / run.path / f"{TABLE}.csv"
    if not table.is_file():
        raise PublishedError(f"{run.edition} is not published, so nothing can be handed over. Run the steps before.")
    mine = settings.requests / name / "answer.csv"
    only = chosen(question, _catalogue(settings))
    if not only:
        mine.unlink(missing_ok=True)  # an earlier, free answer
        return None
    names = {d.column: d.name for d in release.dimensions}
    wanted = {names[column]: codes for column, codes in only.items()}
    replace_file(mine, only_chosen(table.read_text(encoding="utf-8"), wanted).encode())
    return mine


def _catalogue(settings: Settings) -> Catalogue:
    return read_catalogue(settings.catalogue)
