"""Whole catalogues with data, generated: what an agency might declare, how it goes on, and what a source might hold.

A drawn :class:`Declared` is a story in stages: folders of files, each with what is then run. Names and codes are as the
world writes them; most catalogues are sound, some are not, and then ``check`` must say so in words.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from dp_stats.catalogue import yaml
from dp_stats.catalogue.periods import Period
from tests.deliveries import WAYS
from tests.drawn.changes import changed
from tests.drawn.lists import code_lists
from tests.drawn.releases import Declaration, contributions, releases, times
from tests.drawn.steps import KINDS, WHOLE, Kind, Step
from tests.drawn.told import Told, columns, datasets, rows
from tests.drawn.words import NAMES, seldom


@dataclass(frozen=True)
class Stage:
    """A catalogue as it stands for a time: files by name, the rows of its source and their way, and what is run then."""

    files: dict[str, str]
    rows: tuple[tuple[str, ...], ...]
    way: str
    steps: tuple[Step, ...]

    def write(self, folder: Path) -> Path:
        """Write the files in place of what is there, with the delivery; returns the folder."""
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="")
        source = WAYS[self.way](folder, self.rows)
        with (folder / "datasets" / "records.yaml").open("a", encoding="utf-8") as dataset:
            dataset.write(yaml.write({"source": source}))
        return folder


@dataclass(frozen=True)
class Declared:
    """One catalogue, in stages."""

    stages: tuple[Stage, ...]

    def write(self, folder: Path) -> None:
        """Write each stage in a folder of its own, for a look."""
        for number, stage in enumerate(self.stages):
            stage.write(folder / f"stage-{number}")
            (folder / f"stage-{number}.txt").write_text("\n".join(map(str, stage.steps)), encoding="utf-8")


@st.composite
def catalogues(draw: st.DrawFn) -> Declared:
    """A catalogue of one dataset and one or two releases, with code lists and rows, in one to three stages."""
    timed = draw(times())
    named = draw(st.permutations(("list0", "list1", "area")))
    lists = tuple(draw(code_lists(name, timed.days)) for name in named[: draw(st.integers(1, 3))])
    number = draw(st.booleans())
    written = draw(columns(lists, number))
    declared = [draw(releases(lists, number, timed))]
    if seldom(draw):
        declared.append(_of_persons(draw, declared[0]))
    told = Told(
        lists=lists,
        columns=written,
        dataset=draw(datasets(written)),
        releases=tuple(declared),
        rows=tuple(draw(rows(lists, written, timed, 0))),
        way=draw(st.sampled_from(sorted(WAYS))),
    )
    stages: list[Stage] = []
    coming = list(timed.periods)
    if len(coming) > 2 and seldom(draw):
        coming.pop(draw(st.integers(0, 1)))  # an edition that is never made
    made: list[str] = []
    while coming and len(stages) < 3:
        number_now = draw(st.integers(1, 2))
        now, coming = coming[:number_now], coming[number_now:]
        if stages:
            more = draw(rows(told.lists, written, timed, 1000 * len(stages)))
            told = changed(draw, replace(told, rows=(*told.rows, *more)), timed, now[0])
        steps = _steps(draw, told, now, made)
        stages.append(Stage(told.files(), told.delivered(), told.way, steps))
        made += [step.edition for step in steps if step.kind == "edition"]
        if draw(st.booleans()) and draw(st.booleans()):
            break
    return Declared(tuple(stages))


def _of_persons(draw: st.DrawFn, beside: Declaration) -> Declaration:
    """A release of distinct persons beside one of rows."""
    split = beside["dimensions"][:1]
    kept = ("period", "start", "end", "calendar", "dataset", "privacy_loss", "texts")
    return {
        **{name: beside[name] for name in kept if name in beside},
        "id": "people",
        "title": draw(st.sampled_from(NAMES)),
        "dimensions": split,
        "statistics": [{"id": "persons", "kind": "persons"}],
        "tables": [{"id": "all", "title": "All", "levels": {}, "statistics": ["persons"]}],
        "contribution": draw(contributions(late=False)),
        "series": draw(st.booleans()),
    }


def _steps(draw: st.DrawFn, told: Told, periods: Sequence[Period], before: Sequence[str]) -> tuple[Step, ...]:
    """Editions of periods, in order or not, and what may be done to those that there are."""
    steps = [
        Step("edition", f"{one['id']}/{period.label}", yes=draw(st.integers(0, 3)) > 0)
        for period in periods
        for one in told.releases
    ]
    if seldom(draw):
        steps.reverse()
    known = [*before, *[step.edition for step in steps]]
    kinds: tuple[Kind, ...] = (*(kind for kind in KINDS if kind != "edition"), "correction")
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=2)):
        steps.append(Step(kind, "" if kind in WHOLE else draw(st.sampled_from(known))))
    return tuple(steps)
