"""What is said of editions beside their numbers: who decided, who asked, what for, under which law, whose records were left out.

Each sentence is made from a record: a decision of the ledger, or a field of the declarations that were sealed. Where there is
no record, that is what is said; no text asserts an approval, a purpose, an objection or a law by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from dp_stats.editions.edition import ApprovalFacts, DatasetFacts, Edition, ReleaseFacts
from dp_stats.texts.words import Texts


def approvals(editions: Iterable[Edition], texts: Texts) -> str:
    """Who decided what, and when, as the ledger has it for these editions: each decision once, in order of time; where nobody was
    asked, who signed the agreement that the last of them was made under."""
    known = list(editions)
    decided = sorted(dict.fromkeys(a for e in known for a in e.approvals), key=lambda a: a.when)
    if decided:
        return " ".join(dict.fromkeys(_decision(a, texts) for a in decided))
    if not all(e.approval_asked is False for e in known):
        return texts("claim.no_approval")
    agreement = known[-1].dataset.agreement if known else None
    if agreement is None:
        return texts("claim.not_asked")
    holders = [party for party in agreement.parties if party.role == "custodian"]
    signed = [texts("claim.signed", who=party.name, day=texts.day(party.signed)) for party in holders]
    return " ".join([*signed, texts("claim.not_asked_each")])


def _decision(approval: ApprovalFacts, texts: Texts) -> str:
    known = texts.get("claim.decided")
    form = approval.decision if approval.decision in known else "other"
    when = texts.day(datetime.fromisoformat(approval.when).date()) if approval.when else texts("claim.unknown")
    by = approval.approver
    if approval.instead_of:
        by = texts("claim.deputy", who=by, custodian=approval.instead_of)
    return texts(f"claim.decided.{form}", who=by, decision=approval.decision, day=when)


def asked_for(release: ReleaseFacts, texts: Texts) -> str:
    """Who asked for a release, or that it is a declared one; with or without a schedule."""
    if release.requested_by:
        return release.requested_by
    return texts("claim.asked.scheduled" if release.schedule else "claim.asked.declared")


def purpose(release: ReleaseFacts, dataset: DatasetFacts, texts: Texts) -> str:
    """What it is for: as whoever asked for it said, and as the parties of an agreement call it."""
    agreed = dataset.agreement.purpose if dataset.agreement else ""
    return " ".join(dict.fromkeys(said for said in (release.purpose, agreed) if said)) or texts("claim.unknown")


def benefit(release: ReleaseFacts, texts: Texts) -> str:
    """What it is good for, as declared."""
    return release.public_benefit or release.purpose or texts("claim.unknown")


PRACTICE = ("status", "revisions", "pre_release_access", "source_quality", "timeliness", "comparability")
"""What a code of practice has producers say, in the order in which it is shown."""


def practice(release: ReleaseFacts, texts: Texts) -> list[tuple[str, str]]:
    """What is declared of it, as (label, text), and whom to ask; nothing is said in place of what is not declared."""
    told = [(texts(f"practice.{name}"), str(getattr(release.practice, name)).strip()) for name in PRACTICE]
    known = [(label, text) for label, text in told if text]
    return [*known, (texts("practice.contact"), release.contact)] if known and release.contact else known


def legal_basis(dataset: DatasetFacts, texts: Texts) -> str:
    """Under which law the records are held and published, as declared, or each table is shared, as agreed."""
    shared: dict[tuple[str, str], list[str]] = {}
    for one in dataset.records:
        if one.legal_basis:
            shared.setdefault((one.custodian, one.legal_basis.rstrip(".")), []).append(one.name)
    if shared:
        return "; ".join(
            texts("claim.basis_of", records=texts.listed(names), custodian=custodian, basis=basis)
            for (custodian, basis), names in shared.items()
        )
    return dataset.legal_basis or texts("claim.unknown")


def opt_outs(dataset: DatasetFacts, texts: Texts) -> str:
    """Whether a list of people who opted out was applied, or what is declared in its place; of several tables whose lists."""
    lists = list(dict.fromkeys(r.custodian for r in dataset.records if r.opt_outs_applied))
    if lists:
        return texts("claim.opt_outs.lists", custodians=texts.listed(lists))
    return texts("claim.opt_outs.applied" if dataset.opt_outs_applied else "claim.opt_outs.none")


def linked(dataset: DatasetFacts, texts: Texts) -> str:
    """Datasets or tables that were linked, as recorded."""
    said = ", ".join(dataset.linked) or texts("claim.not_linked")
    if dataset.records:
        held: dict[str, list[str]] = {}
        for one in dataset.records:
            held.setdefault(one.custodian, []).append(one.name)
        named = (texts("claim.held_by", records=texts.listed(names), custodian=who) for who, names in held.items())
        said = texts.listed(named)
    return ". ".join(part.rstrip(".") for part in (said, *links(dataset, texts)))


def agreement(dataset: DatasetFacts, texts: Texts) -> str:
    """The data-sharing agreement that it was made under; empty where there is none."""
    made = dataset.agreement
    if made is None:
        return ""
    return texts(
        "claim.agreement",
        title=made.title,
        version=texts.number(made.version),
        parties=texts.listed(party.name for party in made.parties),
        ends=texts.day(made.ends),
        review=texts.day(made.review),
    )


def access(release: ReleaseFacts, texts: Texts) -> str:
    """Who may read it, and on what basis where it is not for everybody."""
    if release.audience == "public":
        return texts("use.access")
    if not release.organisations:
        return texts("claim.access.asked")
    names = (
        texts("claim.access.on_basis", name=one.name, basis=one.basis) if one.basis else one.name
        for one in release.organisations
    )
    return texts("claim.access.organisations", organisations=texts.listed(names))


def draws(edition: Edition, texts: Texts) -> str:
    """What other datasets paid for it, because it uses their records; empty where none did."""
    delta = texts.delta(edition.guarantee.delta)
    return " ".join(
        texts("claim.draw", dataset=one.dataset, epsilon=texts.significant(one.epsilon), delta=delta)
        for one in edition.draws
    )


def links(dataset: DatasetFacts, texts: Texts) -> list[str]:
    """What is said of each link table: whose it is, its version, and its quality in its maker's words; once for all tables that
    it is for."""
    made: dict[tuple[str, str, str], list[str]] = {}
    for one in dataset.links:
        made.setdefault((one.custodian, one.version, one.quality), []).append(one.table)
    return [
        texts("claim.link", table=texts.listed(tables), custodian=custodian, version=version, quality=quality)
        for (custodian, version, quality), tables in made.items()
    ]
