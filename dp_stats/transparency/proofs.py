"""The proof of one edition: that its line and its charges' lines are in the log, checkable with one head alone."""

from __future__ import annotations

from pydantic import Field, ValidationError

from dp_stats.errors import HistoryError
from dp_stats.transparency.history import History
from dp_stats.transparency.leaves import Digest, Head, PublishedHead, Record
from dp_stats.transparency.merkle import leaf_hash, root_by


class ProvenLine(Record):
    """One line of the log with the hashes that lead from it to the root."""

    number: int = Field(ge=0, description="Number of the line, from 0.")
    line: str = Field(description="The line itself.")
    path: tuple[Digest, ...] = Field(strict=False, description="Inclusion proof of RFC 9162, nearest hash first.")


class EditionProof(Record):
    """What `rN.proof.json` holds: the head after the edition was published, and proofs of its own line and its charges'."""

    head: PublishedHead = Field(description="The head that the proofs lead to.")
    lines: tuple[ProvenLine, ...] = Field(strict=False, description="The edition's own line first, then its charges'.")

    def check(self) -> None:
        """Check that every line leads to the head's root.

        Raises:
            HistoryError: one does not.
        """
        for proven in self.lines:
            steps = [bytes.fromhex(step) for step in proven.path]
            leaf = leaf_hash(proven.line.encode())
            root = root_by(steps, leaf=leaf, index=proven.number, size=self.head.size)
            if root is None or root.hex() != self.head.root:
                raise HistoryError(
                    f"The proof of {self.head.edition} does not lead from line {proven.number + 1} to its head."
                )


def proof_of(history: History, number: int) -> EditionProof:
    """The proof of the edition in a line of a log, against the head that its publication made."""
    edition = history.editions[number]
    size = number + 1
    wanted = (number, *(opening.leaf for opening in edition.charges))
    return EditionProof(
        head=PublishedHead(size=size, root=history.roots[size], edition=edition.path),
        lines=tuple(
            ProvenLine(number=n, line=history.lines[n], path=tuple(history.path(n, size=size))) for n in wanted
        ),
    )


def read_proof(content: bytes, name: str) -> EditionProof:
    """A proof from its file.

    Raises:
        HistoryError: it is none.
    """
    try:
        return EditionProof.model_validate_json(content)
    except ValidationError:
        raise HistoryError(f"{name} is no proof. Whoever publishes must restore it.") from None


def head_in(proof: EditionProof) -> Head:
    """The head that a proof leads to, without the edition that made it."""
    return Head(size=proof.head.size, root=proof.head.root)
