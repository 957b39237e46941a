"""What the public log holds: a line for every charge that was spent, and one for every edition that was published.

A line is the canonical JSON of a leaf; its bytes, without the line's end, are what the hash tree is made of. A charge
says which dataset, which block and how much. What it was for is hidden behind a commitment, which the line of an
edition opens: so nobody is told of a request, and no charge can be given to another edition afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from dp_stats.errors import HistoryError

LOG = "log.jsonl"
HEADS = "heads.jsonl"


def proof_name(revision: int) -> str:
    """The file that proves a revision to be in the log; it lies beside the revision's folder."""
    return f"r{revision}.proof.json"


def _exact(value: Any) -> Any:
    """An amount from its exact text; whatever is written in another way than it would be by us is none."""
    if isinstance(value, Fraction):
        return value
    try:
        found = Fraction(value) if isinstance(value, str) else None
    except (ValueError, ZeroDivisionError):
        found = None
    if found is None or str(found) != value:
        raise ValueError("no exact amount")
    return found


Amount = Annotated[
    Fraction,
    BeforeValidator(_exact),
    Field(gt=0),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*(/[1-9][0-9]*)?$"}),
]
"""ρ as an exact fraction in lowest terms, such as ``1/200``."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, or 32 random bytes, in hexadecimal."""


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)


class Leaf(Record):
    @property
    def line(self) -> str:
        """Canonical JSON: sorted keys, no spaces, only ASCII."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class ChargeLeaf(Leaf):
    """What one block has paid for one series, or for one edition outside any: spent, and never given back."""

    kind: Literal["charge"] = Field("charge", description="`charge`.")
    dataset: str = Field(description="Dataset whose people it concerns.")
    block: str = Field(description="Block of time.")
    rho: Amount = Field(description="ρ that was spent, exact.")
    cap: Amount = Field(description="Most ρ that could be spent in the block, as it was declared then.")
    commitment: Digest = Field(
        description="HMAC-SHA-256 of what it paid for (see `opening`), which is the hash of the series or of the plan, and "
        "`+rN` for revision N above 1. Says nothing until it is opened."
    )


class Opening(Record):
    """Shows what one charge was for."""

    leaf: int = Field(ge=0, description="Number of the charge's line, from 0.")
    opening: Digest = Field(description="Key of the HMAC in the charge's `commitment`.")


class EditionLeaf(Leaf):
    """One published revision of an edition, by the checksum of its files, with the charges that paid for it."""

    kind: Literal["edition"] = Field("edition", description="`edition`.")
    edition: str = Field(pattern=r"^[^/.][^/]*/[^/.][^/]*$", description="Release and period.")
    revision: int = Field(ge=1, description="Number of the revision.")
    sha256: Digest = Field(description="SHA-256 of the edition's `SHA256SUMS`.")
    charges: tuple[Opening, ...] = Field(strict=False, description="Its charges, one for each block that it touches.")
    draws: tuple[Opening, ...] = Field(
        (),
        strict=False,
        description="What other datasets paid, whose records it uses: one for each of them and block; absent where none did.",
        exclude_if=lambda draws: not draws,
    )

    @property
    def path(self) -> str:
        """The revision's folder below the public folder."""
        return f"{self.edition}/r{self.revision}"

    @property
    def opened(self) -> set[int]:
        """Numbers of the lines of every charge that it shows to be its own."""
        return {opening.leaf for opening in (*self.charges, *self.draws)}


class LostLeaf(Leaf):
    """The first line of a log that takes the place of one whose ledger was lost: what was spent before is not in it."""

    kind: Literal["lost"] = Field("lost", description="`lost`; only ever the first line.")
    size: int = Field(ge=1, description="How many lines the log had that cannot go on.")
    root: Digest = Field(description="Root of the hash tree over them.")


OneLeaf = ChargeLeaf | EditionLeaf | LostLeaf
AnyLeaf = Annotated[OneLeaf, Field(discriminator="kind")]
_leaf: TypeAdapter[OneLeaf] = TypeAdapter(AnyLeaf)


class Head(Leaf):
    """A state of the log: how many lines it had, and the root of the hash tree over them."""

    size: int = Field(ge=0, description="Number of lines.")
    root: Digest = Field(description="Root of the hash tree (RFC 9162) over them.")

    def __str__(self) -> str:
        return f"{self.size}:{self.root}"


class PublishedHead(Head):
    """A line of `heads.jsonl`: the head after an edition was published."""

    edition: str = Field(description="The edition's folder: release, period and revision.")


def read_leaf(line: str, number: int) -> OneLeaf:
    """A leaf from its line, which must be written as ``line`` writes it; ``number`` counts from 0.

    Raises:
        HistoryError: it is no leaf.
    """
    try:
        leaf = _leaf.validate_python(json.loads(line))
    except (ValueError, ValidationError, RecursionError):
        leaf = None
    if leaf is None or leaf.line != line or (isinstance(leaf, LostLeaf) and number > 0):
        raise HistoryError(
            f"{LOG}: line {number + 1} is no charge and no edition. Whoever publishes must restore the log."
        )
    return leaf


def drawn_key(key: str, block: str) -> str:
    """The key of what another dataset pays for one block of a charge."""
    return f"{key}@{block}"


def key_text(*, series_hash: str, plan_hash: str, series: bool, revision: int) -> str:
    """What a charge pays for, as it is committed to: the ledger's own key of charges."""
    key = series_hash if series else plan_hash
    return key if revision == 1 else f"{key}+r{revision}"


def opening_of(secret: str, *, dataset: str, key: str, block: str) -> str:
    """The key of a charge's commitment: 32 bytes that follow from the ledger's secret and what is charged, nothing else."""
    said = json.dumps([dataset, key, block], separators=(",", ":"))
    return hmac.new(secret.encode(), said.encode(), hashlib.sha256).hexdigest()


def commitment_of(opening: str, key: str) -> str:
    """What stands in the log in the place of ``key`` until the opening is known."""
    return hmac.new(bytes.fromhex(opening), key.encode(), hashlib.sha256).hexdigest()
