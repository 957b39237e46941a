"""The privacy guarantee of an edition as data: what is protected, how strongly, by what, and what is not."""

from __future__ import annotations

import math

from dp_stats.catalogue.models import Dataset, Release
from dp_stats.editions.edition import ClippingFacts, GuaranteeFacts, MeasuredFacts
from dp_stats.plan.model import Measurement, Plan

NOT_PROTECTED = (
    "The public code lists and calendars: which areas, groups and dates appear does not depend on the records.",
    "The declarations: the periods, the statistics, the contribution bound, the clipping bounds and the noise scales.",
    "That the edition was published, and when. A scheduled edition is held back if a declared quality gate fails.",
    "What a person has in other blocks of time, and what other publications say about them.",
)

PROTECTIONS = {
    "floating_point": "Rows are aggregated to integers and noise is drawn by OpenDP's exact discrete samplers; "
    "no floating-point number from a row reaches noise.",
    "timing": "Queries and samplers may take time that depends on the data. Scheduled editions appear at declared "
    "times; of an ad hoc release, whoever asked sees how long it took. Nothing more is claimed.",
    "side_channels": "Rows, identifiers and exact counts enter no log, message, task state or file outside the "
    "secure store.",
    "repetition": "Noise is drawn once per charge and stored; a retry or a new page returns the stored values.",
}


def guarantee_facts(plan: Plan, release: Release, dataset: Dataset, *, libraries: dict[str, str]) -> GuaranteeFacts:
    """The guarantee that ``plan`` gives to each privacy unit of ``dataset``."""
    unit = dataset.privacy_unit
    span = "their whole life" if unit.per == "lifetime" else f"any one {unit.per}"
    rows = f"{plan.contribution_rows} row{'s' if plan.contribution_rows > 1 else ''}"
    return GuaranteeFacts(
        unit=unit.name,
        unit_description=f"Everything that one {unit.name} has in the dataset in {span}. At most {rows} of one "
        f"{unit.name} count in that time.",
        per=unit.per,
        blocks=plan.blocks,
        neighbouring=f"Two datasets are neighbours if one is the other with all rows of one {unit.name} in {span} "
        "added or removed.",
        rho=plan.rho,
        epsilon=plan.epsilon,
        delta=plan.delta,
        pure_epsilon=plan.pure_epsilon,
        mechanism=plan.mechanism,
        contribution_rows=plan.contribution_rows,
        one_per_cell=plan.one_per_cell,
        cut_rows_cap=plan.cut_rows_cap,
        why_nothing_is_cut=release.contribution.why_nothing_is_cut,
        clipping=tuple(
            ClippingFacts(statistic=s.id, lower=s.lower, upper=s.upper, resolution=s.resolution)
            for s in release.statistics
            if s.lower is not None and s.upper is not None
        ),
        series=plan.series,
        composition=_composition(plan),
        measured=measured_facts(plan),
        not_protected=NOT_PROTECTED,
        post_processing=_post_processing(release),
        protections=PROTECTIONS,
        justification=_justification(plan, release, unit.name),
        libraries=libraries,
    )


def measured_facts(plan: Plan) -> tuple[MeasuredFacts, ...]:
    """What was measured, with the noise each table got."""
    return tuple(
        MeasuredFacts(
            id=m.id,
            statistic=m.statistic,
            role=m.role,
            levels=m.levels,
            cells=math.prod(m.shape),
            mechanism="discrete_gaussian" if m.epsilon is None else "discrete_laplace",
            scale=m.scale,
            standard_deviation=_standard_deviation(m),
            l1=m.l1,
            l2_squared=m.l2_squared,
            rho=m.rho,
            epsilon=m.epsilon,
            unit=m.unit,
        )
        for m in plan.measurements
    )


def _standard_deviation(measurement: Measurement) -> float:
    return float(f"{math.sqrt(measurement.variance):.6g}")


def _composition(plan: Plan) -> str:
    tables = len(plan.measurements)
    within = f"The {tables} noisy tables of an edition add up" if tables > 1 else "An edition has one noisy table"
    if plan.series:
        return (
            f"{within}. All editions of the series in one block share one charge: a register kept with the records "
            "holds each person to the contribution bound over the whole block, so that editions count disjoint rows "
            "(individual accounting, Feldman and Zrnic 2021)."
        )
    return f"{within}, and editions of the same block add up (sequential composition)."


def _post_processing(release: Release) -> tuple[str, ...]:
    done = [
        "Generalised least squares makes all tables agree with each other.",
        "Published values are rounded to whole numbers that are not negative and add up; "
        "the unbiased value before rounding stands beside each.",
        "Intervals come from the known variance of the noise.",
        "Reliability marks are set from noisy values and known variances only.",
    ]
    if release.contribution.measure_cut and not release.contribution.why_nothing_is_cut:
        done.append(
            "Values are corrected for the rows that the contribution bound cut, by a noisy measurement of them."
        )
    if release.derived:
        done.append("Rates, means, shares and moving sums are computed from published values and public populations.")
    return tuple(done)


def _justification(plan: Plan, release: Release, unit: str) -> str:
    noise = (
        "discrete Laplace noise, which has the smaller error for few tables"
        if plan.mechanism == "discrete_laplace"
        else "discrete Gaussian noise, which has the smaller error for many tables"
    )
    bound = release.contribution.why_nothing_is_cut or (
        f"the custodian chose it to balance noise, which grows with it, against rows of one {unit} that are cut"
    )
    return (
        "The privacy loss is declared by the custodian within a budget for each block of time. The plan chose "
        f"{noise}, and split the loss between tables by the expected error of what is published, without looking at "
        f"the records. Contribution bound of {plan.contribution_rows}: {bound.rstrip('.')}."
    )
