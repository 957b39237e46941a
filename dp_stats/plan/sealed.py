"""The sealed plan: everything that decides what an edition measures and what its numbers mean, under one hash.

The plan's hash is the SHA-256 of a small document that names its parts by theirs: how rows are read, what is counted
and published (with purpose, audience and requester), the data-sharing agreement if there is one, code lists, the grid's
codes in order with their groups, the strategy of the series, and the plan with its calendar, scales, sensitivities and
cost. What is shared (a code list by 52 weekly editions) is one part. Names, texts and guesses lie *aside*, in a document
of their own that the hash does not cover, so that a corrected name changes no approval and a vanished code keeps its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Dimension, Grid, Level
from dp_stats.catalogue.load import Catalogue, build_grid
from dp_stats.catalogue.models import Agreement, Dataset, Organisation, Release
from dp_stats.catalogue.periods import Period
from dp_stats.catalogue.validity import in_force
from dp_stats.errors import CatalogueError, LedgerError
from dp_stats.files import sha256
from dp_stats.plan import declaration
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.series import Series

FORMAT = 1
Parts = Mapping[str, bytes]
"""SHA-256, which is a part's name → canonical JSON."""

_ASIDE = ("hash", "expected", "warnings")
"""Fields of a plan that its hash does not cover."""


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no spaces: the bytes that are hashed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def agreement_hash(agreement: Agreement) -> str:
    """The name that an agreement has as a part of a sealed plan."""
    return sha256(canonical(_json(agreement)))


@dataclass(frozen=True, eq=False)
class SealedPlan:
    """An edition's own declaration: its plan, and all that the plan was made from.

    Attributes:
        plan: ``plan.hash`` is the hash of the sealed document.
        series: the strategy that editions of its series share; None without a series.
        dataset, release, codes, grid: as declared when it was sealed; names and texts as they were then, or as they
            are now (``told_by``).
        parts: every part by its hash, the two documents included. aside: hash of the document of names and texts.
        reading: hash of everything that decides how rows are read; a snapshot carries it.
        agreement: the data-sharing agreement under which it is measured; None where the dataset is under none.
        recipients: the organisations that it is made for, as they are declared now; which they are is part of the release.
    """

    plan: Plan
    series: Series | None
    dataset: Dataset
    release: Release
    period: Period
    codes: Mapping[str, CodeList]
    grid: Grid
    parts: Parts
    aside: str
    reading: str
    agreement: Agreement | None = None
    recipients: tuple[Organisation, ...] = ()

    @property
    def hash(self) -> str:
        """What approvals and the reservation are bound to."""
        return self.plan.hash

    @property
    def agreement_hash(self) -> str:
        """The part that is the data-sharing agreement; empty where there is none."""
        return str(json.loads(self.parts[self.hash]).get("agreement", ""))

    @property
    def commit(self) -> str:
        """The version of the declarations that it was planned from; empty where they are under no version control."""
        return str(json.loads(self.parts[self.aside]).get("commit", ""))

    def planned_at(self, commit: str) -> SealedPlan:
        """The same plan, which says of which version its declarations are. Its hash stays: two versions that declare the same
        plan the same."""
        told = {name: value for name, value in json.loads(self.parts[self.aside]).items() if name != "commit"}
        written = canonical({**told, **({"commit": commit} if commit else {})})
        parts = {name: part for name, part in self.parts.items() if name != self.aside}
        return replace(self, parts={**parts, sha256(written): written}, aside=sha256(written))

    @cached_property
    def catalogue(self) -> Catalogue:
        """A catalogue that declares this edition as it was sealed, and nothing else."""
        return Catalogue(
            Path("sealed plan"),
            {self.dataset.id: self.dataset},
            {self.release.id: self.release},
            self.codes,
            agreements={self.agreement.id: self.agreement} if self.agreement else {},
            organisations={one.id: one for one in self.recipients},
            _grids={(self.release.id, self.period): self.grid},
        )

    def told_by(self, today: Catalogue) -> SealedPlan:
        """The same plan with the names, titles and texts of today's catalogue where it has them."""
        release = today.releases.get(self.release.id)
        dataset = today.datasets.get(self.dataset.id)
        document = json.loads(self.parts[self.hash])
        codes = {
            name: declaration.codes_told(
                declaration.code_list(name, _read(self.parts, part)),
                [*([in_force(today.codes[name], self.period.end)] if name in today.codes else []), self.codes[name]],
            )
            for name, part in document["codes"].items()
        }
        told_dataset = (
            declaration.dataset_told(_read(self.parts, document["reading"]), [dataset, self.dataset])
            if dataset
            else self.dataset
        )
        told_release = self.release
        if release is not None:
            told_release = declaration.release_told(_read(self.parts, document["declared"]), [release, self.release])
        grid = _named(self.grid, told_release, told_dataset, codes, self.period)
        recipients = today.recipients_of(told_release)
        return replace(self, dataset=told_dataset, release=told_release, codes=codes, grid=grid, recipients=recipients)


