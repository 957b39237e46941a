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
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from dp_stats.errors import DpStatsError
from dp_stats.operations.review import review_catalogue
from dp_stats.settings import load_settings
from tests.catalogues import Declared, catalogues
from tests.drawn.taking import place, take
from tests.public_files import faults


@dataclass(frozen=True)
class Outcome:
    """What became of one catalogue: refused by check, published, stopped before a charge, or at fault.

    Attributes:
        said: what each step that was refused in words was refused with. done: how many steps of each kind went through.
    """

    kind: str
    fault: str = ""
    said: tuple[str, ...] = ()
    done: Mapping[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether it is one of the two that may be: published, or refused in words before anything was charged."""
        return self.kind in ("refused", "published")


def try_out(declared: Declared, folder: Path, *, pages: Path | None = None) -> Outcome:
    """Check and run each stage of a generated catalogue in an empty folder; some of its pages are copied to ``pages``."""
    catalogue = folder / "catalogue"
    here = load_settings({"DP_STATS_HOME": str(folder / "home"), "DP_STATS_CATALOGUE": str(catalogue)})
    said: list[str] = []
    done: Counter[str] = Counter()
    for number, stage in enumerate(declared.stages):
        stage.write(catalogue)
        try:
            review_catalogue(here)
        except DpStatsError as error:
            if number == 0:
                return Outcome("refused", str(error))
            said.append(f"check: {error}")
            break
        except Exception as error:
            return Outcome("check crashed", place(error))
        for step in stage.steps:
            kind, fault = take(step, here, said, done)
            if kind:
                return Outcome(kind, fault)
    try:
        found = [fault for public in (here.public_dir, here.restricted) if public.exists() for fault in faults(public)]
    except Exception as error:  # a file that its own readers cannot even open
        return Outcome("published with faults", f"{type(error).__name__}: {str(error)[:300]}")
    if found:
        return Outcome("published with faults", found[0])
    if pages is not None and here.public_dir.exists():
        keep_pages(here.public_dir, pages)
    return Outcome("published", said=tuple(said), done=done)


def keep_pages(public: Path, pages: Path) -> None:
    """Copy one page of each kind, under names that no other catalogue's pages have."""
    kinds: dict[tuple[int, str], Path] = {}
    for page in sorted(public.rglob("*.html")):
        kinds.setdefault(
            (len(page.relative_to(public).parts), page.name if "areas" not in page.parts else "area"), page
        )
    for page in kinds.values():
        shutil.copy(page, pages / f"{len(list(pages.iterdir())):05d}.html")


def main() -> None:
    """Run the search and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("generated-faults"))
    parser.add_argument("--refusals", action="store_true", help="print what was refused in words, and how often")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
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
            if sum(counts.values()) % 10 == 0:
                print(f"{time.monotonic() - began:6.0f} s: {dict(counts)}", flush=True)
            steps.update(outcome.done)
            refusals.update(
                one.replace(name, "")[:150] for one in (*outcome.said, outcome.fault) if one and outcome.sound
            )
            if not outcome.sound:
                key = f"{outcome.kind}: {outcome.fault[:160]}"
                kinds[key] += 1
                if kinds[key] == 1:
                    kept = options.keep / f"{len(kinds):03d}"
                    shutil.rmtree(kept, ignore_errors=True)
                    declared.write(kept)
                    (kept / "FAULT.txt").write_text(f"{outcome.kind}\n{outcome.fault}\n", encoding="utf-8")
                    print(f"{len(kinds):03d} {key}", flush=True)

    search()
    total = sum(counts.values())
    print(
        f"{total} catalogues in {time.monotonic() - began:.0f} s: "
        + ", ".join(f"{n} {k}" for k, n in counts.most_common())
    )
    print("taken: " + ", ".join(f"{n} {k}" for k, n in steps.most_common()))
    if options.refusals:
        print("refused in words:")
        for key, number in refusals.most_common():
            print(f"{number:5d}  {key}")
    for key, number in kinds.most_common():
        print(f"{number:5d}  {key}")


if __name__ == "__main__":
    main()
