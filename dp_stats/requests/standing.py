"""Where a request stands, for the person who asked: whom it waits for, where its answer is, and why it ended.

Decisions, charges and publications are read from the ledger each time; beside it is only kept what was asked when, and
what stopped a run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dp_stats.files import replace_file
from dp_stats.ledger import Approval, Ledger
from dp_stats.ledger.budget import who
from dp_stats.requests.approval import Way
from dp_stats.requests.preflight import Card
from dp_stats.settings import Settings

STOPPED = "stopped.json"
State = Literal["waiting", "going", "published", "free", "refused", "expired", "stopped", "withdrawn"]


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
        waits_for: custodians who have not decided. by, why: who ended it, and with which words.
    """

    asked: Asked
    state: State
    waits_for: tuple[str, ...] = ()
    by: str = ""
    why: str = ""


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


def keep_stopped(name: str, words: str, *, settings: Settings) -> None:
    """Note why the run of a request went no further, in the words of the error that stopped it."""
    if (settings.requests / name / "asked.json").is_file():
        replace_file(settings.requests / name / STOPPED, json.dumps({"why": words}, ensure_ascii=False).encode())


def keep_withdrawn(name: str, *, settings: Settings) -> None:
    """Note that who asked wants no answer any more, until the same is asked again."""
    settings.withdrawn.mkdir(mode=0o700, exist_ok=True)
    replace_file(settings.withdrawn / name, datetime.now(UTC).isoformat().encode())


def is_withdrawn(name: str, *, settings: Settings) -> bool:
    """Whether who asked has taken a request back."""
    return (settings.withdrawn / name).is_file()


def asked_as(name: str, *, settings: Settings) -> Asked | None:
    """What was asked under this id; None if nothing was, or its file cannot be read."""
    return next((asked for asked in _all_asked(settings) if asked.id == name), None)


def requests_of(user: str, *, ledger: Ledger | None, settings: Settings) -> list[Standing]:
    """Everything that a user has asked for, newest first."""
    own = [asked for asked in _all_asked(settings) if who(asked.requested_by) == who(user)]
    return [standing(a, ledger=ledger, settings=settings) for a in sorted(own, key=lambda a: a.at, reverse=True)]


def standing(asked: Asked, *, ledger: Ledger | None, settings: Settings) -> Standing:
    """How one request stands."""
    folder = settings.requests / asked.id
    if ledger is not None and ledger.publication(asked.edition, 1) is not None:
        return Standing(asked, "published")
    if asked.way == "free" and (folder / "answer.csv").is_file():
        return Standing(asked, "free")
    latest = {who(made.custodian): made for made in ledger.approvals(asked.plan)} if ledger is not None else {}
    for approver in asked.approvers:
        made = latest.get(who(approver))
        if made is not None and made.decision != "approved" and _since(made, asked):
            return Standing(asked, made.decision, by=made.approver, why=made.reason)
    if is_withdrawn(asked.id, settings=settings):
        return Standing(asked, "withdrawn")
    stopped = _content(folder / STOPPED)
    if stopped:
        return Standing(asked, "stopped", why=str(stopped.get("why", "")))
    open_ = tuple(a for a in asked.approvers if who(a) not in latest or not _since(latest[who(a)], asked))
    if asked.way == "approval" and open_:
        return Standing(asked, "waiting", waits_for=open_)
    return Standing(asked, "going")


def _since(made: Approval, asked: Asked) -> bool:
    """Whether a decision was made after the request was last asked."""
    return made.at >= asked.when


def _all_asked(settings: Settings) -> Iterator[Asked]:
    """Every request that was asked; a file that cannot be read is left out, and stops no other."""
    for path in settings.requests.glob("*/asked.json"):
        content = _content(path)
        try:
            yield Asked(**{**content, "approvers": tuple(content["approvers"])})
        except (TypeError, KeyError):
            continue


def _content(path: Path) -> dict[str, Any]:
    """What a file of ours says; nothing if it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
