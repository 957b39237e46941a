"""Revisions in the form of a scheduled release: the kinds with what each costs, and a proposal as the run's note."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.sdk import Param

from dp_stats import written
from dp_stats.catalogue import Release
from dp_stats.written import count, left_after

if TYPE_CHECKING:
    from dp_stats.proposing import Proposal

EDITION: Final = "edition"
CORRECTION: Final = "correction"
MOST = 5
"""Differences that a note names before the rest is only counted."""


def kinds(release: Release) -> Param:
    """What a run makes, each with its cost."""
    loss = release.privacy_loss
    cost = f"ρ = {written.rho(loss.rho)}" if loss.rho else f"ε = {written.epsilon(loss.epsilon or 0)}"
    titles = {
        EDITION: "None: the edition itself, as declared",
        "format": "Names, texts or layout were wrong: no value changes, costs nothing",
        "method": "A better estimator: values from what is stored, costs nothing",
        "late": "Late records that later editions have counted: costs nothing",
        CORRECTION: f"The records were wrong: measured again, a new charge of {cost}",
    }
    return Param(
        EDITION,
        type="string",
        enum=list(titles),
        values_display=titles,
        title="Kind of revision",
        description="Needs a period, and for all but late records a reason. Files of earlier revisions never change.",
    )


def note_of(proposal: Proposal) -> str:
    """What a revision costs and changes, for the note of the run."""
    from dp_stats.airflow.cards import escape

    said = [f"**{proposal.run.path}** ({proposal.kind}), in place of revision {proposal.standing}."]
    quote = proposal.quote
    if proposal.state == "published":
        said.append("It is published: there is nothing left to do.")
    elif quote is None:
        said.append("It costs nothing: it is made of stored measurements.")
    elif quote.free:
        said.append("It is paid for: nothing new is charged.")
    else:
        left = left_after(quote.parts_left)
        said.append(
            f"New charge of ρ = {written.rho(quote.rho)} in {', '.join(quote.charged)}; it leaves {left}. Records are read and "
            "measured again."
        )
        said += [f"Not allowed: {escape(line)}" for line in quote.refusals]
        said += [f"Must be approved by {escape(', '.join(quote.approvers))}."] if quote.approvers else []
    if proposal.values is not None:
        of = sum(values for _, values in proposal.values.values())
        said.append(f"{count(proposal.changed)} of {count(of)} values change.")
    before, now = proposal.method
    if before != now:
        said.append(f"Estimated by version {now} of the method, before by version {before}.")
    said += [f"{escape(one.before) or '–'} → {escape(one.after) or '–'}" for one in proposal.differences[:MOST]]
    if (more := len(proposal.differences) - MOST) > 0:
        said.append(f"and {count(more)} more facts.")
    if proposal.adding:
        said.append(f"Adds late records that {', '.join(proposal.adding)} counted.")
    elif proposal.kind == "late" and proposal.state != "published":
        said.append("It only becomes final: no late records are added to it any more.")
    return "\n\n".join(said)
