"""``privacy.json``: an edition as a record of the OpenDP deployments registry, valid against the registry's own schema.

The registry wants sentences where programs want numbers; those are in ``guarantee.json`` (see ``privacy_record``). What no
record of the edition holds is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from dp_stats.editions import claims
from dp_stats.editions.edition import Edition, MeasuredFacts
from dp_stats.editions.privacy_record import rounded_up
from dp_stats.editions.record_form import RecordForm
from dp_stats.texts.words import Texts

FILE_NAME = "privacy.json"
FORM = RecordForm(FILE_NAME, "registry.schema.json")
"""The registry's JSON Schema, without its descriptions."""
SECTORS = {"Health": "Healthcare", "Education": "Education", "Energy": "Energy", "Finance": "Finance"}
"""Theme of a release → sector, of those that the registry knows; of other themes none is said."""


def registry_record(edition: Edition, texts: Texts) -> dict[str, Any]:
    """The record as plain JSON values; the registry shows its texts as Markdown."""
    guarantee = edition.guarantee
    return {
        "url_slug": f"{edition.release.id}-{edition.period.label.lower()}-r{edition.revision.number}",
        "status": "Draft",
        "tier": 3,
        "deployment": {
            "basic": _basic(edition, texts),
            "dp_variant": {
                "variant_name": "Pure DP" if guarantee.pure else "Zero-concentrated DP",
                "data_domain": f"{edition.dataset.title}. {edition.dataset.description}",
                "unprotected_quantities": _points(guarantee.not_protected),
            },
            "privacy_loss": _loss(edition, texts),
            "deployment_model": {
                "model_name": "Central",
                "actors": texts("record.trust"),
                "release_type": "Many releases" if guarantee.series else "One release",
                "release_type_details": guarantee.composition,
                "data_source_type": "Dynamic" if guarantee.series else "Static",
                "access_type": "Non-interactive",
            },
            "accounting": {
                "post_processing": _points(guarantee.post_processing),
                "composition": guarantee.composition,
            },
            "implementation": _implementation(edition, texts),
            "administrative": {
                "notes": texts("record.notes", edition=edition.path),
                "registry_authors": [edition.release.publisher or edition.dataset.custodians[0].name],
            },
        },
    }


def _basic(edition: Edition, texts: Texts) -> dict[str, Any]:
    sector = SECTORS.get(edition.release.theme)
    return {
        "name": edition.title,
        "data_curators": [c.name for c in edition.dataset.custodians],
        "intended_use": claims.benefit(edition.release, texts),
        "data_product_type": "Summary statistics",
        "data_product_region": edition.dataset.region,
        "description": edition.release.summary,
        "publication_date": edition.published.date().isoformat(),
        **({"data_product_sector": sector} if sector else {}),
    }


def _loss(edition: Edition, texts: Texts) -> dict[str, Any]:
    guarantee = edition.guarantee
    parameters = {"epsilon": rounded_up(Fraction(guarantee.epsilon)), "delta": float(guarantee.delta)}
    if guarantee.pure_epsilon is not None:
        parameters = {"epsilon": rounded_up(guarantee.pure_epsilon)}
    return {
        "privacy_unit": guarantee.unit if guarantee.per == "lifetime" else f"{guarantee.unit}-{guarantee.per}",
        "privacy_unit_details": f"{guarantee.unit_description} {guarantee.neighbouring}",
        "privacy_parameters": {**parameters, "rho": rounded_up(guarantee.rho)},
        "privacy_parameters_details": texts(f"record.registered.{'pure' if guarantee.pure else 'concentrated'}"),
    }


def _implementation(edition: Edition, texts: Texts) -> dict[str, str]:
    guarantee = edition.guarantee
    libraries = ", ".join(f"{name} {version}" for name, version in guarantee.libraries.items())
    mechanisms = [_mechanism(m, texts) for m in guarantee.measured]
    commit = edition.provenance.commit
    declared = [texts("record.declarations", commit=f"`{commit}`")] if commit else []
    return {
        "preprocessing_and_hyperparameter_tuning": _points(
            [
                claims.opt_outs(edition.dataset, texts),
                texts.plural("record.bound", guarantee.contribution_rows, unit=guarantee.unit),
                texts("record.lists"),
                texts("record.tuning"),
            ]
        ),
        "mechanisms": _points([*mechanisms, *guarantee.protections.values(), libraries, *declared]),
        "justification": guarantee.justification,
    }


def _mechanism(measured: MeasuredFacts, texts: Texts) -> str:
    kind = "laplace" if measured.mechanism == "discrete_laplace" else "gaussian"
    return texts(
        "record.mechanism",
        table=f"`{measured.id}`",
        noise=texts(f"private.{kind}"),
        scale=texts.significant(measured.scale, digits=6),
        deviation=texts.significant(measured.standard_deviation, digits=6),
        l1=texts.number(measured.l1),
    )


def _points(sentences: Iterable[str]) -> str:
    """Sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)
