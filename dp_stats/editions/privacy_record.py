"""``guarantee.json``: the privacy guarantee of an edition as exact data, in three tiers as registries of deployments ask.

Tier 1 says who publishes what for whom; tier 2 the guarantee, the privacy unit and the parameters; tier 3
domain, unprotected quantities, mechanisms, composition, post-processing and the reasons. Field names follow
the OpenDP deployments registry, whose own record is ``privacy.json`` (see ``registry_record``);
``schemas/privacy.schema.json`` is our schema of this one.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dp_stats.editions import claims
from dp_stats.editions.edition import Edition, MeasuredFacts
from dp_stats.editions.record_form import RecordForm
from dp_stats.texts.words import Texts

FILE_NAME = "guarantee.json"
FORM = RecordForm(FILE_NAME, "privacy.schema.json")
"""Our JSON Schema of the record."""


def privacy_record(edition: Edition, texts: Texts) -> dict[str, Any]:
    """The deployment record as plain JSON values; exact numbers are given as text beside their decimal form."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "record_version": "1.0",
        "url_slug": f"{edition.release.id}-{edition.period.label.lower()}-r{edition.revision.number}",
        "deployment": {
            "basic": _basic(edition, texts),
            "dp_variant": _variant(edition),
            "privacy_loss": _loss(edition, texts),
            "deployment_model": _model(edition, texts),
            "implementation": _implementation(edition, texts),
        },
        "administrative": {
            "status": "Published",
            "tier": 3,
            "edition": edition.path,
            "plan_sha256": edition.provenance.plan_hash,
            **({"declarations": edition.provenance.commit} if edition.provenance.commit else {}),
            "charges": list(edition.charges),
            "budget": [
                {
                    "block": b.block,
                    "rho_cap": float(b.cap),
                    "rho_spent": rounded_up(b.spent),
                    "rho_remaining": float(b.remaining),
                }
                for b in edition.budget
            ],
            **_stewardship(edition),
        },
    }


def _stewardship(edition: Edition) -> dict[str, Any]:
    """Whose records were used under which agreement, and which other budgets paid; nothing where one body holds all."""
    found: dict[str, Any] = {}
    if edition.dataset.records:
        found["records"] = [r.model_dump(mode="json", exclude_none=True) for r in edition.dataset.records]
    if edition.dataset.agreement is not None:
        found["agreement"] = edition.dataset.agreement.model_dump(mode="json")
    if edition.draws:
        found["also_charged"] = [
            {"dataset": d.dataset, "rho": rounded_up(d.rho), "rho_exact": str(d.rho)} for d in edition.draws
        ]
    return found


def _basic(edition: Edition, texts: Texts) -> dict[str, Any]:
    return {
        "name": edition.title,
        "data_curators": [{"data_curator_name": c.name} for c in edition.dataset.custodians],
        "description": edition.release.summary,
        "intended_use": claims.benefit(edition.release, texts),
        "data_product_type": "Summary statistics",
        "data_product_region": edition.dataset.region,
        "data_product_sector": edition.release.theme or edition.release.title,
        "publication_date": edition.published.date().isoformat(),
        "period_start": edition.period.start.isoformat(),
        "period_end": edition.period.end.isoformat(),
    }


def _variant(edition: Edition) -> dict[str, Any]:
    guarantee = edition.guarantee
    return {
        "variant_name": "Pure DP" if guarantee.pure else "Zero-concentrated DP",
        "data_domain": f"{edition.dataset.title}. {edition.dataset.description}",
        "unprotected_quantities": list(guarantee.not_protected),
        "adjacency": guarantee.neighbouring,
    }


def _loss(edition: Edition, texts: Texts) -> dict[str, Any]:
    guarantee = edition.guarantee
    parameters: dict[str, Any] = {
        "rho": rounded_up(guarantee.rho),
        "rho_exact": str(guarantee.rho),
        "epsilon": rounded_up(Fraction(guarantee.epsilon)),
        "delta": float(guarantee.delta),
    }
    if guarantee.pure_epsilon is not None:
        parameters["pure_epsilon"] = rounded_up(guarantee.pure_epsilon)
        parameters["pure_epsilon_exact"] = str(guarantee.pure_epsilon)
    return {
        "privacy_unit": guarantee.unit if guarantee.per == "lifetime" else f"{guarantee.unit}-{guarantee.per}",
        "privacy_unit_details": guarantee.unit_description,
        "blocks": list(guarantee.blocks),
        "privacy_parameters": parameters,
        "privacy_parameters_details": texts("record.parameters"),
    }


def _model(edition: Edition, texts: Texts) -> dict[str, Any]:
    many = edition.guarantee.series
    return {
        "model_name": "Central",
        "trust_assumptions": texts("record.trust"),
        "release_type": "Many releases" if many else "One-time release",
        "release_type_details": edition.guarantee.composition,
        "data_source_type": "Dynamic" if many else "Static",
        "access_type": "Non-interactive",
    }


def _implementation(edition: Edition, texts: Texts) -> dict[str, Any]:
    guarantee = edition.guarantee
    return {
        "preprocessing_and_hyperparameter_tuning": [
            claims.opt_outs(edition.dataset, texts),
            texts.plural("record.bound", guarantee.contribution_rows, unit=guarantee.unit),
            texts("record.lists"),
            texts("record.tuning"),
        ],
        "contribution_bound": {
            "rows": guarantee.contribution_rows,
            "one_per_cell": guarantee.one_per_cell,
            "truncated_rows_cap": guarantee.truncated_rows_cap,
        },
        "clipping_bounds": [
            {
                "statistic": c.statistic,
                "lower": float(c.lower),
                "upper": float(c.upper),
                "resolution": float(c.resolution),
            }
            for c in guarantee.clipping
        ],
        "mechanisms": [_mechanism(m) for m in guarantee.measured],
        "composition": guarantee.composition,
        "post_processing": list(guarantee.post_processing),
        "protections": guarantee.protections,
        "libraries": guarantee.libraries,
        "justification": guarantee.justification,
        "utility": [
            {
                "table": e.table,
                "statistic": e.statistic,
                "margin_of_error_95": round(e.margin_95, 3),
                "widest_margin_95": round(e.worst, 3),
                **({} if e.lowest is None else {"lowest_margin_95": round(e.lowest, 3)}),
                **({} if e.highest is None else {"highest_margin_95": round(e.highest, 3)}),
            }
            for e in edition.quality.expected
        ],
    }


def _mechanism(measured: MeasuredFacts) -> dict[str, Any]:
    return {
        "table": measured.id,
        "role": measured.role,
        "levels": measured.levels,
        "cells": measured.cells,
        "mechanism": measured.mechanism.replace("_", " "),
        "scale": measured.scale,
        "standard_deviation": measured.standard_deviation,
        "l1_sensitivity": measured.l1,
        "l2_sensitivity_squared": measured.l2_squared,
        "unit": float(measured.unit),
        "rho": rounded_up(measured.rho),
        "epsilon": None if measured.epsilon is None else rounded_up(measured.epsilon),
    }


def rounded_up(loss: Fraction) -> float:
    """A privacy loss in at most nine digits, never below what it is."""
    if loss == 0:
        return 0.0
    step = Fraction(10) ** (math.floor(math.log10(loss)) - 8)
    shown = float(math.ceil(loss / step) * step)
    return shown if Fraction(shown) >= loss else math.nextafter(shown, math.inf)


def for_programs(loss: Fraction) -> str:
    """The same as a text for programs: ``1``, ``0.4299``, ``1e-06``."""
    return f"{rounded_up(loss):.9g}"
