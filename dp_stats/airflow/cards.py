"""The pre-flight card as Markdown for the approver, and as a few lines for the run's note."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dp_stats import written
from dp_stats.plan import ExpectedError
from dp_stats.texts.warnings import full
from dp_stats.written import count, number, share

if TYPE_CHECKING:
    from dp_stats.requests.preflight import BlockLine, Card
    from dp_stats.requests.tried import KeptQuote
    from dp_stats.texts.words import Texts

MOST_BREAKS = 3
"""Changes of boundaries that a card tells of."""
WORD_JOINER = "\u2060"


def escape(text: str) -> str:
    """An analyst's words as plain text: no Markdown, HTML or address of theirs, nor a mark that turns the direction of
    writing, may shape what a custodian sees.

    Airflow makes links of addresses only after it has taken the backslashes away, so that a sign which nobody sees keeps their
    parts from each other.
    """
    seen = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    apart = re.sub(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", WORD_JOINER, seen)
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", apart)


def card_markdown(card: Card, texts: Texts) -> str:
    """The whole card."""
    release, plan = card.release, card.plan
    parts = [
        f"## {escape(release.title)}",
        f"**{escape(release.requested_by or '')}** asks, for a **{release.audience}** audience:",
        f"> {escape(release.purpose)}",
        _deputies(card) if card.approvers else "",
        _records(card),
        "### What it costs",
    ]
    if card.quote.free:
        parts.append("**Nothing.** This was measured before; it would be published from the stored measurements.")
    else:
        parts.append(_cost(card))
    parts += [_budget(card), _left(card)]
    if card.only:
        chosen = sum(len(codes) for codes in card.only.values())
        parts.append(
            f"Only {chosen} of the areas or bands {'was' if chosen == 1 else 'were'} asked for. All are measured and "
            "published, at the same cost; fewer would be no more accurate."
        )
    if card.quote.again:
        parts.append(
            f"**This starts a new series:** {' and '.join(card.quote.again)} would be charged again, because what bounds "
            "or measures it was edited."
        )
    if card.refusals:
        parts.append("**The budget does not allow it:**\n\n" + "\n".join(f"- {line}" for line in card.refusals))
    parts += ["### How accurate it will be", _accuracy(card)]
    if card.free:
        parts += ["### Already published", _free(card)]
    if card.history:
        parts += ["### Decided before", _history(card)]
    if plan.warnings:
        parts.append("\n".join(f"- {escape(full(texts, warning))}" for warning in plan.warnings))
    parts += [
        "### What the public will read about privacy",
        f"> {escape(card.privacy_sentence(texts))}",
        f"An approval counts for this plan (`{plan.hash[:12]}`), this cost and this purpose alone, and only while after it "
        f"at least {_floors(card)}. Others may be charged meanwhile down to there.",
    ]
    return "\n\n".join(part for part in parts if part)


def cost_of(card: Card) -> str:
    """What a request costs, in a word or two that tell it from another for the same figures."""
    if card.quote.free:
        return "measured before"
    return f"ε {written.epsilon(card.plan.epsilon if card.plan.pure_epsilon is None else card.plan.pure_epsilon)}"


def _records(card: Card) -> str:
    """Whose records it uses, on what basis and until when, and who must approve; nothing where one body holds all."""
    agreement, dataset = card.agreement, card.dataset
    parts = []
    if agreement is not None:
        purpose = agreement.purposes[card.release.agreed_purpose or ""]
        parts.append(
            f"Under the agreement **{escape(agreement.title)}** (version {agreement.version}, until {agreement.last_day}), for: "
            f"{escape(purpose)}."
        )
        lines = ["| Records | Held by | Legal basis | Until |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {escape(name)} | {escape(table.custodian)} | {escape(table.legal_basis)} | {table.until} |"
            for name, table in agreement.tables.items()
        ]
        parts.append("\n".join(lines))
    elif dataset.tables:
        lines = ["| Records | Held by |", "| --- | --- |"]
        lines += [f"| {escape(name)} | {escape(table.custodian)} |" for name, table in dataset.tables.items()]
        parts.append("\n".join(lines))
    if len(card.approvers) > 1:
        parts.append(f"**Every one of these must approve:** {', '.join(map(escape, card.approvers))}.")
    return "\n\n".join(["### Whose records", *parts]) if parts else ""


def _deputies(card: Card) -> str:
    """Who may answer in whose place, and until when."""
    today = datetime.now(UTC).date()
    said = [
        f"{escape(deputy.user)} in the place of {escape(custodian.answers_as)} (until {written.day(deputy.last_day)})"
        for custodian in card.dataset.custodians
        for deputy in custodian.deputies
        if deputy.first_day <= today <= deputy.last_day
    ]
    return f"**Deputies who may answer:** {', '.join(said)}." if said else ""


def _cost(card: Card) -> str:
    plan, unit = card.plan, card.dataset.privacy_unit.name
    where = f"of the privacy of each {unit}, once in each block below."
    at_delta = f"ε = {written.epsilon(plan.epsilon)} at δ = {written.delta(plan.delta)}"
    rho = f"ρ = {written.rho(card.quote.rho)}"
    if plan.pure_epsilon is None:
        return f"**{at_delta}** ({rho}) {where}"
    from dp_stats.ledger.amounts import epsilon

    weight = f"ε = {written.epsilon(epsilon(plan.rho, plan.delta))} at δ = {written.delta(plan.delta)}"
    return (
        f"**ε = {written.epsilon(plan.pure_epsilon)}** ({rho}) {where}\n\n"
        f"The budget counts in ρ, where this weighs as much as {weight}: it adds up many small charges more "
        "kindly than one large one. The shares below are of ρ."
    )


def _budget(card: Card) -> str:
    lines = ["| Block | Budget ε | Left now | This request | Left after |", "| --- | ---: | ---: | ---: | ---: |"]
    for b in card.blocks:
        lines.append(
            f"| {b.block} | {written.epsilon(b.cap)} | {share(b.share_before)} (ε {written.epsilon(b.before)}) | "
            f"**{share(b.share_cost)}** | {_after(b)} |"
        )
    return "\n".join(lines)


MOST_DECISIONS = 8
"""Earlier decisions that a card shows."""


def _history(card: Card) -> str:
    """Decisions on what this person asked for, or on the same purpose, the newest first."""
    lines = ["| When | Who decided | What | Reason | For |", "| --- | --- | --- | --- | --- |"]
    for made, shown in card.history[:MOST_DECISIONS]:
        same = "the same purpose" if shown.purpose == card.release.purpose else escape(shown.purpose[:120])
        lines.append(
            f"| {written.day(made.at)} | {escape(made.by)} | {made.decision}: {escape(shown.requested_by)}, "
            f"ρ {written.rho(shown.rho)} | {escape(made.reason)} | {same} |"
        )
    more = len(card.history) - MOST_DECISIONS
    return "\n".join(lines) + (f"\n\nAnd {count(more)} more." if more > 0 else "")


LIMITS = {
    "cap": "all together",
    "category": "all ad hoc requests together",
    "analyst": "who asks",
}


def _left(card: Card) -> str:
    """What may still be charged before this request: by who asks, by all requests, and at all."""
    from dp_stats.requests.tried import left_of

    found = [
        f"{LIMITS[left['of']]} {share(left['share'])} of the budget of {left['block']} (ε {written.epsilon(left['epsilon'])})"
        for left in left_of(card.quote)
        if left["of"] != "cap"
    ]
    return f"Before this request may still be spent by {'; by '.join(found)}." if found else ""


def quote_note(quote: KeptQuote) -> str:
    """A quote in a few lines, for the note of a run."""
    asked = next((p for p in quote["points"] if p["asked"]), None)
    lines = [f"**Only tried:** {escape(quote['title'])}. Nothing was filed or spent."]
    if asked is not None:
        margin = "" if asked["margin"] is None else f", typical 95 % margin ±{number(asked['margin'])}"
        lines.append(f"Costs ε {written.epsilon(asked['epsilon'])}, {share(asked['share'])} of the budget{margin}.")
    others = [p for p in quote["points"] if not p["asked"] and p["margin"] is not None]
    if others:
        lines.append(
            "Others: "
            + "; ".join(
                f"ε {written.epsilon(p['epsilon'])} ±{number(p['margin'] or 0)} ({share(p['share'])})" for p in others
            )
            + "."
        )
    if quote["free_margin"] is not None:
        lines.append(f"Free already, from {escape(quote['free_from'])}: ±{number(quote['free_margin'])}.")
    if quote["refusals"]:
        lines.append(f"**Does not fit.** {fits(quote)}")
    return "\n\n".join(line for line in lines if line)


def fits(quote: KeptQuote) -> str:
    """What would fit where what was asked for does not; for who asked, to fill in."""
    epsilon, margin = quote["fitting_epsilon"], quote["fitting_margin"]
    if epsilon is None:
        return "Nothing is left in this block that could be asked for."
    if quote["asked_margin"] is not None and margin is not None:
        return f"An accuracy of ±{number(margin)} would fit (ε {written.epsilon(epsilon)})."
    bought = "" if margin is None else f", with a margin of ±{number(margin)}"
    return f"A privacy loss of ε = {written.epsilon(epsilon)} would fit{bought}."


def _after(block: BlockLine) -> str:
    if block.share_after < 0:
        return f"**none**: {share(-block.share_after)} is missing"
    return f"**{share(block.share_after)}** (ε {written.epsilon(block.after)})"


def _floors(card: Card) -> str:
    return " and ".join(f"**{share(b.share_floor)}** of the budget of {b.block} is left" for b in card.blocks)


def _accuracy(card: Card) -> str:
    lines = ["| Statistic | Values | Typical 95 % margin | Widest |", "| --- | ---: | ---: | ---: |"]
    titles = {s.id: s.title or s.id for s in card.release.statistics}
    for e in card.plan.expected:
        typical = _margin(e) + (f" ({share(e.relative, decimals=0)} of a mean value)" if e.relative else "")
        lines.append(
            f"| {escape(titles.get(e.statistic, e.statistic))} | {count(e.cells)} | {typical} | ±{number(e.worst)} |"
        )
    text = "\n".join(lines)
    if card.unreliable is None:
        return text + "\n\nNobody has guessed how large the values are, so the share of unreliable values is not known."
    return (
        text
        + f"\n\nAbout **{share(card.unreliable, decimals=0)}** of the values are expected to be flagged as unreliable."
    )


def _margin(expected: ExpectedError) -> str:
    """A typical margin, and between what it lies where it depends on how much areas and groups differ."""
    typical = f"±{number(expected.margin_95)}"
    ends = expected.between
    return f"{typical}, between ±{number(ends[0])} and ±{number(ends[1])}" if ends else typical


def _free(card: Card) -> str:
    assert card.free is not None
    editions = ", ".join(f"`{edition}`" for edition in card.free.editions[:6])
    more = f" and {len(card.free.editions) - 6} more" if len(card.free.editions) > 6 else ""
    said = "".join(f"\n\nBoundaries changed: {escape(one.said)}" for one in card.free.breaks[:MOST_BREAKS])
    return (
        f"The same {count(card.free.cells)} figures follow from *{escape(card.free.title)}* ({editions}{more}) with a typical "
        f"95 % margin of **±{number(card.free.margin)}**, and cost nothing.{said}"
    )


def card_note(card: Card) -> str:
    """The card in a few lines, for the note of the run."""
    blocks = "; ".join(
        f"{b.block}: {share(b.share_before)} → {share(max(b.share_after, 0.0))} left" for b in card.blocks
    )
    margins = "; ".join(f"{e.statistic} {_margin(e)}" for e in card.plan.expected)
    flagged = "" if card.unreliable is None else f" About {share(card.unreliable, decimals=0)} flagged as unreliable."
    cost = (
        "nothing (measured before)"
        if card.quote.free
        else f"ρ {written.rho(card.quote.rho)} (ε {written.epsilon(card.plan.epsilon)})"
    )
    return (
        f"**{escape(card.release.title)}**\n\nAsked by {escape(card.release.requested_by or '')}. Costs {cost}.\n\n"
        f"Budget {blocks}.\n\n95 % margins: {margins}.{flagged}"
    )
