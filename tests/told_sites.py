"""Small sites with a public log: editions whose facts a real ledger gives, without tables, to be read and tampered with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from english import TEXTS
from ledger_examples import Clock, dataset, measured, new_ledger, plan, publish, reserve

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.edition import BudgetFacts, Edition, LogFacts
from dp_stats.editions.revisions import refresh_status
from dp_stats.ledger import Account, Ledger
from dp_stats.outlets.dcat import dcat
from dp_stats.outlets.public_log import refresh_log
from dp_stats.transparency.history import History
from dp_stats.transparency.leaves import HEADS, LOG

CAP = Fraction("0.2")


class ToldSite:
    """A ledger and the public folder that it tells of."""

    def __init__(self, folder: Path, base: Edition) -> None:
        """``base``: any edition's facts; what this site's editions say of their cost takes the place of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        self.public = folder / "public"
        self.public.mkdir()
        self.clock = Clock()
        self.ledger: Ledger = new_ledger(folder, self.clock)
        self.base = base

    @classmethod
    def copy_of(cls, other: ToldSite, folder: Path) -> Self:
        """The same site in another folder."""
        shutil.copytree(other.public.parent, folder, dirs_exist_ok=True)
        site = cls.__new__(cls)
        site.public, site.clock, site.base = folder / "public", other.clock, other.base
        site.ledger = Ledger.open(folder / "ledger.db", clock=other.clock)
        return site

    def spend(self, period: str, *, release: str, public: bool = True, revision: int = 1, **options: Any) -> None:
        """Measure an edition; if it is ``public``, publish it and tell of it."""
        self.clock.forward(seconds=1)
        wanted = plan(period, release=release, **options)
        reason = {"reason": "a mistake", "revision": revision} if revision > 1 else {}
        measured(self.ledger, wanted, dataset=dataset(rho=str(CAP)), **reason)
        if public:
            account = self.ledger.disclose(wanted.edition, revision)
            sums = self.write(self.described(wanted, account, revision))
            publish(self.ledger, wanted.edition, revision=revision, checksums=sums)
            self.refresh()
        else:
            publish(self.ledger, wanted.edition, revision=revision)

    def hold(self, period: str, *, release: str) -> None:
        """Reserve an edition, and give it back: nothing was spent."""
        made = reserve(self.ledger, plan(period, release=release), dataset=dataset(rho=str(CAP)))
        self.ledger.void(made, "not wanted")

    def described(self, wanted: Any, account: Account, revision: int) -> Edition:
        """The facts of an edition that cost what ``account`` says."""
        assert account.log is not None
        base, blocks = self.base, wanted.blocks
        shown = tuple(
            BudgetFacts(block=b.block, cap=b.cap, spent=b.spent, remaining=b.remaining) for b in account.blocks
        )
        parts: dict[str, Any] = {
            "release": {"id": wanted.release},
            "dataset": {"id": wanted.dataset},
            "period": {"label": wanted.period},
            "revision": {"number": revision, "supersedes": revision - 1 if revision > 1 else None},
            "guarantee": {"rho": wanted.rho, "blocks": blocks, "series": wanted.series},
            "provenance": {"plan_hash": wanted.hash, "series_hash": wanted.series_hash},
        }
        facts = {name: getattr(base, name).model_copy(update=update) for name, update in parts.items()}
        log = LogFacts(size=account.log.size, root=account.log.root)
        return base.model_copy(update={**facts, "budget": shown, "charges": account.charges, "log": log})

    def write(self, edition: Edition) -> bytes:
        """Write an edition's folder; returns its ``SHA256SUMS``."""
        folder = self.public / edition.path
        folder.mkdir(parents=True, exist_ok=True)
        contents = {"edition.json": edition.to_json().encode()}
        sums = formats.checksums(contents)
        for name, content in {**contents, formats.CHECKSUMS: sums}.items():
            (folder / name).write_bytes(content)
        return sums

    def refresh(self) -> None:
        """Bring the log, statuses and the catalogue up to date."""
        refresh_log(self.public, self.ledger.log)
        found = [Edition.load(path.parent) for path in sorted(self.public.glob("*/*/r*/edition.json"))]
        for edition in found:
            refresh_status(self.public, edition.release.id, edition.period.label)
        newest = list({edition.release.id: edition for edition in found}.values())
        (self.public / "catalog.jsonld").write_bytes(formats.json_bytes(dcat(newest, base_url="", texts=TEXTS)))

    # Tampering

    @property
    def lines(self) -> list[str]:
        return (self.public / LOG).read_text().splitlines()

    def put(self, name: str, lines: Sequence[str]) -> None:
        """Put other lines in the place of a file's."""
        (self.public / name).write_text("".join(f"{line}\n" for line in lines))

    def retell(self, lines: Sequence[str]) -> None:
        """Put another log in place, with heads and proofs that fit it."""
        for name in (LOG, HEADS):
            (self.public / name).unlink()
        for proof in self.public.glob("*/*/*.proof.json"):
            proof.unlink()
        refresh_log(self.public, lambda: lines)

    def edit(self, path: str, change: Callable[[dict[str, Any]], None], *, fitting: bool) -> None:
        """Change an edition's facts and its checksums; where ``fitting``, also the log, heads and proofs."""
        folder = self.public / path
        before = files.sha256((folder / formats.CHECKSUMS).read_bytes())
        facts = json.loads((folder / "edition.json").read_text())
        change(facts)
        (folder / "edition.json").write_bytes(formats.json_bytes(facts))
        sums = formats.checksums({"edition.json": (folder / "edition.json").read_bytes()})
        (folder / formats.CHECKSUMS).write_bytes(sums)
        if fitting:
            self.retell([line.replace(before, files.sha256(sums)) for line in self.lines])

    def rewrite(self, lines: Sequence[str]) -> None:
        """Another history altogether: the log, and every edition made to fit it in all that it shows."""
        self.retell(lines)
        for number in list(History.read(self.lines).editions):
            history = History.read(self.lines)  # each edition's checksum changes those that come after
            path, size = history.editions[number].path, number

            def fit(facts: dict[str, Any], history: History = history, size: int = size) -> None:
                facts["log"] = history.head(size).model_dump()
                for budget in facts["budget"]:
                    spent = history.spent("cases", budget["block"], size=size)
                    budget["spent"], budget["remaining"] = str(spent), str(Fraction(budget["cap"]) - spent)

            self.edit(path, fit, fitting=True)
