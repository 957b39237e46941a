"""Verifying a published site: nothing was taken out of its history, and the spend that it shows is all there is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pydantic import ValidationError

from dp_stats.errors import HistoryError
from dp_stats.transparency.history import Block, History
from dp_stats.transparency.kept import Kept
from dp_stats.transparency.leaves import (
    HEADS,
    LOG,
    ChargeLeaf,
    EditionLeaf,
    Head,
    PublishedHead,
    commitment_of,
    drawn_key,
    proof_name,
)
from dp_stats.transparency.places import Place
from dp_stats.transparency.proofs import read_proof
from dp_stats.transparency.shown import CHECKSUMS, EDITION, STATUS, ShownEdition, read_edition, read_status

CATALOG = "catalog.jsonld"


@dataclass(frozen=True)
class Checked:
    """What was found to hold.

    Attributes:
        head: the newest head; keep it, and compare it with what others were shown.
        spent: dataset and block → ρ spent. unnamed: of that, what paid for nothing that is published here.
        since: the head that was kept, if one was given. lost: head of an earlier log whose ledger was lost, if so: what was
            spent before is in none of these figures.
    """

    head: Head
    editions: int
    charges: int
    spent: Mapping[Block, Fraction]
    unnamed: Mapping[Block, Fraction]
    since: Head | None
    lost: Head | None


def verify(address: str, *, kept: Kept | None = None) -> Checked:
    """Check a published site from its files alone.

    Args:
        address: its root: a folder, an http(s) address, or a URL that fsspec knows.
        kept: a head, or an edition, that the reader kept from before.

    Raises:
        HistoryError: the first thing that is wrong.
        PublishedError: the site cannot be reached.
    """
    with Place(address) as place:
        heads, history = _read_log(place)
        _check_heads(history, heads)
        if kept is not None:
            kept.check(history)
        for number in history.editions:
            _check_edition(place, history, number)
        _check_listed(place, history)
    size = len(history.lines)
    spent = {block: history.spent(*block, size=size) for block in history.blocks()}
    unnamed: dict[Block, Fraction] = {}
    charges = 0
    for number, leaf in enumerate(history.leaves):
        if isinstance(leaf, ChargeLeaf):
            charges += 1
            if number not in history.opened:
                block = (leaf.dataset, leaf.block)
                unnamed[block] = unnamed.get(block, Fraction(0)) + leaf.rho
    return Checked(
        head=history.head(size),
        editions=len(history.editions),
        charges=charges,
        spent=spent,
        unnamed=unnamed,
        since=kept.head if kept else None,
        lost=history.lost,
    )


def _read_log(place: Place) -> tuple[list[PublishedHead], History]:
    """The heads, then the log, which may have grown in between: then the heads again."""
    heads = _read_heads(place)
    lines = _lines(place, LOG)
    if heads and len(lines) > heads[-1].size:
        heads = _read_heads(place)
    return heads, History.read(lines)


def _read_heads(place: Place) -> list[PublishedHead]:
    found = []
    for number, line in enumerate(_lines(place, HEADS), start=1):
        try:
            found.append(PublishedHead.model_validate_json(line))
        except ValidationError:
            raise HistoryError(f"{HEADS}: line {number} is no head. Whoever publishes must restore it.") from None
    return found


def _lines(place: Place, name: str) -> list[str]:
    text = _needed(place, name).decode("utf-8", errors="replace")
    if text and not text.endswith("\n"):
        raise HistoryError(f"{name} ends in the middle of a line. Whoever publishes must restore it.")
    return text.split("\n")[:-1]


def _needed(place: Place, path: str) -> bytes:
    content = place.read(path)
    if content is None:
        raise HistoryError(f"{path} is missing at {place.address}.")
    return content


def _check_heads(history: History, heads: list[PublishedHead]) -> None:
    """Every edition made one head, each head is the root of the lines before it, and no line comes after the last.

    Each head is recomputed from the same lines, so each is consistent with the next (RFC 9162, section 2.1.4).
    """
    wanted = history.heads()
    for number, (head, right) in enumerate(zip(heads, wanted, strict=False), start=1):
        if head != right:
            raise HistoryError(
                f"{HEADS}: line {number} is not what the first {right.size} lines of {LOG} hash to: a line was altered, "
                "removed, added or moved, or the head was rewritten."
            )
    if len(heads) != len(wanted):
        raise HistoryError(f"{HEADS} has {len(heads)} lines, but {LOG} names {len(wanted)} editions.")
    if len(history.lines) != (heads[-1].size if heads else 0):
        raise HistoryError(f"{LOG} has lines after the last head.")


def _check_edition(place: Place, history: History, number: int) -> None:
    """One edition: its files are those in the log, its charges are its own and enough, and what it shows as spent is right."""
    leaf = history.editions[number]
    sums = _needed(place, f"{leaf.path}/{CHECKSUMS}")
    content = _needed(place, f"{leaf.path}/{EDITION}")
    if hashlib.sha256(sums).hexdigest() != leaf.sha256:
        raise HistoryError(f"{leaf.path}/{CHECKSUMS} is not the one in the log: the edition was exchanged.")
    if f"{hashlib.sha256(content).hexdigest()}  {EDITION}" not in sums.decode("utf-8", errors="replace").split("\n"):
        raise HistoryError(f"{leaf.path}/{EDITION} is not the one in {CHECKSUMS}: it was altered.")
    edition = read_edition(content, f"{leaf.path}/{EDITION}")
    if edition.path != leaf.path:
        raise HistoryError(f"{leaf.path}/{EDITION} is about {edition.path}.")
    if edition.log is None or not 0 < edition.log.size <= number or history.head(edition.log.size) != edition.log:
        raise HistoryError(f"{leaf.path} shows a head that the log never had before it.")
    _check_measured(history, leaf, edition, number=number)
    _check_charges(history, leaf, edition, size=edition.log.size)
    _check_spend(history, edition, size=edition.log.size)
    name = f"{leaf.edition}/{proof_name(leaf.revision)}"
    proof = read_proof(_needed(place, name), name)
    wanted = (number, *(opening.leaf for opening in leaf.charges))
    proven = tuple(line.number for line in proof.lines)
    if proof.head.size != number + 1 or proof.head.root != history.roots[number + 1] or proven != wanted:
        raise HistoryError(f"{name} is not about this edition and the head that it made.")
    proof.check()


def _check_measured(history: History, leaf: EditionLeaf, edition: ShownEdition, *, number: int) -> None:
    """What is made of another revision's measurements follows that one in the log, and rests on the same charges."""
    measured = edition.revision.measured
    if measured == leaf.revision:
        return
    earlier = [one for at, one in history.revisions(leaf.edition) if at < number]
    paid = [{opening.leaf for opening in one.charges} for one in earlier if one.revision == measured]
    if not any(charges == {opening.leaf for opening in leaf.charges} for charges in paid):
        raise HistoryError(
            f"{leaf.path} is made of what revision {measured} measured, which is not in {LOG} before it with the same charges."
        )


