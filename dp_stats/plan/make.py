"""From the catalogue to the plan of one edition: what is measured, with how much noise, at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset, PrivacyLoss, Release
from dp_stats.catalogue.periods import BlockKind, Period, blocks_of
from dp_stats.plan import accounting, sensitivity
from dp_stats.plan.algebra import Key
from dp_stats.plan.calendars import canonical_period, grids_of, on_calendar, own_level, require_one_strategy
from dp_stats.plan.draws import draws_of
from dp_stats.plan.expected import accuracy, expected_errors
from dp_stats.plan.late import late_periods, late_tables
from dp_stats.plan.late_cost import costs_no_more
from dp_stats.plan.lists import changed_grids, lists_sealed, on_lists
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import ExpectedError, LatePeriod, Measurement, Plan, Role, digest
from dp_stats.plan.noise_scale import noise_scale
from dp_stats.plan.sealed import SealedPlan, seal
from dp_stats.plan.sensitivity import Sensitivity
from dp_stats.plan.series import Series, published_from, same_basis, series_basis, series_of
from dp_stats.plan.strategy import candidates, choose
from dp_stats.plan.targets import statistic_of
from dp_stats.plan.truncation import choose_truncation, truncation_cap, truncation_warning
from dp_stats.plan.warnings import AboveCeiling, AboveMean, PlanWarning, UnknownSize

ALIKE = 1.05
"""Another mechanism whose errors are all within this of the best one's is chosen if it costs the budget less ρ."""

REMEMBERED = 64
_chosen: dict[str, Series] = {}


def make_plan(catalogue: Catalogue, release: Release, period: Period) -> Plan:
    """The plan of one edition, as it would be for the first of a series; see ``make_sealed``."""
    return make_sealed(catalogue, release, period).plan


def make_sealed(
    catalogue: Catalogue,
    release: Release,
    period: Period,
    *,
    known: Sequence[Series] = (),
    stored: Mapping[str, Sequence[SealedPlan]] | None = None,
) -> SealedPlan:
    """The sealed plan of one edition; reads no data, and gives the same plan for the same declarations.

    What is measured and with how much noise is settled once for all editions of a release, on a period that
    stands for all, so that editions are comparable and a series shares one charge.

    Args:
        known: series of this release that have been charged, the preferred one first. The first that still
            bounds what is declared now, and from which everything published follows, is continued as it is.
        stored: series' hash → earlier editions of it whose measurements are kept and that late rows may still be added to.

    Raises:
        CatalogueError: a statistic cannot be computed from the declared dimensions, or two levels of time cannot be
            measured by one strategy.
    """
    declared, catalogue = catalogue, catalogue.on(period.end)
    dataset = catalogue.dataset_of(release)
    require_one_strategy(release)
    grid = catalogue.grid(release, period)
    canonical = grid if release.period == "range" else catalogue.grid(release, canonical_period(release))
    basis = series_basis(release, dataset)
    continued = (s for s in known if release.series and continues(s, basis, release, dataset, canonical))
    others = changed_grids(declared, release, canonical) if release.series else ()
    series = next(continued, None) or _chosen_for(basis, release, dataset, canonical, others)
    measured, canonical_late = on_lists(series.measurements, canonical), on_lists(series.late, canonical)
    measurements = on_calendar(measured, canonical, grid)
    late: tuple[LatePeriod, ...] = ()
    if series.late:
        earlier = {one.period: one.grid for one in (stored or {}).get(series.hash, ())}
        late = late_periods(canonical_late, release, canonical=canonical, grid=grid, period=period, stored=earlier)
    delta = release.privacy_loss.delta or accounting.delta_of(dataset.budget)
    rho = series.rho
    pure = (
        sum((m.epsilon for m in series.measurements if m.epsilon is not None), Fraction(0))
        if series.mechanism == "discrete_laplace"
        else None
    )
    shown = accounting.epsilon_at(rho, delta)
    expected = expected_errors(catalogue, grid, release, accuracy(grid, release, measurements))
    blocks = _blocks(period, late, dataset.privacy_unit.per)
    plan = Plan(
        release=release.id,
        dataset=dataset.id,
        period=period.label,
        mechanism=series.mechanism,
        measurements=measurements,
        contribution_rows=release.contribution.rows,
        one_per_cell=release.contribution.one_per_cell,
        truncated_rows_cap=truncation_cap(release),
        block_kind=dataset.privacy_unit.per,
        blocks=blocks,
        series=release.series,
        rho=rho,
        pure_epsilon=pure,
        epsilon=min(shown, float(pure)) if pure is not None else shown,
        delta=delta,
        series_hash=series.hash,
        expected=expected,
        warnings=warnings(release, expected, measurements),
        hash="",
        late=late,
        draws=draws_of(release, dataset, mechanism=series.mechanism, blocks=blocks),
    )
    return seal(
        plan,
        series=series if release.series else None,
        dataset=dataset,
        release=release,
        period=period,
        codes=lists_sealed(declared, release, period),
        grid=grid,
        agreement=catalogue.agreement_of(dataset),
    )


