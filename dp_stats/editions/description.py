"""An edition's facts in parts by hash, so that the ledger keeps them before the files are written.

What editions of a release share (areas with names, guarantee, titles) is one part, kept once. The order of fields and
of dictionaries is kept: it is the order in the files. Columns, rows and files of tables follow from the numbers and are
not part of a description; the moment of publication is the ledger's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dp_stats import files
from dp_stats.editions.edition import Edition, RevisionFacts
from dp_stats.errors import LedgerError

FORMAT = 1
SHARED = ("release", "dataset", "guarantee", "dimensions", "statistics", "tables", "approvals")
"""Fields of an edition that are parts of their own, a list item by item; the rest stands in the document."""


@dataclass(frozen=True)
class Described:
    """A description as the ledger keeps it: the hash of its document, and every part by hash."""

    document: str
    parts: Mapping[str, bytes]


def described(edition: Edition) -> Described:
    """The description of an edition; what ``read`` gives back equals it before its tables were completed."""
    bare = {"columns": (), "rows": 0, "files": ()}
    edition = edition.model_copy(update={"tables": tuple(t.model_copy(update=bare) for t in edition.tables)})
    facts = edition.model_dump(mode="json", exclude={"published"})
    parts: dict[str, bytes] = {}

    def part(content: Any) -> str:
        written = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        name = files.sha256(written)
        parts[name] = written
        return name

    fields: list[str] = []
    named: list[str] = []
    for name in SHARED:
        content = facts[name]
        items = content if isinstance(content, list) else [content]
        fields += [name] * len(items)
        named += [part(item) for item in items]
        facts[name] = [] if isinstance(content, list) else None
    return Described(part({"format": FORMAT, "facts": facts, "fields": fields, "parts": named}), parts)


def read(document: str, parts: Mapping[str, bytes], *, published: datetime) -> Edition:
    """The edition that was described.

    Raises:
        LedgerError: this version cannot read it.
    """
    try:
        content = json.loads(parts[document])
        facts: dict[str, Any] = content["facts"]
        for field, name in zip(content["fields"], content["parts"], strict=True):
            item = json.loads(parts[name])
            if facts[field] is None:
                facts[field] = item
            else:
                facts[field].append(item)
        return Edition.model_validate({**facts, "published": published})
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(
            "What the ledger keeps of an edition cannot be read by this version of dp_stats. Upgrade dp_stats, or restore "
            "the ledger from its backup."
        ) from error


@dataclass(frozen=True)
class MadeOf:
    """What the numbers of a revision are made of, and why there is one.

    Attributes:
        measured: the revision whose stored measurements they are: its own, or an earlier one's.
        adding: the editions (``release/period``) whose late rows are added.
        facts: what it says of itself. estimator: version of the method that estimated it.
    """

    measured: int
    adding: tuple[str, ...]
    facts: RevisionFacts
    estimator: int


def made_of(document: bytes) -> MadeOf:
    """What a described revision is made of, by its document."""
    facts = json.loads(document)["facts"]
    revision = RevisionFacts.model_validate(facts["revision"])
    measured = revision.measurements or (1 if revision.adds else revision.number)
    return MadeOf(measured, revision.adds, revision, facts["provenance"].get("estimator", 1))


def sources_in(document: str, parts: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The earlier editions that a described revision's tables across editions are made from, as facts."""
    found: list[dict[str, Any]] = json.loads(parts[document])["facts"].get("sources", [])
    return found
