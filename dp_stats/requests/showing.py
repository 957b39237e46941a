"""Showing a card: what a custodian saw is kept once for each time it was put before her, and answers are to that alone.

Asking again, by the same form, shows a card of its own and changes none that waits.
"""

from __future__ import annotations

from pathlib import Path

from dp_stats.errors import ApprovalError
from dp_stats.files import created_once, segment
from dp_stats.ledger.cards import ShownCard
from dp_stats.requests.preflight import Card
from dp_stats.settings import Settings, load_settings

REVISION = 1
"""What is asked for is measured once; a correction of it would be shown and approved on its own."""


def facts_of(card: Card, text: str = "") -> ShownCard:
    """What is shown of a card, with its whole ``text``."""
    return ShownCard(
        plan=card.plan.hash,
        edition=card.edition,
        revision=REVISION,
        requested_by=card.release.requested_by or "",
        purpose=card.release.purpose,
        audience=card.release.audience,
        rho=card.quote.rho,
        left=card.shown,
        floors=card.floors,
        text=text,
    )


def show(card: Card, text: str, *, approver: str, place: str, settings: Settings | None = None) -> ShownCard:
    """Keep what is put before ``approver``; the same place again shows what was shown there first.

    Args:
        place: names the one time it is shown (in Airflow, the attempt of the task that waits for the answer).
    """
    path = _path(card.release.id, approver, place, settings or load_settings())
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with created_once(path, mode=0o600) as draft:
            draft.write_bytes(facts_of(card, text).content)
    return ShownCard.read(path.read_bytes())


def shown(name: str, *, approver: str, place: str, settings: Settings | None = None) -> ShownCard:
    """What was put before ``approver`` at that place.

    Raises:
        ApprovalError: nothing was.
    """
    path = _path(name, approver, place, settings or load_settings())
    if not path.is_file():
        raise ApprovalError(
            f"What was shown to {approver} is not kept any more, so the answer cannot count. Ask again."
        )
    return ShownCard.read(path.read_bytes())


def places(settings: Settings) -> dict[str, Path]:
    """Every place at which a card was shown → the file that keeps it; see ``card_in`` and ``request_of``."""
    return {
        path.name.removesuffix(".json").rpartition(".")[2]: path for path in settings.requests.glob("*/shown/*.json")
    }


def card_in(path: Path) -> ShownCard:
    """The card that a file keeps.

    Raises:
        LedgerError: it cannot be read.
    """
    return ShownCard.read(path.read_bytes())


def request_of(path: Path) -> str:
    """The request whose card a file keeps."""
    return path.parent.parent.name


def _path(name: str, approver: str, place: str, settings: Settings) -> Path:
    return settings.requests / name / "shown" / f"{segment(approver)}.{segment(place)}.json"