def _blocks(period: Period, late: Sequence[LatePeriod], kind: BlockKind) -> tuple[str, ...]:
    """Every block that a row of the edition or a late row of an earlier period can fall in, in order of time."""
    spans = [*(Period(one.start, one.end, one.label, period.kind) for one in reversed(late)), period]
    return tuple(dict.fromkeys(block for span in spans for block in blocks_of(span, kind)))


def continues(series: Series, basis: dict[str, Any], release: Release, dataset: Dataset, canonical: Grid) -> bool:
    """Whether an edition declared like this can be measured by ``series`` within what was charged for it.

    Codes may have come, gone and merged since: no rule but that of one row per leaf cell asks which there are.
    """
    measured, late = on_lists(series.measurements, canonical), on_lists(series.late, canonical)
    if not same_basis(series, basis, release) or not _follows(measured, canonical, release):
        return False
    joint = _joint(release, dataset)
    for m in measured:
        place = (m.statistic, tuple(m.levels[d.name] for d in canonical.dimensions))
        moves = _sensitivity(release, canonical, place, m.role, joint)
        if moves.l1 > m.l1 or moves.l2_squared > m.l2_squared:
            return False
    known = {d.name: {level.name for level in d.levels} for d in canonical.dimensions}
    return costs_no_more(series.late, series.measurements, series.mechanism) and all(
        m.levels.get(name) in levels for m in late for name, levels in known.items()
    )


def _joint(release: Release, dataset: Dataset) -> bool:
    """Whether editions of the release share a block and its charge."""
    return sensitivity.shared_blocks(release, dataset.privacy_unit.per)


def _chosen_for(
    basis: dict[str, Any], release: Release, dataset: Dataset, canonical: Grid, others: Sequence[Grid] = ()
) -> Series:
    """A new series with the best strategy for what is declared now; ``others``: see ``measure``."""
    planned = {
        "basis": basis,
        "tables": [t.model_dump(mode="json", exclude={"title"}) for t in release.tables],
        "derived": [d.model_dump(mode="json", exclude={"title", "unit"}) for d in release.derived],
        "statistics": [s.model_dump(mode="json", exclude={"title", "unit"}) for s in release.statistics],
        "contribution": release.contribution.model_dump(mode="json"),
        "priority": release.priority,
        "domain": [_domain(d) for d in canonical.dimensions],
        **({"late": release.late.model_dump(mode="json")} if release.late else {}),
        **({"others": [[_domain(d) for d in other.dimensions] for other in others]} if others else {}),
    }
    name = digest(planned)
    if name not in _chosen:
        while len(_chosen) >= REMEMBERED:
            _chosen.pop(next(iter(_chosen)))
        measurements, mechanism = measure(release, dataset, canonical, others)
        late = late_tables(release, canonical, measurements, mechanism)
        _chosen[name] = series_of(basis, mechanism, measurements, late)
    return _chosen[name]


def _domain(dimension: Dimension) -> list[Any]:
    return [
        dimension.name,
        dimension.column,
        list(dimension.edges),
        [[level.name, list(level.codes), level.group.tolist()] for level in dimension.levels],
    ]


def totals_of(loss: PrivacyLoss) -> dict[Mechanism, Fraction]:
    """The total that each mechanism may spend and still keep the stated loss: ε for Laplace, ρ for Gaussian.

    Pure ε: Laplace only. (ε, δ): Laplace at ε, which needs no δ, or Gaussian at the ρ that converts to it. ρ:
    Gaussian (Laplace at the same ρ has twice the variance).
    """
    if loss.rho is not None:
        return {"discrete_gaussian": loss.rho}
    assert loss.epsilon is not None
    if loss.delta is None:
        return {"discrete_laplace": loss.epsilon}
    return {"discrete_laplace": loss.epsilon, "discrete_gaussian": accounting.rho_of(loss.epsilon, loss.delta)}


def measure(
    release: Release, dataset: Dataset, grid: Grid, others: Sequence[Grid] = ()
) -> tuple[tuple[Measurement, ...], Mechanism]:
    """The measurements of a release on a grid.

    Args:
        others: grids that later editions are declared to have, whose sensitivities are charged for if they are larger.
    """
    chosen, mechanism = _measured(release, dataset, grid, others)
    for finest in (False, True):
        if _follows(chosen, grid, release):
            break
        chosen, mechanism = _measured(release, dataset, grid, others, every_share=True, finest=finest)
    return chosen, mechanism


