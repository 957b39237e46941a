"""Where a request stands, for the person who asked: whom it waits for, where its answer is, and why it ended.

Decisions, charges and publications are read from the ledger each time; beside it is only kept what was asked when, and
what stopped a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from dp_stats.files import replace_file
from dp_stats.ledger import Approval, Ledger
from dp_stats.ledger.budget import who
from dp_stats.requests.approval import Way
from dp_stats.requests.preflight import Card
from dp_stats.settings import Settings

STOPPED = "stopped.json"
TOLD = timedelta(days=30)
"""How long a custodian reads that an answer of hers did not count."""
State = Literal["waiting", "going", "published", "free", "refused", "expired", "stopped", "withdrawn", "over"]
OPEN: tuple[State, ...] = ("waiting", "going")
"""States in which something is still to happen; ``over``: the run in which it was to happen has ended."""


@dataclass(frozen=True)
class Asked:
    """What was asked, by whom, in which run, and when (ISO, UTC); the last time, if the same was asked again."""

    id: str
    title: str
    purpose: str
    requested_by: str
    edition: str
    plan: str
    way: Way
    approvers: tuple[str, ...]
    run: str
    at: str

    @property
    def when(self) -> datetime:
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True)
class Standing:
    """A request as it stands now.

    Attributes:
        waits_for: custodians who have not decided. by, why: who ended it (and in whose place), and with which words.
        approved: the approvals that were given since it was asked, or by which it was published.
    """

    asked: Asked
    state: State
    waits_for: tuple[str, ...] = ()
    by: str = ""
    why: str = ""
    approved: tuple[Approval, ...] = ()


@dataclass(frozen=True)
class Known:
    """What the ledger says of many requests: editions that are published, and decisions by the hash of the plan, oldest first."""

    published: frozenset[str]
    decisions: Mapping[str, Sequence[Approval]]


def keep_asked(card: Card, way: Way, *, run: str, settings: Settings) -> None:
    """Note that a request was asked just now; what stopped it before is forgotten."""
    release = card.release
    asked = Asked(
        id=release.id,
        title=release.title,
        purpose=release.purpose,
        requested_by=release.requested_by or "",
        edition=card.edition,
        plan=card.plan.hash,
        way=way,
        approvers=card.approvers,
        run=run,
        at=datetime.now(UTC).isoformat(),
    )
    folder = settings.requests / release.id
    (folder / STOPPED).unlink(missing_ok=True)
    (settings.withdrawn / release.id).unlink(missing_ok=True)
    replace_file(folder / "asked.json", json.dumps(asdict(asked), ensure_ascii=False).encode())


def keep_stopped(name: str, words: str, *, answered_by: str = "", settings: Settings) -> bool:
    """Note why the run of a request went no further, in the words of the error that stopped it.

    Args:
        answered_by: whose answer did not count, if that is why.

    Returns:
        Whether there is such a request; what was wrong before it was asked is none of it.
    """
    if not (settings.requests / name / "asked.json").is_file():
        return False
    content = {"why": words, "answered_by": answered_by, "at": datetime.now(UTC).isoformat()}
    replace_file(settings.requests / name / STOPPED, json.dumps(content, ensure_ascii=False).encode())
    return True


def not_counted(user: str, *, settings: Settings) -> list[tuple[Asked, str]]:
    """The requests that a user answered in vain in the last month, newest first, with the reason; until they are asked again."""
    since, found = (datetime.now(UTC) - TOLD).isoformat(), []
    for path in settings.requests.glob(f"*/{STOPPED}"):
        stopped = _content(path)
        by, at = str(stopped.get("answered_by") or ""), str(stopped.get("at", ""))
        if by and who(by) == who(user) and at >= since and (asked := _asked_in(path.with_name("asked.json"))):
            found.append((at, asked, str(stopped.get("why", ""))))
    return [(asked, why) for _, asked, why in sorted(found, key=lambda one: one[0], reverse=True)]


def keep_withdrawn(name: str, *, settings: Settings) -> None:
    """Note that who asked wants no answer any more, until the same is asked again."""
    settings.withdrawn.mkdir(mode=0o700, exist_ok=True)
    replace_file(settings.withdrawn / name, datetime.now(UTC).isoformat().encode())


def is_withdrawn(name: str, *, settings: Settings) -> bool:
    """Whether who asked has taken a request back."""
    return (settings.withdrawn / name).is_file()


def asked_as(name: str, *, settings: Settings) -> Asked | None:
    """What was asked under this id; None if nothing was, or its file cannot be read."""
    found = _asked_in(settings.requests / name / "asked.json")
    return found if found is not None and found.id == name else None


def waiting(*, ledger: Ledger | None, settings: Settings, now: datetime) -> list[Standing]:
    """Every request that waits for people, those that wait longest first."""
    since = now - timedelta(hours=settings.approval_hours)  # what was asked before has ended without an answer
    asked = (one for one in _all_asked(settings) if one.way == "approval" and one.when >= since)
    known = known_since(since, ledger=ledger)
    found = (standing(one, ledger=ledger, settings=settings, known=known) for one in asked)
    return sorted((one for one in found if one.state == "waiting"), key=lambda one: one.asked.at)


def known_since(since: datetime, *, ledger: Ledger | None) -> Known:
    """What the ledger says of all requests that were asked since a moment, in two readings instead of two for each."""
    if ledger is None:
        return Known(frozenset(), {})
    decisions: dict[str, list[Approval]] = {}
    for made in ledger.decided_since(since):
        decisions.setdefault(made.plan_hash, []).append(made)
    return Known(frozenset(p.edition for p in ledger.publications() if p.revision == 1), decisions)


def requests_of(user: str, *, ledger: Ledger | None, settings: Settings) -> list[Standing]:
    """Everything that a user has asked for, newest first."""
    own = [asked for asked in _all_asked(settings) if who(asked.requested_by) == who(user)]
    return [standing(a, ledger=ledger, settings=settings) for a in sorted(own, key=lambda a: a.at, reverse=True)]


def standing(asked: Asked, *, ledger: Ledger | None, settings: Settings, known: Known | None = None) -> Standing:
    """How one request stands; ``known``: what the ledger says, where it has been read for many."""
    if known is None:
        published = ledger is not None and ledger.publication(asked.edition, 1) is not None
        decisions: Sequence[Approval] = ledger.approvals(asked.plan) if ledger is not None else ()
    else:
        published, decisions = asked.edition in known.published, known.decisions.get(asked.plan, ())
    latest = {who(made.custodian): made for made in decisions}
    counted = [m for a in asked.approvers if (m := latest.get(who(a))) and (published or _since(m, asked))]
    approved = tuple(made for made in counted if made.decision == "approved")
    if published:
        return Standing(asked, "published", approved=approved)
    return replace(_unpublished(asked, counted, settings=settings), approved=approved)


def _unpublished(asked: Asked, decided: Sequence[Approval], *, settings: Settings) -> Standing:
    """How a request stands that is not published; ``decided``: each approver's latest decision since it was asked."""
    folder = settings.requests / asked.id
    if asked.way == "free" and (folder / "answer.csv").is_file():
        return Standing(asked, "free")
    for made in decided:
        if made.decision != "approved":
            return Standing(asked, made.decision, by=made.by, why=made.reason)
    if is_withdrawn(asked.id, settings=settings):
        return Standing(asked, "withdrawn")
    stopped = _content(folder / STOPPED)
    if stopped:
        return Standing(asked, "stopped", why=str(stopped.get("why", "")))
    done = {who(made.custodian) for made in decided}
    open_ = tuple(approver for approver in asked.approvers if who(approver) not in done)
    if asked.way == "approval" and open_:
        return Standing(asked, "waiting", waits_for=open_)
    return Standing(asked, "going")


def _since(made: Approval, asked: Asked) -> bool:
    """Whether a decision was made after the request was last asked."""
    return made.at >= asked.when


def _all_asked(settings: Settings) -> Iterator[Asked]:
    """Every request that was asked; a file that cannot be read is left out, and stops no other."""
    for path in settings.requests.glob("*/asked.json"):
        if (asked := _asked_in(path)) is not None:
            yield asked


def _asked_in(path: Path) -> Asked | None:
    content = _content(path)
    try:
        return Asked(**{**content, "approvers": tuple(content["approvers"])})
    except (TypeError, KeyError):
        return None


def _content(path: Path) -> dict[str, Any]:
    """What a file of ours says; nothing if it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