def _check_charges(history: History, leaf: EditionLeaf, edition: ShownEdition, *, size: int) -> None:
    """Its charges open to its own series or plan, are no less than its loss, one for each block, and came before it."""
    paid = set()
    for opening in leaf.charges:
        charge = history.leaves[opening.leaf]
        assert isinstance(charge, ChargeLeaf)  # checked when the log was read
        if charge.commitment != commitment_of(opening.opening, edition.key) or charge.dataset != edition.dataset.id:
            raise HistoryError(
                f"{leaf.path}: the charge in line {opening.leaf + 1} of {LOG} was made for something else."
            )
        if charge.rho < edition.guarantee.rho or opening.leaf >= size:
            raise HistoryError(
                f"{leaf.path}: the charge in line {opening.leaf + 1} of {LOG} is smaller or later than its loss of "
                f"ρ {edition.guarantee.rho}."
            )
        paid.add(charge.block)
    if paid != set(edition.guarantee.blocks):
        raise HistoryError(
            f"{leaf.path} loses privacy in block {', '.join(edition.guarantee.blocks)}, but paid for others."
        )
    _check_draws(history, leaf, edition, size=size)


def _check_draws(history: History, leaf: EditionLeaf, edition: ShownEdition, *, size: int) -> None:
    """What other datasets paid opens to its own charges, one for each dataset and block, and is no less than it shows."""
    wanted = {(draw.dataset, block): draw.rho for draw in edition.draws for block in edition.guarantee.blocks}
    for opening in leaf.draws:
        charge = history.leaves[opening.leaf]
        assert isinstance(charge, ChargeLeaf)  # checked when the log was read
        found = [
            (name, block)
            for name, block in wanted
            if name == charge.dataset
            and charge.commitment == commitment_of(opening.opening, drawn_key(edition.key, block))
        ]
        if not found or charge.rho < wanted[found[0]] or opening.leaf >= size:
            raise HistoryError(
                f"{leaf.path}: what '{charge.dataset}' paid in line {opening.leaf + 1} of {LOG} was for something else, is less "
                "than the edition shows, or came later."
            )
        del wanted[found[0]]
    for name, _ in wanted:
        raise HistoryError(f"{leaf.path} uses records of '{name}', which did not pay for them.")


def _check_spend(history: History, edition: ShownEdition, *, size: int) -> None:
    """What it shows as spent in each block is the sum of the charges at that moment, and so is what it shows as left."""
    if {budget.block for budget in edition.budget} != set(edition.guarantee.blocks):
        raise HistoryError(f"{edition.path} does not show the budget of each of its blocks.")
    for budget in edition.budget:
        spent = history.spent(edition.dataset.id, budget.block, size=size)
        if budget.spent != spent:
            raise HistoryError(
                f"{edition.path} shows ρ {budget.spent} as spent in block {budget.block}; the charges in the log add up to "
                f"ρ {spent}."
            )
        if budget.remaining > max(Fraction(0), budget.cap - spent):
            raise HistoryError(
                f"{edition.path} shows more left in block {budget.block} than its cap less what is spent."
            )


def _check_listed(place: Place, history: History) -> None:
    """What the site lists is what the log holds: every revision of each edition, and every release of the catalogue."""
    revisions: dict[str, set[int]] = {}
    for leaf in history.editions.values():
        revisions.setdefault(leaf.edition, set()).add(leaf.revision)
    for edition, known in revisions.items():
        name = f"{edition}/{STATUS}"
        listed = {state.number for state in read_status(_needed(place, name), name).revisions}
        if listed != known:
            wrong = min(listed ^ known)
            raise HistoryError(
                f"{edition}/r{wrong} is {'not in the log' if wrong in listed else f'missing in {name}'}."
            )
    releases = {edition.partition("/")[0] for edition in revisions}
    try:
        listed_releases = {str(d["dct:identifier"]) for d in json.loads(_needed(place, CATALOG))["dcat:dataset"]}
    except (ValueError, KeyError, TypeError):
        raise HistoryError(f"{CATALOG} cannot be read. Whoever publishes must restore it.") from None
    for release in sorted(listed_releases - releases):
        raise HistoryError(f"{CATALOG} lists the release {release}, of which the log holds no edition.")
