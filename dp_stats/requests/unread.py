"""Forms that made no request: what was wrong with each, in words, kept for a month for who sent it.

Nothing follows from them, and nothing is missed when they are lost.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dp_stats.files import replace_file, sha256
from dp_stats.ledger.budget import who
from dp_stats.settings import Settings

KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Unread:
    """One form: in which run it was sent, when (ISO, UTC), and what is wrong with it."""

    run: str
    at: str
    why: str

    @property
    def when(self) -> datetime:
        return datetime.fromisoformat(self.at)


def keep_unread(run: str, why: str, *, user: str, settings: Settings) -> None:
    """Keep what was wrong with a form, and forget what is older than a month."""
    folder = _folder(user, settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Unread(run, datetime.now(UTC).isoformat(), why)
    replace_file(folder / f"{sha256(run.encode())[:32]}.json", json.dumps(asdict(made), ensure_ascii=False).encode())
    for path in folder.glob("*.json"):
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < datetime.now(UTC) - KEPT:
            path.unlink(missing_ok=True)


def unread_of(user: str, *, settings: Settings) -> list[Unread]:
    """The forms of a user that made no request, newest first; a file that cannot be read is left out."""
    found = []
    for path in _folder(user, settings).glob("*.json"):
        try:
            found.append(Unread(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue
    return sorted(found, key=lambda one: one.at, reverse=True)


def _folder(user: str, settings: Settings) -> Path:
    return settings.requests / "unread" / sha256(who(user).encode())[:32]
