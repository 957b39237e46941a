"""The command that publishes an edition again: what it costs and changes is said before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from dp_stats import written
from dp_stats.cli.common import app, err, fails_clearly, out, settings
from dp_stats.run import Kind
from dp_stats.written import count, left_after

if TYPE_CHECKING:
    from dp_stats.ledger import Quote
    from dp_stats.proposing import Proposal

MOST = 12
"""Differences shown before the rest is only counted."""


@app.command(epilog='Example: dp-stats revise visits-by-clinic/2024-01 --kind format --reason "A name was misspelt."')
@fails_clearly
def revise(
    edition: Annotated[str, typer.Argument(help="release/period", metavar="EDITION")],
    kind: Annotated[
        Kind,
        typer.Option(
            help="format: names, texts, layout of today. method: today's estimator. late: rows counted since. None of these "
            "costs anything. correction: reads and measures the records again, a new charge."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; the public reads it. Late records say it themselves.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it costs and changes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is published.")] = False,
) -> None:
    """Publish a revision of an edition beside the earlier ones, whose files never change; its cost is said first.

    The same edition, kind and reason are the same revision: run again after a failure, it is finished and charged once.
    """
    from dp_stats.pipeline import propose
    from dp_stats.pipeline import revise as revise_edition

    where = settings()
    proposal = propose(edition, kind=kind, reason=reason, settings=where)
    print_proposal(out, proposal)
    if dry_run or not allowed(proposal):
        return
    if proposal.state != "published" and not yes:
        typer.confirm("Publish it?", abort=True, err=True)
    done = revise_edition(
        edition, kind=kind, reason=reason, settings=where, progress=lambda step: err.print(f"{edition}: {step}")
    )
    out.print(f"Published {proposal.run.published_in / done['path']}", soft_wrap=True)
    for name in done.get("not_shown", ()):
        out.print(f"[yellow]Warning:[/] {name} cannot be shown on the site. See [bold]dp-stats site build[/].")


@app.command(epilog="Example: dp-stats give-back visits-by-clinic/2024-01")
@fails_clearly
def give_back(
    edition: Annotated[str, typer.Argument(help="release/period", metavar="EDITION")],
    revision: Annotated[
        int | None, typer.Option(min=1, help="Number of the revision; the last unfinished one if left out.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why; it stays in the ledger.")
    ] = "abandoned before anything was measured",
) -> None:
    """Give back the charge of a revision that was begun and of which nothing was measured, so that others can be made."""
    from dp_stats import unfinished
    from dp_stats.run import open_ledger

    ledger = open_ledger(settings())
    number = revision or unfinished.last_begun(edition, ledger)
    found = unfinished.give_back(edition, ledger, revision=number, reason=reason)
    blocks = ", ".join(found.charged) or "no block, as others of its series have paid for it"
    out.print(f"Given back {edition} r{number}: ρ = {written.rho(found.rho)} of {blocks}.", soft_wrap=True)


def allowed(proposal: Proposal) -> bool:
    """Whether the budget has room for it; what stands against it was printed."""
    return proposal.quote is None or proposal.state == "published" or not proposal.quote.refusals


def print_proposal(out: Console, proposal: Proposal) -> None:
    """What a revision costs and changes."""
    number, standing = proposal.revision, proposal.standing
    if proposal.state == "published":
        out.print(f"{proposal.run.path} is published: there is nothing left to do.", soft_wrap=True)
        return
    verb = "goes on with" if proposal.state == "begun" else "is"
    out.print(
        f"This {verb} revision {number} of {proposal.edition}; revision {standing} is in use now.", soft_wrap=True
    )
    if proposal.state == "begun" and proposal.why is not None:
        out.print(f"It was begun as {proposal.why.kind}: {proposal.why.reason}", markup=False, soft_wrap=True)
    if proposal.quote is not None:
        _print_cost(out, proposal, proposal.quote)
        return
    out.print("[green]It costs nothing:[/] it is made of stored measurements. No row is read and no noise is drawn.")
    if proposal.adding:
        out.print(f"It adds the late rows that were measured by {', '.join(proposal.adding)}.", soft_wrap=True)
    elif proposal.kind == "late":
        out.print("It only becomes final: no late rows are added to it any more.")
    before, now = proposal.method
    if before != now:
        out.print(f"Values are estimated by version {now} of the method, before by version {before}.")
    if proposal.values is not None:
        _print_values(out, proposal)
    _print_differences(out, proposal)


def _print_cost(out: Console, proposal: Proposal, quote: Quote) -> None:
    plan, unit = proposal.run.plan, proposal.run.dataset.privacy_unit.name
    out.print("The records are read and measured again, as they and the catalogue are now; every value changes.")
    if quote.free:
        out.print("[green]It is paid for:[/] it charges nothing new.")
    else:
        pure = f"pure ε = {written.epsilon(plan.pure_epsilon)}; " if plan.pure_epsilon else ""
        epsilon = f"{pure}ε = {written.epsilon(plan.epsilon)} at δ = {written.delta(plan.delta)}"
        left = left_after(quote.parts_left)
        out.print(
            f"[yellow]New charge[/] of ρ = {written.rho(quote.rho)} ({epsilon}) of each {unit}'s budget in "
            f"{', '.join(quote.charged)}. It leaves {left}.",
            soft_wrap=True,
        )
    if quote.approvers:
        out.print(f"It must be approved by {', '.join(quote.approvers)}.", soft_wrap=True)
    if quote.refusals:
        out.print("[red]Does not fit the budget:[/]")
        for line in quote.refusals:
            out.print(f"  {line}", markup=False)


def _print_values(out: Console, proposal: Proposal) -> None:
    table = Table(title="Values that change")
    for heading in ("table", "values", "change"):
        table.add_column(heading, justify="left" if heading == "table" else "right")
    for name, (changed, values) in (proposal.values or {}).items():
        table.add_row(name, count(values), count(changed))
    out.print(table)
    if proposal.intervals:
        out.print(f"{count(proposal.intervals)} intervals have other ends.")


def _print_differences(out: Console, proposal: Proposal) -> None:
    for one in proposal.differences[:MOST]:
        out.print(f"  {' › '.join(one.where)}: {one.before or '–'} → {one.after or '–'}", markup=False, soft_wrap=True)
    if (more := len(proposal.differences) - MOST) > 0:
        out.print(f"  and {count(more)} more facts are told otherwise.")
    if proposal.looks:
        out.print("Texts, style or what makes the files are others than before.")
