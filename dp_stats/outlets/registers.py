"""What harvesters and the public look things up in: the DCAT catalogue and the register of data uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from dp_stats.editions import claims, formats
from dp_stats.editions.edition import Edition, Facts, utc
from dp_stats.editions.metadata import keywords
from dp_stats.editions.privacy_record import rounded_up
from dp_stats.outlets import budgets, openapi
from dp_stats.outlets.api import ROOT
from dp_stats.outlets.budgets import BlockSpend, DatasetSpend
from dp_stats.texts.words import Texts

CONTEXT: dict[str, Any] = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
LONGEST_TITLE = 65
_LANGUAGE = "http://publications.europa.eu/resource/authority/language/"
_MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"
_FREQUENCY = {
    "day": "http://purl.org/cld/freq/daily",
    "week": "http://purl.org/cld/freq/weekly",
    "month": "http://purl.org/cld/freq/monthly",
    "year": "http://purl.org/cld/freq/annual",
}


def dcat(current: Sequence[Edition], *, base_url: str, texts: Texts) -> dict[str, Any]:
    """``catalog.jsonld``: one dataset per release with the downloads of its newest edition (DCAT 3).

    Args:
        current: the newest edition of each release.
        texts: the language of the catalogue, and what it is called.
    """
    newest = max((e.published for e in current), default=None)
    catalog: dict[str, Any] = {
        "@context": CONTEXT,
        "@id": f"{base_url}/catalog.jsonld",
        "@type": "dcat:Catalog",
        "dct:title": _text(short_title(texts("feed.title")), texts),
        "dct:description": _text(texts("dcat.description"), texts),
        "foaf:homepage": {"@id": f"{base_url}/"},
        "dcat:dataset": [_dataset(edition, base_url, texts) for edition in current],
        "dcat:service": _service(current, base_url, texts),
    }
    if newest is not None:
        catalog["dct:modified"] = _typed(utc(newest), "dateTime")
    return catalog


def dcat_in_each(said: Sequence[Sequence[Edition]], *, base_url: str, spoken: Sequence[Texts]) -> dict[str, Any]:
    """``dcat`` in the first language, with the words of each further one beside.

    Args:
        said: the newest edition of each release, in each language.
    """
    first, *others = (dcat(c, base_url=base_url, texts=t) for c, t in zip(said, spoken, strict=True))
    for other in others:
        first = _joined(first, other)
    return first


def _joined(one: Any, other: Any) -> Any:
    """Two descriptions that say the same in two languages, as one: words of each stand beside each other."""
    if isinstance(one, dict) and "@language" not in one and one.keys() != {"@id"}:
        return {name: _joined(value, other[name]) if name in other else value for name, value in one.items()}
    both = [*(one if isinstance(one, list) else [one]), *(other if isinstance(other, list) else [other])]
    if all(isinstance(word, dict) and {"@language", "@id"} & word.keys() and len(word) <= 2 for word in both):
        return [word for at, word in enumerate(both) if all(_value(word) != _value(before) for before in both[:at])]
    if isinstance(one, list):
        return [_joined(here, there) for here, there in zip(one, other, strict=True)]
    return one


def _value(word: Mapping[str, Any]) -> Any:
    return word.get("@value", word)


def _service(current: Sequence[Edition], base_url: str, texts: Texts) -> dict[str, Any]:
    """The API of plain files, which serves every dataset."""
    return {
        "@id": f"{base_url}/{ROOT}/#service",
        "@type": "dcat:DataService",
        "dct:title": _text(texts("openapi.title"), texts),
        "dct:description": _text(texts("openapi.about"), texts),
        "dcat:endpointURL": {"@id": f"{base_url}/{ROOT}/index.json"},
        "dcat:endpointDescription": {"@id": f"{base_url}/{openapi.PATH}"},
        "dcat:servesDataset": [{"@id": f"{base_url}/{edition.release.id}/#dataset"} for edition in current],
    }


def _dataset(edition: Edition, base_url: str, texts: Texts) -> dict[str, Any]:
    home = f"{base_url}/{edition.release.id}/"
    publisher = edition.release.publisher or edition.dataset.custodians[0].name
    described: dict[str, Any] = {
        "@id": f"{home}#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": edition.release.id,
        "dct:title": _text(short_title(edition.release.title), texts),
        "dct:description": _text(edition.release.summary, texts),
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": publisher},
        "dct:issued": _typed(utc(edition.published), "dateTime"),
        "dct:language": {"@id": f"{_LANGUAGE}{texts('authority')}"},
        "dct:spatial": {"@type": "dct:Location", "dct:title": edition.dataset.region},
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _typed(edition.period.start.isoformat(), "date"),
            "dcat:endDate": _typed(edition.period.end.isoformat(), "date"),
        },
        "dcat:keyword": [_text(word, texts) for word in keywords(edition, texts)],
        "dcat:landingPage": {"@id": f"{home}index.html"},
        "dcat:version": str(edition.revision.number),
        **({"adms:versionNotes": _text(edition.revision.reason, texts)} if edition.revision.kind != "first" else {}),
        "dcat:distribution": [
            {
                "@id": f"{base_url}/{edition.path}/{file.path}#distribution",
                "@type": "dcat:Distribution",
                "dct:title": _text(file.title, texts),
                "dcat:accessURL": {"@id": home},
                "dcat:downloadURL": {"@id": f"{base_url}/{edition.path}/{file.path}"},
                "dcat:mediaType": {"@id": f"{_MEDIA_TYPES}{file.media_type}"},
                "dcat:byteSize": _typed(str(file.bytes), "nonNegativeInteger"),
                "spdx:checksum": {
                    "@type": "spdx:Checksum",
                    "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
                    "spdx:checksumValue": file.sha256,
                },
                **_licence(edition),
            }
            for table in edition.tables
            for file in table.files
        ],
        **_licence(edition),
    }
    if edition.release.theme not in ("", edition.release.title):  # which stands for a theme where none is declared
        described["dcat:theme"] = {"@type": "skos:Concept", "skos:prefLabel": _text(edition.release.theme, texts)}
    if edition.release.period_kind in _FREQUENCY and edition.release.schedule:
        described["dct:accrualPeriodicity"] = {"@id": _FREQUENCY[edition.release.period_kind]}
    if edition.release.contact:
        contact = edition.release.contact
        described["dcat:contactPoint"] = {
            "@type": "vcard:Organization",
            "vcard:fn": publisher,
            **({"vcard:hasEmail": {"@id": f"mailto:{contact}"}} if "@" in contact else {}),
        }
    return described


def short_title(title: str) -> str:
    """A title of at most 65 characters, shortened between words."""
    if len(title) <= LONGEST_TITLE:
        return title
    short = title[: LONGEST_TITLE - 1]
    return short[: short.rfind(" ")].rstrip(" ,;:") + "…" if " " in short else short + "…"


def _licence(edition: Edition) -> dict[str, Any]:
    return {"dct:license": {"@id": edition.release.licence_url}} if edition.release.licence_url else {}


def _text(text: str, texts: Texts) -> dict[str, str]:
    return {"@value": text, "@language": texts.language}


def _typed(value: str, kind: str) -> dict[str, str]:
    return {"@value": value, "@type": f"xsd:{kind}"}


class DataUse(Facts):
    """One release in the register of data uses; fields follow the HDR UK Data Use Register."""

    lead_organisation: str
    title: str
    release: str
    lay_summary: str
    public_benefit: str
    purpose: str
    requested_by: str
    legal_basis: str
    datasets: str
    custodians: str
    opt_outs_applied: bool
    linkage: str
    access_type: str
    approvals: str
    first_published: str
    latest_published: str
    outputs: str
    privacy_unit: str
    epsilon: float
    delta: float
    epsilon_spent: str
    epsilon_cap: str
    rho_remaining: str
    rho_spent: str
    charges: str
    charges_not_public: str
    as_of: str
    revisions: str
    agreement: str
    also_charged: str
    audience: str
    checksums: str


def data_use(
    published: Sequence[Edition],
    *,
    spend: DatasetSpend | None,
    base_url: str,
    texts: Texts,
    checksums: Mapping[str, str] = MappingProxyType({}),
) -> DataUse:
    """The record of a release, from all its editions in order of time, and what all uses of its dataset have spent.

    Args:
        checksums: of editions that are not public: path → SHA-256 of their ``SHA256SUMS``.
    """
    last = max(published, key=lambda e: (e.period.end, e.revision.number))
    release, dataset = last.release, last.dataset
    touched = {block for e in published for block in e.guarantee.blocks}
    blocks = [spend.blocks[name] for name in sorted(touched & spend.blocks.keys())] if spend else []

    def said(amount: Callable[[BlockSpend], str]) -> str:
        """``2021: 0.43; 2022: 0.43``, of the blocks that the release touches."""
        known = ((block.block, amount(block)) for block in blocks)
        return "; ".join(f"{name}: {text}" for name, text in known if text)

    return DataUse(
        lead_organisation=release.publisher or dataset.custodians[0].name,
        title=release.title,
        release=release.id,
        lay_summary=release.summary,
        public_benefit=release.public_benefit,
        purpose=claims.purpose(release, dataset, texts),
        requested_by=release.requested_by or "",
        legal_basis=claims.legal_basis(dataset, texts),
        datasets=dataset.title,
        custodians="; ".join(c.name for c in dataset.custodians),
        opt_outs_applied=dataset.opt_outs_applied,
        linkage=claims.linked(dataset, texts),
        access_type=claims.access(release, texts),
        approvals=claims.approvals(published, texts),
        first_published=utc(min(e.published for e in published)),
        latest_published=utc(last.published),
        outputs=f"{base_url}/{release.id}/index.html" if release.audience == "public" else "",
        privacy_unit=texts("use.unit", unit=last.guarantee.unit, per=texts(f"per.{last.guarantee.per}")),
        epsilon=rounded_up(Fraction(last.guarantee.epsilon)),
        delta=float(last.guarantee.delta),
        epsilon_spent=said(lambda b: budgets.amounts(texts, b)[0]),
        epsilon_cap=said(lambda b: budgets.amounts(texts, b)[1]),
        rho_remaining=said(lambda b: texts.significant(float(b.remaining), digits=4)),
        rho_spent=said(lambda b: str(b.spent)),
        charges=said(lambda b: "" if b.charges is None else str(b.charges)),
        charges_not_public=said(lambda b: "" if b.charges is None else str(b.not_public)),
        as_of=utc(spend.as_of) if spend else "",
        revisions="; ".join(
            f"{e.path} ({e.revision.kind}): {e.revision.reason}" for e in published if e.revision.kind != "first"
        ),
        agreement=claims.agreement(dataset, texts),
        also_charged=claims.draws(last, texts),
        audience=release.audience,
        checksums="; ".join(f"{path} {checksum}" for path, checksum in checksums.items()),
    )


def register_json(uses: Sequence[DataUse]) -> bytes:
    """The register as JSON."""
    return formats.json_bytes([use.model_dump(mode="json") for use in uses])


def register_csv(uses: Sequence[DataUse], texts: Texts) -> bytes:
    """The register as CSV, a line per release."""
    rows = [use.model_dump(mode="json") for use in uses]
    columns = {name: pa.array([_cell(row[name], texts) for row in rows], pa.string()) for name in DataUse.model_fields}
    return formats.csv_bytes(pa.table(columns))


def _cell(value: object, texts: Texts) -> str:
    return texts("use.yes" if value else "use.no") if isinstance(value, bool) else str(value)
