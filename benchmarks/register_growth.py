"""How the contribution register grows with persons and editions: seconds, memory and bytes, from made-up rows.

    python -m benchmarks.register_growth [--persons 1 5 10] [--editions 52] [--share 0.1] [--before FOLDER]

Persons in millions; in each edition a ``share`` of them has a row (1: all of them, the worst case). Each edition runs in a
process of its own, as in production: it opens the engine, reads what the others used, bounds its rows by what is left, and
registers. Printed are processor seconds and peak memory of the edition, the bytes of a person in a file, and the ratios
of the last edition to the first. ``--before``: a checkout of another version, which does the same with the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

K, CAP = 12, 12


@dataclass
class Entries:
    """The ledger's list of entries, in a file; every edition but the one that runs is stored."""

    path: Path

    @property
    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.path.read_text()) if self.path.exists() else []
        return found

    def register_entries(self, reservation: Any) -> list[Any]:
        """Every entry."""
        return [SimpleNamespace(**entry) for entry in self.listed]

    def reservation(self, edition: str, revision: int) -> Any:
        """The reservation of an edition."""
        ids = [entry["reservation"] for entry in self.listed if entry["edition"] == edition]
        return SimpleNamespace(id=ids[0], state="stored", blocks=("lifetime",)) if ids else None

    def register_entry(self, reservation: Any, *, expected: int, digest: str) -> bool:
        """Append an entry."""
        listed = self.listed
        about = {"edition": reservation.edition, "revision": 1, "reservation": reservation.id}
        self.path.write_text(json.dumps([*listed, {**about, "digest": digest, "replaced": False}]))
        return True


SNAPSHOT = """
COPY (
  SELECT 'P' || lpad(i::TEXT, 9, '0') AS person, 0::INTEGER AS block, DATE '2024-01-01' + (i % 7)::INTEGER AS day,
    'A' || (i % 400) AS at_0
  FROM range({persons}) AS t(i) WHERE hash(i, {edition}) % 1000 < {share} * 1000
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def make(path: Path, *, persons: int, share: float, edition: int) -> None:
    """Write the rows of one edition."""
    import duckdb

    duckdb.connect(config={"memory_limit": "1GB", "preserve_insertion_order": False}).execute(
        SNAPSHOT.format(persons=persons, edition=edition, share=share, path=path)
    )


def enter(home: Path, snapshot: Path, edition: int) -> dict[str, float]:
    """Register one edition in this process."""
    from dp_stats.secure.bound import Bound, apply_bound
    from dp_stats.secure.engines import open_snapshot
    from dp_stats.secure.register import Register
    from dp_stats.secure.rows import Rows
    from dp_stats.secure.staging import secure_folder
    from dp_stats.settings import load_settings

    settings = load_settings({"DP_STATS_HOME": str(home)})
    secure_folder(settings.secure)
    reservation: Any = SimpleNamespace(dataset="d", key="k", edition=f"e{edition}", revision=1, id=edition)
    plan: Any = SimpleNamespace(
        release="r", blocks=("lifetime",), contribution_rows=K, truncated_rows_cap=CAP, one_per_cell=False
    )
    bound = Bound(K, False, CAP, key="key")
    register = Register(
        settings.secure,
        ledger=Entries(home / "entries.json"),  # type: ignore[arg-type]
        reservation=reservation,
        plan=plan,
        key=b"k" * 32,
    )
    with open_snapshot(snapshot, engine="duckdb", settings=settings) as (backend, table):
        rows = Rows(table, {"area": "at_0"}, {}, ("lifetime",))
        began, wall = time.process_time(), time.perf_counter()

        def bounded(allowances: Any) -> Any:
            nothing: Any = None  # no rule of cells, so no grid
            return apply_bound(backend, rows, bound, grid=nothing, period=nothing, allowances=allowances)

        register.enter(backend, rows, bounded)
        spent = time.process_time() - began
        waited = time.perf_counter() - wall
        if hasattr(register, "close"):
            register.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": spent, "wall": waited, "gigabytes": peak}


def series(options: argparse.Namespace, millions: float, tree: Path | None) -> list[dict[str, Any]]:
    """Every edition of a series, one after the other."""
    persons, found = int(millions * 1e6), []
    with tempfile.TemporaryDirectory(prefix="register-", dir=options.folder) as folder:
        for edition in range(options.editions):
            snapshot = Path(folder) / "rows.parquet"
            told = {"persons": persons, "share": options.share, "edition": edition}
            _child("make", {"path": str(snapshot), **told}, None)
            one = _child("enter", {"home": folder, "snapshot": str(snapshot), "edition": edition}, tree)
            files = [*(Path(folder) / "secure" / "register").rglob("*.parquet")]
            sums = [*(Path(folder) / "secure").glob("register-sums/**/*.parquet")]
            size = sum(path.stat().st_size for path in files)
            found.append(
                {
                    **one,
                    "bytes of a person": size / (persons * options.share * (edition + 1)),
                    "sums": sum(path.stat().st_size for path in sums) / persons,
                }
            )
            if edition in (0, 1, 7, 8, 9, 15, 16, 25, 33, options.editions - 2, options.editions - 1):
                print(f"  edition {edition + 1:3} {_told(found[-1])}", flush=True)
    return found


def _told(one: dict[str, Any]) -> str:
    return (
        f"{one['seconds']:7.1f} s of processor {one['wall']:7.1f} s of wall {one['gigabytes']:6.2f} GB peak "
        f"{one['bytes of a person']:6.1f} bytes a person and edition {one['sums']:6.1f} bytes a person in sums"
    )


def _child(what: str, told: dict[str, Any], tree: Path | None) -> dict[str, float]:
    environment = {**os.environ, **({"PYTHONPATH": str(tree)} if tree else {})}
    command = [sys.executable, __file__, "--child", what, json.dumps(told)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _as_child(what: str, told: dict[str, Any]) -> None:
    if what == "make":
        make(Path(told.pop("path")), **told)
        print("{}")
    else:
        print(json.dumps(enter(Path(told["home"]), Path(told["snapshot"]), told["edition"])))


def main() -> int:
    """Run every size; with another version, one after the other on the same rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", nargs="*", type=float, default=[1, 5, 10], help="millions")
    parser.add_argument("--editions", type=int, default=52)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--before", type=Path, help="a checkout of another version")
    parser.add_argument("--folder", type=Path, help="where files lie while it runs")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _as_child(options.child[0], json.loads(options.child[1]))
        return 0
    for millions in options.persons:
        taken = []
        for tree in [*([options.before] if options.before else []), None]:
            print(f"{millions:g} million persons, {options.share:g} of them in each edition, {tree or 'this version'}:")
            found = series(options, millions, tree)
            total, peak = sum(one["seconds"] for one in found), max(one["gigabytes"] for one in found)
            first, last = found[1]["seconds"], found[-1]["seconds"]
            print(
                f"  in all {total:.1f} s, peak {peak:.2f} GB; the last edition takes {last / first:.2f} times the second"
            )
            taken.append((total, last, peak))
        if options.before:
            ratios = [new / old for old, new in zip(*taken, strict=True)]
            print(
                "  this version to the other: {:.2f} of the seconds, {:.2f} in the last edition, {:.2f} of the peak".format(
                    *ratios
                )
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
