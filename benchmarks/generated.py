"""Publish thousands of generated catalogues: ``python -m benchmarks.generated --examples 5000``.

Every catalogue that ``check`` accepts must publish every edition, or stop before anything is charged; ``check`` itself
never ends in a traceback. Prints how many were accepted and published, and every kind of fault with its first example,
which is kept in a folder for a look.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from dp_stats import pipeline
from dp_stats.errors import DpStatsError
from dp_stats.operations.review import review_catalogue
from dp_stats.run import ledger_if_any
from dp_stats.settings import Settings, load_settings
from tests.catalogues import Declared, catalogues
from tests.public_files import faults


@dataclass(frozen=True)
class Outcome:
    """What became of one catalogue: refused by check, published, stopped before a charge, or at fault."""

    kind: str
    fault: str = ""

    @property
    def sound(self) -> bool:
        """Whether it is one of the two that may be: published, or refused in words before anything was charged."""
        return self.kind in ("refused", "published")


def try_out(declared: Declared, folder: Path, *, pages: Path | None = None) -> Outcome:
    """Check and publish one generated catalogue in an empty folder; some of its pages are copied to ``pages``."""
    catalogue = declared.write(folder / "catalogue")
    here = load_settings({"DP_STATS_HOME": str(folder / "home"), "DP_STATS_CATALOGUE": str(catalogue)})
    try:
        review_catalogue(here)
    except DpStatsError as error:
        return Outcome("refused", str(error))
    except Exception as error:
        return Outcome("check crashed", place(error))
    for edition in declared.editions:
        try:
            pipeline.run_edition(edition, settings=here)
        except DpStatsError as error:
            if charged(edition, here):
                return Outcome("stopped after a charge", f"{type(error).__name__}: {str(error)[:300]}")
            continue
        except Exception as error:
            kind = "crashed after a charge" if charged(edition, here) else "crashed before a charge"
            return Outcome(kind, place(error))
    found = faults(here.public_dir) if here.public_dir.exists() else []
    if found:
        return Outcome("published with faults", found[0])
    if pages is not None and here.public_dir.exists():
        keep_pages(here.public_dir, pages)
    return Outcome("published")


def keep_pages(public: Path, pages: Path) -> None:
    """Copy one page of each kind, under names that no other catalogue's pages have."""
    kinds: dict[tuple[int, str], Path] = {}
    for page in sorted(public.rglob("*.html")):
        kinds.setdefault(
            (len(page.relative_to(public).parts), page.name if "areas" not in page.parts else "area"), page
        )
    for page in kinds.values():
        shutil.copy(page, pages / f"{len(list(pages.iterdir())):05d}.html")


def charged(edition: str, here: Settings) -> bool:
    """Whether the ledger holds a reservation for an edition that stands."""
    ledger = ledger_if_any(here)
    standing = ledger.reservation(edition, 1) if ledger else None
    return standing is not None and standing.state != "void"


def place(error: Exception) -> str:
    """Where an unexpected error came from, in our code."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "dp_stats" in f.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno} {type(error).__name__}: {str(error)[:200]}"


def main() -> None:
    """Run the search and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("generated-faults"))
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    began = time.monotonic()

    @seed(options.seed)
    @settings(
        max_examples=options.examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(catalogues())
    def search(declared: Declared) -> None:
        with tempfile.TemporaryDirectory() as name:
            outcome = try_out(declared, Path(name))
            counts[outcome.kind] += 1
            if not outcome.sound:
                key = f"{outcome.kind}: {outcome.fault[:160]}"
                kinds[key] += 1
                if kinds[key] == 1:
                    kept = options.keep / f"{len(kinds):03d}"
                    shutil.rmtree(kept, ignore_errors=True)
                    declared.write(kept)
                    (kept / "FAULT.txt").write_text(f"{outcome.kind}\n{outcome.fault}\neditions: {declared.editions}\n")
                    print(f"{len(kinds):03d} {key}", flush=True)

    search()
    total = sum(counts.values())
    print(
        f"{total} catalogues in {time.monotonic() - began:.0f} s: "
        + ", ".join(f"{n} {k}" for k, n in counts.most_common())
    )
    for key, number in kinds.most_common():
        print(f"{number:5d}  {key}")


if __name__ == "__main__":
    main()
