"""Write the public log: ``log.jsonl``, ``heads.jsonl``, and beside each edition its proof. Only ever appended to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.latest import folder_lock
from dp_stats.errors import LedgerError
from dp_stats.transparency.history import History, goes_on, replaces
from dp_stats.transparency.leaves import HEADS, LOG, proof_name
from dp_stats.transparency.proofs import proof_of


def refresh_log(public: Path, lines: Callable[[], Sequence[str]]) -> int:
    """Bring the public log up to date with the ledger; what is there is never changed.

    Args:
        lines: the log as it follows from the ledger, up to its last public edition; asked while no other publisher writes.

    Returns:
        How many lines were added.

    Raises:
        LedgerError: the log that is there is not the beginning of the ledger's.
    """
    with folder_lock(public):
        wanted = list(lines())
        _set_aside(public, wanted)
        there = published_lines(public)
        refuse_another(there, wanted)
        history = History.read(wanted)
        for number, edition in history.editions.items():
            proof = public / edition.edition / proof_name(edition.revision)
            if number >= len(there) or not proof.is_file():
                content = formats.json_bytes(proof_of(history, number).model_dump(mode="json"))
                files.replace_file(proof, content, durable=True)
        if wanted:
            files.replace_file(public / LOG, _text(wanted), durable=True)  # before the heads, which speak of it
            files.replace_file(public / HEADS, _text([head.line for head in history.heads()]), durable=True)
        return len(wanted) - len(there)


def _set_aside(public: Path, wanted: Sequence[str]) -> None:
    """Rename the log of a ledger that was lost, where the ledger of today says that it takes its place."""
    lost = History.read(wanted[:1]).lost
    if lost is None or not replaces(published_lines(public), wanted):
        return
    for name in (HEADS, LOG):
        if (public / name).exists():
            (public / name).rename(public / name.replace(".", f".{lost.root[:12]}.", 1))


def published_lines(public: Path, name: str = LOG) -> list[str]:
    """The lines of the log (or of its heads) in a public folder; none if there is no log."""
    path = public / name
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def is_told(public: Path, *, log: bytes, heads: bytes) -> bool:
    """Whether a public folder's log goes on from the log and the heads that readers of a target have seen."""
    here, seen = published_lines(public), heads.decode().splitlines()
    lost = History.read(here[:1]).lost
    heads_go_on = published_lines(public, HEADS)[: len(seen)] == seen
    heads_of_lost = lost is not None and lost.root in "".join(seen[-1:])
    return goes_on(log.decode().splitlines(), here) and (heads_go_on or heads_of_lost)


def refuse_another(there: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a published log that the ledger does not go on from.

    Raises:
        LedgerError: a line differs, or the published log is longer.
    """
    if list(there) != list(wanted[: len(there)]):
        same = next((n for n, (one, two) in enumerate(zip(there, wanted, strict=False)) if one != two), len(wanted))
        raise LedgerError(
            f"The public log ({LOG}) is not the beginning of what the ledger tells: from line {same + 1} on they differ. Readers "
            "would see that history was rewritten, so nothing was written. Restore the log from a copy of the site, or the "
            "ledger from its newest backup. Only if the ledger was lost for ever, see 'A lost "
            "ledger' in docs/explanation/ledger.md."
        )


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
