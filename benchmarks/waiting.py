"""How long pages and letters take while thousands of requests wait for custodians.

``python -m benchmarks.waiting --waiting 5000`` asks once for a small clinic, copies what is kept of it, and times what pages and
the five-minute watch do with it: one analyst's own page, what is shown to a custodian, and whose letters are due.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dp_stats import requests
from dp_stats.operations import digests, faults
from dp_stats.requests.showing import card_in, places, show
from dp_stats.requests.standing import requests_of
from dp_stats.run import ledger_if_any
from dp_stats.settings import load_settings

OWN = 50
"""Requests of the analyst whose page is timed; the others are of as many people."""
FORM = {
    "dataset": "visits",
    "by": ["clinic/district"],
    "period": "2024-01-01--2024-01-10",
    "epsilon": 0.1,
    "purpose": "To plan how many nurses are needed.",
}


def wait(many: int) -> None:
    """Keep ``many`` requests that wait: one that is asked, and copies of it under other names."""
    settings = load_settings()
    made = requests.ask(FORM, requested_by="analyst", run="ask-visits/first")
    show(requests.card(made.id), "A card.\n" * 60, approver="custodian", place="first")
    first = settings.requests / made.id
    asked = json.loads((first / "asked.json").read_text())
    card = next((first / "shown").iterdir())
    for number in range(many - 1):
        name = f"adhoc-copy{number}"
        folder = settings.requests / name
        (folder / "shown").mkdir(parents=True)
        (folder / "shown" / f"custodian.copy{number}.json").write_bytes(card.read_bytes())
        by = "analyst" if number < OWN - 1 else f"person{number // OWN}"
        plan = {"plan": f"{number:064x}", "edition": asked["edition"].replace(made.id, name)}
        copy = {**asked, **plan, "id": name, "requested_by": by, "run": f"ask-visits/{number}"}
        (folder / "asked.json").write_text(json.dumps(copy))


def timed(what: str, function: Callable[[], int]) -> None:
    """Print how long it takes, and how many it finds."""
    began = time.perf_counter()
    found = function()
    print(f"{what:48} {time.perf_counter() - began:6.2f} s  ({found})")


def main() -> None:
    """Time each of them."""
    from tests.conftest import make_clinic

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=5000)
    many = parser.parse_args().waiting
    with tempfile.TemporaryDirectory() as name:
        os.environ["DP_STATS_HOME"] = f"{name}/home"
        os.environ["DP_STATS_CATALOGUE"] = str(make_clinic(Path(name) / "catalogue"))
        os.environ["DP_STATS_DIGEST_HOURS"] = "4"
        wait(many)
        settings, ledger = load_settings(), ledger_if_any(load_settings())
        print(f"{many} requests wait")
        timed("My requests of one person", lambda: len(requests_of("analyst", ledger=ledger, settings=settings)))
        timed(
            "Fifty cards on the page of a custodian",
            lambda: len([card_in(p) for p in [*places(settings).values()][:50]]),
        )
        timed("Whose letters are due", lambda: sum(map(len, digests.due(now=datetime.now(UTC)).values())))
        timed("What is broken", lambda: len(faults.faults(settings=settings)))
        other = {**FORM, "purpose": "Another question, asked while they wait."}
        timed("Another request is asked", lambda: len([requests.ask(other, requested_by="another")]))


if __name__ == "__main__":
    main()
