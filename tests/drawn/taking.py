"""Take the steps of a generated catalogue, and say what is not as it must be."""

from __future__ import annotations

import math
import os
import shutil
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from dp_stats import pipeline
from dp_stats.catalogue import read_catalogue
from dp_stats.cli.main import app
from dp_stats.errors import DpStatsError
from dp_stats.requests.answers import answer_question
from dp_stats.run import ledger_if_any
from dp_stats.settings import Settings
from tests.drawn.steps import Step

CODES = {error.exit_code for error in DpStatsError.__subclasses__()} | {0}
"""What a command may end with: a bug is 1."""


def take(step: Step, here: Settings, said: list[str], done: Counter[str]) -> tuple[str, str]:
    """Take one step. Two empty texts if it is taken, or refused in words with nothing charged that is not published;
    otherwise the kind of fault, and what it is."""
    try:
        for fault in _taken(step, here):
            return f"{step.kind}: taken with faults", fault
        done[step.kind] += 1
    except DpStatsError as error:
        said.append(f"{step.kind}: {type(error).__name__}: {error}")
        if stuck := charged_for_nothing(here):
            return f"{step.kind}: stopped after a charge", f"{stuck}: {said[-1][:300]}"
    except Exception as error:
        when = "after" if charged_for_nothing(here) else "before"
        return f"{step.kind}: crashed {when} a charge", place(error)
    return "", ""


def _taken(step: Step, here: Settings) -> Iterator[str]:
    """Take one step, and say what is not as it must be."""
    if step.kind == "edition":
        taken = pipeline.run_edition(step.edition, new_series=step.yes, settings=here)
        if taken.get("not_shown"):
            yield f"not shown: {pipeline.refresh_site(here)}"
    elif step.kind == "retract":
        pipeline.retract(step.edition, reason="It was <wrong>.", settings=here)
    elif step.kind == "rebuild":
        before = _bytes(here, "*/*/r*/SHA256SUMS")
        for public in (here.public_dir, here.restricted):
            shutil.rmtree(public, ignore_errors=True)
        pipeline.rebuild(settings=here)
        yield from _differing(before, _bytes(here, "*/*/r*/SHA256SUMS"))
    elif step.kind == "anew":
        before = _bytes(here, "**/*")
        if (here.public_dir / "index.html").exists():
            pipeline.refresh_site(here, incremental=False)
            yield from _differing(before, _bytes(here, "**/*"))
    elif step.kind == "told":
        yield from _told(here)
    elif step.kind == "answer":
        yield from _answered(step.edition.partition("/")[0], here)
    else:
        pipeline.revise(step.edition, kind=step.kind, reason=f"Why: {step.kind} & more.", settings=here)


def _bytes(here: Settings, pattern: str) -> dict[str, bytes]:
    """The published files that a pattern names, by their paths; what writers lock is none."""
    found = (path for public in (here.public_dir, here.restricted) for path in public.glob(pattern))
    return {
        path.relative_to(here.home).as_posix(): path.read_bytes()
        for path in found
        if path.is_file() and path.name != ".lock"
    }


def _differing(before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            kind = "new" if path not in before else "gone" if path not in after else "other"
            yield f"made again, {path} is {kind}"


def _told(here: Settings) -> Iterator[str]:
    """Run every command that only tells; none may end in a traceback."""
    catalogue = read_catalogue(here.catalogue)
    ledger = ledger_if_any(here)
    made = ledger.reservations() if ledger is not None else []
    commands = [["check"], ["site", "verify"], ["ledger", "show"], ["ledger", "verify"], ["ledger", "head"]]
    commands += [["ledger", "export", "--format", form] for form in ("json", "csv")]
    commands += [["due", name] for name in catalogue.releases]
    for one in made[-2:]:
        commands += [["intake", one.edition], ["plan", one.release, "--period", one.period]]
        commands.append(["revise", one.edition, "--kind", "correction", "--reason", "See [b]what[/b].", "--dry-run"])
    commands += [
        ["answer", name, statistic.id]
        for name, release in catalogue.releases.items()
        for statistic in release.statistics
    ]
    given = ["--catalogue", str(here.catalogue), "--home", str(here.home)]
    with mock.patch.dict(os.environ):
        for command in commands:
            result = CliRunner().invoke(app, [*given, *command])
            if result.exit_code not in CODES:
                why = place(result.exception) if isinstance(result.exception, Exception) else result.output[-300:]
                yield f"dp-stats {' '.join(command[:2])} ends with {result.exit_code}: {why}"


def _answered(name: str, here: Settings) -> Iterator[str]:
    """Ask for every measured statistic, of everything and of each group of the first dimension."""
    catalogue = read_catalogue(here.catalogue)
    if name not in catalogue.releases:
        return
    release = catalogue.releases[name]
    first = release.dimensions[0]
    listed = catalogue.code_list_of(release, first.name)
    groups = [{first.name: (code,)} for code in dict.fromkeys(listed.codes)] if listed else []
    for statistic in release.statistics:
        for where in ({}, *groups):
            try:
                found = answer_question(name, statistic.id, where=where, start=None, end=None, settings=here)
            except DpStatsError:
                continue
            if not found.lower <= found.value <= found.upper or math.isnan(found.standard_error):
                yield f"the answer of {statistic.id} for {where} is {found.value} in [{found.lower}, {found.upper}]"


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
