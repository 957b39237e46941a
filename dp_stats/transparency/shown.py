"""What an edition shows of its cost, read from its published files as any reader would."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dp_stats.errors import HistoryError
from dp_stats.transparency.leaves import Head, key_text

EDITION = "edition.json"
CHECKSUMS = "SHA256SUMS"
STATUS = "status.json"

Exact = Annotated[Fraction, BeforeValidator(lambda text: Fraction(text) if isinstance(text, str) else text)]


class Shown(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, arbitrary_types_allowed=True)


class Named(Shown):
    id: str


class ShownPeriod(Shown):
    label: str


class ShownRevision(Shown):
    """``adds``: editions whose late records are added; ``measurements``: the revision that it is made of, if another."""

    number: int
    adds: tuple[str, ...] = ()
    measurements: int | None = None

    @property
    def measured(self) -> int:
        """The revision whose measurements it is made of, which paid for it: its own, or an earlier one's."""
        return self.measurements or (1 if self.adds else self.number)


class ShownGuarantee(Shown):
    rho: Exact
    blocks: tuple[str, ...]
    series: bool


class ShownBudget(Shown):
    block: str
    cap: Exact
    spent: Exact
    remaining: Exact


class ShownDraw(Shown):
    """What another dataset paid for each block."""

    dataset: str
    rho: Exact


class ShownHashes(Shown):
    plan_hash: str
    series_hash: str


class ShownEdition(Shown):
    """The part of ``edition.json`` that the log must agree with."""

    release: Named
    dataset: Named
    period: ShownPeriod
    revision: ShownRevision
    guarantee: ShownGuarantee
    budget: tuple[ShownBudget, ...]
    draws: tuple[ShownDraw, ...] = ()
    provenance: ShownHashes
    log: Head | None = Field(None)

    @property
    def path(self) -> str:
        """The revision's folder."""
        return f"{self.release.id}/{self.period.label}/r{self.revision.number}"

    @property
    def key(self) -> str:
        """What its charges must have been made for."""
        hashes = self.provenance
        return key_text(
            series_hash=hashes.series_hash,
            plan_hash=hashes.plan_hash,
            series=self.guarantee.series,
            revision=self.revision.measured,
        )


class RevisionNumber(Shown):
    number: int


class ShownStatus(Shown):
    """The part of ``status.json`` that lists revisions."""

    revisions: tuple[RevisionNumber, ...]


def read_edition(content: bytes, name: str) -> ShownEdition:
    """An edition's facts from ``edition.json``.

    Raises:
        HistoryError: they cannot be read.
    """
    return _read(ShownEdition, content, name)


def read_status(content: bytes, name: str) -> ShownStatus:
    """The revisions that ``status.json`` lists.

    Raises:
        HistoryError: they cannot be read.
    """
    return _read(ShownStatus, content, name)


_Model = TypeVar("_Model", bound=Shown)


def _read(model: type[_Model], content: bytes, name: str) -> _Model:
    try:
        return model.model_validate_json(content)
    except (ValidationError, ZeroDivisionError):
        raise HistoryError(f"{name} cannot be read. Whoever publishes must restore it.") from None