def reading_hash(dataset: Dataset, codes: Mapping[str, CodeList]) -> str:
    """Hash of everything that decides how a row of ``dataset`` is read: columns, value maps, steps, opt-outs, codes and bands."""
    used = [name for name in dataset.code_lists if name in codes]
    read = {
        name: declaration.list_content(codes[name], [h for h in ("code", "lower", "upper") if h in codes[name].header])
        for name in used
    }
    return sha256(canonical([declaration.reading(dataset), read]))


def seal(
    plan: Plan,
    *,
    series: Series | None,
    dataset: Dataset,
    release: Release,
    period: Period,
    codes: Mapping[str, CodeList],
    grid: Grid,
    agreement: Agreement | None = None,
) -> SealedPlan:
    """Seal a plan with everything it was made from; its hash is set to that of the sealed document."""
    parts: dict[str, bytes] = {}

    def part(content: Any) -> str:
        written = canonical(content)
        name = sha256(written)
        parts[name] = written
        return name

    planned = _json(plan)
    used = {name: codes[name] for name in dataset.code_lists if name in codes}
    reading = reading_hash(dataset, used)
    hash_ = part(
        {
            "format": FORMAT,
            "plan": {name: value for name, value in planned.items() if name not in _ASIDE},
            "period": [period.start.isoformat(), period.end.isoformat(), period.label, period.kind],
            "reading": part(declaration.reading(dataset)),
            "reading_hash": reading,
            "declared": part(declaration.declared(release)),
            "codes": {
                name: part(declaration.list_sealed(found, declaration.deciding_columns(name, found, dataset, release)))
                for name, found in used.items()
            },
            "grid": [part(_written(d)) for d in grid.dimensions],
            "series": part(_json(series)) if series else None,
            **({"agreement": part(_json(agreement))} if agreement else {}),
        }
    )
    aside = part(
        {
            "expected": planned["expected"],
            "warnings": planned["warnings"],
            "dataset": part(_json(dataset)),
            "release": part(_json(release)),
            "codes": {name: part(declaration.list_content(found, found.header)) for name, found in used.items()},
        }
    )
    sealed = plan.model_copy(update={"hash": hash_})
    return SealedPlan(sealed, series, dataset, release, period, used, grid, parts, aside, reading, agreement)


def unseal(hash: str, aside: str, parts: Parts) -> SealedPlan:
    """Read a sealed plan back from its parts, each checked against its hash.

    Raises:
        LedgerError: a part is missing or altered.
    """
    try:
        document, told = _read(parts, hash), _read(parts, aside)
        start, end, label, kind = document["period"]
        period = Period.of(start, end, label, kind)
        then_dataset = Dataset.model_validate(_read(parts, told["dataset"]))
        then_release = Release.model_validate(_read(parts, told["release"]))
        dataset = declaration.dataset_told(_read(parts, document["reading"]), [then_dataset])
        release = declaration.release_told(_read(parts, document["declared"]), [then_release])
        codes = {
            name: declaration.codes_told(
                declaration.code_list(name, _read(parts, part)),
                [declaration.code_list(name, _read(parts, told["codes"][name]))],
            )
            for name, part in document["codes"].items()
        }
        grid = Grid(tuple(_dimension(_read(parts, part)) for part in document["grid"]))
        plan = Plan.model_validate(
            {**document["plan"], "expected": told["expected"], "warnings": told["warnings"], "hash": hash}
        )
        plan = _plan_in_grid_order(plan, grid)
        series = Series.model_validate(_read(parts, document["series"])) if document["series"] else None
        agreement = Agreement.model_validate(_read(parts, document["agreement"])) if "agreement" in document else None
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            "A sealed plan cannot be read by this version of dp_stats. Upgrade dp_stats, or restore the ledger from its backup."
        ) from error
    named = _named(grid, release, dataset, codes, period)
    reading = document["reading_hash"]
    return SealedPlan(plan, series, dataset, release, period, codes, named, parts, aside, reading, agreement)


