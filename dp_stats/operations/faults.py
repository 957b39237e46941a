"""What is broken now and stops only itself: declarations, requests that cannot be read, releases that Airflow refuses.

Each fault is told once, as soon as it is seen, and once more if it comes back after it was mended or says something else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dp_stats.catalogue import read_catalogue
from dp_stats.catalogue.asked import read_asked
from dp_stats.errors import CatalogueError
from dp_stats.files import replace_file
from dp_stats.operations.upkeep import Alert
from dp_stats.settings import Settings, load_settings

REFUSED = "Airflow refuses a release"


def broken_declarations(*, settings: Settings | None = None) -> list[Alert]:
    """Files of the catalogue that are broken: their releases wait, all others go on."""
    broken = read_catalogue((settings or load_settings()).catalogue).broken
    return [Alert(f"{file} is broken", f"It is left out until it is mended. {why}") for file, why in broken.items()]


def unreadable_requests(*, settings: Settings | None = None) -> list[Alert]:
    """Requests whose files cannot be read, or are not what was asked; all others go on."""
    found = []
    for path in sorted((settings or load_settings()).requests.glob("*.yaml")):
        try:
            read_asked(path)
        except CatalogueError as error:
            found.append(
                Alert(f"The request {path.stem} cannot be read", f"It goes no further; all others do. {error}")
            )
    return found


def faults(*, refused: Sequence[str] = (), settings: Settings | None = None) -> list[Alert]:
    """Everything that is broken now. ``refused``: what Airflow says of releases of which it cannot make a DAG."""
    settings = settings or load_settings()
    found = [*broken_declarations(settings=settings), *unreadable_requests(settings=settings)]
    return [*found, *(Alert(REFUSED, f"All others go on. {why}") for why in refused)]


BROKEN = "faults"
"""What is looked for every few minutes."""


def keep_faults(found: Sequence[Alert], *, of: str = BROKEN, settings: Settings | None = None) -> list[Alert]:
    """Remember what is wrong now, and return what was not wrong the last time. ``of``: what was looked for."""
    settings = settings or load_settings()
    known = {(one.subject, one.text) for one in kept_faults(of=of, settings=settings)}
    place = _place(of, settings)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(place, json.dumps([[one.subject, one.text] for one in found], ensure_ascii=False).encode())
    return [one for one in found if (one.subject, one.text) not in known]


def kept_faults(*, of: str = BROKEN, settings: Settings | None = None) -> list[Alert]:
    """What was wrong when it was last looked; nothing if that was never, or is not known any more."""
    try:
        content = json.loads(_place(of, settings or load_settings()).read_text(encoding="utf-8"))
        return [Alert(subject, text) for subject, text in content]
    except (OSError, ValueError, TypeError):
        return []


def _place(of: str, settings: Settings) -> Path:
    return (settings.requests if of == BROKEN else settings.work) / f"{of}.json"  # the web server may read requests
