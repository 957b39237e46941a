"""Which custodians are due a letter that lists all that waits for them; nobody for whom nothing waits gets one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dp_stats.catalogue import Dataset, read_catalogue
from dp_stats.files import replace_file
from dp_stats.ledger.budget import who
from dp_stats.requests.standing import Asked, waiting
from dp_stats.run import ledger_if_any
from dp_stats.settings import Settings, load_settings


def due(settings: Settings | None = None, *, now: datetime | None = None) -> dict[str, list[Asked]]:
    """User → what waits for that custodian or deputy, for those who have had no letter for so long as is set."""
    settings, now = settings or load_settings(), now or datetime.now(UTC)
    if not settings.digest_hours:
        return {}
    told, datasets = _told(settings), read_catalogue(settings.catalogue).datasets.values()
    found: dict[str, list[Asked]] = {}
    for one in waiting(ledger=ledger_if_any(settings), settings=settings, now=now):
        for user in _answering(one.waits_for, datasets=list(datasets), now=now):
            found.setdefault(user, []).append(one.asked)
    before = now - timedelta(hours=settings.digest_hours)
    return {user: asked for user, asked in found.items() if told.get(who(user), before) <= before}


def keep_told(users: Sequence[str], settings: Settings | None = None, *, now: datetime | None = None) -> None:
    """Note who has had a letter just now."""
    settings = settings or load_settings()
    moment = now or datetime.now(UTC)
    content = {user: at.isoformat() for user, at in {**_told(settings), **{who(u): moment for u in users}}.items()}
    replace_file(_file(settings), json.dumps(content, ensure_ascii=False).encode())


def _answering(custodians: Sequence[str], *, datasets: Sequence[Dataset], now: datetime) -> list[str]:
    """Custodians, and who is their deputy today."""
    people = [person for dataset in datasets for person in dataset.custodians]
    asked = {who(custodian) for custodian in custodians}
    deputies = [user for one in people if who(one.answers_as) in asked for user in one.deputies_on(now.date())]
    return list(dict.fromkeys((*custodians, *deputies)))


def _told(settings: Settings) -> Mapping[str, datetime]:
    try:
        content = json.loads(_file(settings).read_text(encoding="utf-8"))
        return {user: datetime.fromisoformat(at) for user, at in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # nobody is told twice for long: the next letter is noted again


def _file(settings: Settings) -> Path:
    return settings.work / "digests.json"
