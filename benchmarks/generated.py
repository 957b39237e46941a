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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from dp_stats import pipeline
from dp_stats.errors import DpStatsError
from dp_stats.operations.review import review_catalogue
from dp_stats.run import ledger_if_any
from dp_stats.settings import Settings, load_settings
from tests.catalogues import Declared, Step, catalogues
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
            fault = take(step, here, said, done)
            if fault is not None:
                return fault
    try:
        found = [fault for public in (here.public_dir, here.restricted) if public.exists() for fault in faults(public)]
    except Exception as error:  # a file that its own readers cannot even open
        return Outcome("published with faults", f"{type(error).__name__}: {str(error)[:300]}")
    if found:
        return Outcome("published with faults", found[0])
    if pages is not None and here.public_dir.exists():
        keep_pages(here.public_dir, pages)
    return Outcome("published", said=tuple(said), done=done)


def take(step: Step, here: Settings, said: list[str], done: Counter[str]) -> Outcome | None:
    """Take one step; None if it is taken, or refused in words with nothing charged that is not published."""
    try:
        for shown in _taken(step, here):
            return Outcome(f"{step.kind}: made otherwise or not shown", shown)
        done[step.kind] += 1
    except DpStatsError as error:
        said.append(f"{step.kind}: {type(error).__name__}: {error}")
        if stuck := charged_for_nothing(here):
            return Outcome(f"{step.kind}: stopped after a charge", f"{stuck}: {said[-1][:300]}")
    except Exception as error:
        when = "after" if charged_for_nothing(here) else "before"
        return Outcome(f"{step.kind}: crashed {when} a charge", place(error))
    return None


def _taken(step: Step, here: Settings) -> Iterator[str]:
    """Take one step, and say what is not as it must be."""
    if step.kind == "edition":
        taken = pipeline.run_edition(step.edition, new_series=step.yes, settings=here)
        yield from taken.get("not_shown", ())
    elif step.kind == "retract":
        pipeline.retract(step.edition, reason="It was <wrong>.", settings=here)
    elif step.kind == "rebuild":
        before = _checksums(here)
        for place in (here.public_dir, here.restricted):
            shutil.rmtree(place, ignore_errors=True)
        pipeline.rebuild(settings=here)
        if _checksums(here) != before:
            yield "files that were made again are others"
    else:
        pipeline.revise(step.edition, kind=step.kind, reason=f"Why: {step.kind} & more.", settings=here)


def _checksums(here: Settings) -> dict[str, bytes]:
    """The checksums of every revision that is published, by its path."""
    found = (path for public in (here.public_dir, here.restricted) for path in public.glob("*/*/r*/SHA256SUMS"))
    return {path.parent.relative_to(here.home).as_posix(): path.read_bytes() for path in found}


def keep_pages(public: Path, pages: Path) -> None:
    """Copy one page of each kind, under names that no other catalogue's pages have."""
    kinds: dict[tuple[int, str], Path] = {}
    for page in sorted(public.rglob("*.html")):
        kinds.setdefault(
            (len(page.relative_to(public).parts), page.name if "areas" not in page.parts else "area"), page
        )
    for page in kinds.values():
        shutil.copy(page, pages / f"{len(list(pages.iterdir())):05d}.html")


def charged_for_nothing(here: Settings) -> str:
    """A reservation that stands and is not published; nothing if there is none."""
    if (ledger := ledger_if_any(here)) is None:
        return ""
    standing = (one for one in ledger.reservations() if one.state != "void")
    return next(
        (f"{r.edition} r{r.revision}" for r in standing if ledger.publication(r.edition, r.revision) is None), ""
    )


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