class _References(BaseModel):
    """What of a document names other parts; the rest of it is not even looked at, which is most of it."""

    reading: Any = None
    declared: Any = None
    series: Any = None
    agreement: Any = None
    dataset: Any = None
    release: Any = None
    codes: dict[str, Any] = {}
    grid: list[Any] = []
    parts: list[Any] = []


def references(content: bytes) -> tuple[str, ...]:
    """The parts that a document names; one that is not of a sealed plan names them in ``parts``.

    Raises:
        ValueError: it is no document.
    """
    d = _References.model_validate_json(content)
    found = [d.reading, d.declared, d.series, d.agreement, d.dataset, d.release]
    found += [*d.codes.values(), *d.grid, *d.parts]
    return tuple(name for name in found if name)


def _read(parts: Parts, name: str) -> Any:
    content = parts.get(name)
    if content is None or sha256(content) != name:
        raise LedgerError(
            "A part of a sealed plan is missing or was altered. Restore the ledger from its backup; never measure again."
        )
    return json.loads(content)


def _json(model: BaseModel) -> dict[str, Any]:
    content: dict[str, Any] = model.model_dump(mode="json", by_alias=True)
    return content


def _plan_in_grid_order(plan: Plan, grid: Grid) -> Plan:
    def ordered(tables: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
        return tuple(_in_grid_order(m, grid) for m in tables)

    late = tuple(one.model_copy(update={"measurements": ordered(one.measurements)}) for one in plan.late)
    return plan.model_copy(update={"measurements": ordered(plan.measurements), "late": late})


def _in_grid_order(measurement: Measurement, grid: Grid) -> Measurement:
    """Levels in the order of the grid's axes; JSON keeps none."""
    return measurement.model_copy(update={"levels": {d.name: measurement.levels[d.name] for d in grid.dimensions}})


def _written(dimension: Dimension) -> dict[str, Any]:
    return {
        "name": dimension.name,
        "column": dimension.column,
        "kind": dimension.kind,
        "unknown": dimension.unknown,
        "edges": list(dimension.edges),
        "levels": [[level.name, list(level.codes), level.group.tolist()] for level in dimension.levels],
    }


def _dimension(content: Mapping[str, Any]) -> Dimension:
    levels = tuple(
        Level(name, tuple(codes), tuple(codes), np.array(group, dtype=np.intp))
        for name, codes, group in content["levels"]
    )
    return Dimension(
        content["name"], content["column"], content["kind"], levels, content["unknown"], tuple(content["edges"])
    )


def _named(grid: Grid, release: Release, dataset: Dataset, codes: Mapping[str, CodeList], period: Period) -> Grid:
    """The sealed cells with names from code lists and calendar, joined by code; a code without a name keeps its own."""
    try:
        told = build_grid(release, dataset, codes, period)
    except CatalogueError:
        return grid
    names = {
        (dimension.name, level.name, code): name
        for dimension in told.dimensions
        for level in dimension.levels
        for code, name in zip(level.codes, level.names, strict=True)
    }
    return Grid(
        tuple(
            replace(d, levels=tuple(replace(lv, names=_names(names, d, lv)) for lv in d.levels))
            for d in grid.dimensions
        )
    )


def _names(told: Mapping[tuple[str, str, str], str], dimension: Dimension, level: Level) -> tuple[str, ...]:
    own = zip(level.codes, level.names, strict=True)
    return tuple(told.get((dimension.name, level.name, code), name) for code, name in own)