def _follows(measured: tuple[Measurement, ...], canonical: Grid, release: Release) -> bool:
    """Whether what is published follows from what is measured, in every edition.

    The last seven days of the period that stands for all may happen to be a week of it, as those of others are not. So
    rolling sums are looked at on every calendar; all else follows everywhere if it follows there.
    """
    rolling = any(d.kind == "rolling" for d in release.derived)
    grids = grids_of(release, canonical) if rolling else (canonical,)
    if not published_from(measured, canonical, release):
        return False
    return all(published_from(on_calendar(measured, canonical, grid), grid, release) for grid in grids[1:])


def _measured(
    release: Release,
    dataset: Dataset,
    grid: Grid,
    others: Sequence[Grid],
    *,
    every_share: bool = False,
    finest: bool = False,
) -> tuple[tuple[Measurement, ...], Mechanism]:
    """The best measurements; with ``finest`` days (or the leaves of time) are told apart in all that rolls."""
    joint = _joint(release, dataset)
    spaces, found, places = candidates(grid, release, finest=finest)
    moved = {place: _largest(release, (grid, *others), place, joint) for place in places}
    options = []
    for mechanism, total in totals_of(release.privacy_loss).items():
        truncation = choose_truncation(grid, release, mechanism, total)
        left = total * (1 - sum((c.share for c in truncation), Fraction(0)))
        strategy = choose(grid, release, moved, spaces, found, mechanism=mechanism, total=left, every_share=every_share)
        measured = [
            _measurement(release, grid, place, "statistic", moved[place], mechanism, share * left)
            for place, share in strategy.shares.items()
        ]
        for part in truncation:
            place = (part.statistic, part.levels)
            moves = _sensitivity(release, grid, place, part.role, joint)
            measured.append(_measurement(release, grid, place, part.role, moves, mechanism, part.share * total))
        options.append((strategy, tuple(measured)))
    best = min((strategy for strategy, _ in options), key=lambda strategy: strategy.error)
    alike = [(s, m) for s, m in options if all(a <= ALIKE * b for a, b in zip(s.errors, best.errors, strict=True))]
    strategy, chosen = min(alike, key=lambda option: sum(m.rho for m in option[1]))
    return chosen, strategy.mechanism


def _largest(release: Release, grids: Sequence[Grid], place: tuple[str, Key], joint: bool) -> Sensitivity:
    """The largest sensitivity of a table's statistic on any of the grids that has its levels, the first of all."""
    first = grids[0]
    names = [
        (grid, tuple(own_level(first[d.name], d, name) for d, name in zip(grid.dimensions, place[1], strict=True)))
        for grid in grids
    ]
    found = [_sensitivity(release, grid, (place[0], key), "statistic", joint) for grid, key in names]
    return Sensitivity(max(f.l1 for f in found), max(f.l2_squared for f in found))


def _sensitivity(release: Release, grid: Grid, place: tuple[str, Key], role: Role, joint: bool) -> Sensitivity:
    statistic, key = place
    levels = {d.name: name for d, name in zip(grid.dimensions, key, strict=True)}
    return sensitivity.of(
        statistic_of(release, statistic),
        role,
        contribution=release.contribution,
        cap=truncation_cap(release),
        grids=grids_of(release, grid),
        levels=levels,
        joint=joint,
    )


def _measurement(
    release: Release,
    grid: Grid,
    place: tuple[str, Key],
    role: Role,
    moves: Sensitivity,
    mechanism: Mechanism,
    budget: Fraction,
) -> Measurement:
    statistic, key = place
    declared = statistic_of(release, statistic)
    levels = {d.name: name for d, name in zip(grid.dimensions, key, strict=True)}
    noise = noise_scale(moves, mechanism, budget)
    name = statistic if role == "statistic" else role
    return Measurement(
        id=f"{name}@{'.'.join(key)}",
        statistic=statistic,
        role=role,
        levels=levels,
        shape=grid.shape(levels),
        l1=moves.l1,
        l2_squared=moves.l2_squared,
        scale=noise.scale,
        rho=noise.rho,
        epsilon=noise.epsilon,
        unit=declared.resolution if declared.kind == "sum" and role == "statistic" else Fraction(1),
    )


def warnings(
    release: Release, expected: tuple[ExpectedError, ...], measurements: tuple[Measurement, ...]
) -> tuple[PlanWarning, ...]:
    """What whoever approves the plan should know."""
    found: list[PlanWarning] = [note for note in (truncation_warning(release, measurements),) if note]
    ceilings = {t.id: t.ceiling for t in release.tables}
    first = {t.id: t.statistics[0] for t in release.tables}
    for e in expected:
        place = {"table": e.table, "statistic": e.statistic}
        ceiling = ceilings[e.table]
        if ceiling is not None and e.margin_95 > ceiling and e.statistic == first[e.table]:
            found.append(AboveCeiling(**place, margin_95=e.margin_95, ceiling=ceiling))
        if e.prior_mean is not None and e.relative is not None and e.relative > 1:
            found.append(AboveMean(**place, margin_95=e.margin_95, prior_mean=e.prior_mean))
    if any(e.prior_mean is None for e in expected):
        found.append(UnknownSize())
    return tuple(found)
