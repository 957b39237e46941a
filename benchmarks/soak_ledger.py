"""Kill thousands of processes at random instants while they use one ledger, and check it after every round.

Run it for a night before a release, or for a quarter of an hour after a change of the ledger:

    python benchmarks/soak_ledger.py --kills 2000
    python benchmarks/soak_ledger.py --kills 2000 --postgres
    python benchmarks/soak_ledger.py --kills 2000 --url postgresql://user@host/scratch

What must hold after every round: no block above its cap, every draw paid for before, never two different
sets of noisy values of one edition, and the whole chain with all tables verified against the head before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from ledger_examples import postgres, storm

from dp_stats.ledger import Ledger


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=2000, help="processes to kill")
    options.add_argument("--workers", type=int, default=5, help="processes at work at the same time")
    options.add_argument("--seed", type=int, default=int(time.time()), help="where the random instants start")
    options.add_argument("--batch", type=int, default=200, help="kills per ledger; each batch starts an empty one")
    where = options.add_mutually_exclusive_group()
    where.add_argument("--postgres", action="store_true", help="start a PostgreSQL server of its own")
    where.add_argument("--url", help="an empty database to use instead of SQLite files (one batch)")
    given = options.parse_args()
    print(f"seed {given.seed}")
    events: Counter[str] = Counter()
    started, killed = time.monotonic(), 0
    with ExitStack() as stack:
        database = stack.enter_context(postgres()) if given.postgres else None
        while killed < given.kills:
            with TemporaryDirectory() as folder:
                url = given.url or (database() if database else f"sqlite:///{folder}/ledger.db")
                kills = min(given.kills - killed, given.kills if given.url else given.batch)
                storm(
                    url,
                    Path(folder),
                    kills=kills,
                    workers=given.workers,
                    seed=given.seed + killed,
                )
                killed += kills
                events.update(entry.event for entry in Ledger.open(url, read_only=True).entries())
            print(
                f"{killed} killed in {time.monotonic() - started:.0f} s, whole; entries so far: {dict(events)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
