"""The privacy guarantee of an edition as data: what is protected, how strongly, by what, and what is not."""

from __future__ import annotations

import math

from dp_stats.catalogue.models import Dataset, Release
from dp_stats.editions.edition import ClippingFacts, GuaranteeFacts, MeasuredFacts
from dp_stats.plan.model import Measurement, Plan
from dp_stats.texts.numbers import rounded
from dp_stats.texts.words import Texts

PROTECTIONS = ("floating_point", "timing", "side_channels", "repetition")
"""Kinds of attack that the guarantee's sentences speak of, beside the noise itself."""


def guarantee_facts(
    plan: Plan, release: Release, dataset: Dataset, *, libraries: dict[str, str], texts: Texts
) -> GuaranteeFacts:
    """The guarantee that ``plan`` gives to each privacy unit of ``dataset``, with its sentences in the language of ``texts``."""
    unit = dataset.privacy_unit
    named = {"unit": unit.name, "span": texts(f"guarantee.span.{unit.per}")}
    bound = texts.plural("guarantee.bound", plan.contribution_rows, unit=unit.name)
    return GuaranteeFacts(
        unit=unit.name,
        unit_description=f"{texts('guarantee.unit', **named)} {bound}",
        bound_description=bound,
        per=unit.per,
        blocks=plan.blocks,
        neighbouring=texts("guarantee.neighbouring", **named),
        rho=plan.rho,
        epsilon=plan.epsilon,
        delta=plan.delta,
        pure_epsilon=plan.pure_epsilon,
        mechanism=plan.mechanism,
        contribution_rows=plan.contribution_rows,
        one_per_cell=plan.one_per_cell,
        truncated_rows_cap=plan.truncated_rows_cap,
        why_nothing_is_truncated=release.contribution.why_nothing_is_truncated,
        clipping=tuple(
            ClippingFacts(statistic=s.id, lower=s.lower, upper=s.upper, resolution=s.resolution)
            for s in release.statistics
            if s.lower is not None and s.upper is not None
        ),
        series=plan.series,
        composition=_composition(plan, release, texts),
        measured=measured_facts(plan),
        not_protected=texts.many("guarantee.not_protected"),
        post_processing=_post_processing(release, texts),
        protections={name: texts(f"guarantee.protections.{name}") for name in PROTECTIONS},
        justification=_justification(plan, release, unit.name, texts),
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
        for m in plan.tables
    )


def _standard_deviation(measurement: Measurement) -> float:
    return rounded(math.sqrt(measurement.variance), digits=6)


def _composition(plan: Plan, release: Release, texts: Texts) -> str:
    tables = texts.plural("guarantee.tables", len(plan.measurements))
    said = texts("guarantee.series" if plan.series else "guarantee.each", tables=tables)
    return f"{said} {texts('guarantee.late', count=texts.number(release.late.periods))}" if release.late else said


def _post_processing(release: Release, texts: Texts) -> tuple[str, ...]:
    done = ["consistent", "rounded", "intervals", "marks"]
    if release.contribution.measure_truncation and not release.contribution.why_nothing_is_truncated:
        done.append("corrected")
    if release.derived:
        done.append("derived")
    return tuple(texts(f"guarantee.processing.{name}") for name in done)


def _justification(plan: Plan, release: Release, unit: str, texts: Texts) -> str:
    bound = release.contribution.why_nothing_is_truncated or texts("guarantee.chosen", unit=unit)
    return texts(
        "guarantee.justification",
        noise=texts(f"guarantee.noise.{plan.mechanism}"),
        rows=texts.number(plan.contribution_rows),
        bound=bound.rstrip("."),
    )
