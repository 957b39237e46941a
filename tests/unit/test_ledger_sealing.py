"""Each part of what an edition is made from is kept once, under its hash; a damaged or a foreign one is noticed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ledger_examples import dataset, new_ledger, plan, reserve, sealed
from sqlalchemy import Connection, text

from dp_stats.errors import LedgerError
from dp_stats.files import sha256
from dp_stats.ledger import sealing

LEAVES = {sha256(leaf): leaf for leaf in (f'{{"parts":["leaf {n}"]}}'.encode() for n in range(7))}
"""What names parts, but is no document here."""

NAMES = sorted(LEAVES)


def document(*names: str) -> bytes:
    return json.dumps({"parts": names}).encode()


ONE, TWO = document(*NAMES[:3]), document(*NAMES[2:5])
ALL = {**LEAVES, sha256(ONE): ONE, sha256(TWO): TWO}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A ledger that holds two documents, which share a part, and two parts that neither names."""
    with new_ledger(tmp_path)._database.write() as connection:
        for trigger in ("ledger_parts_update", "ledger_parts_delete"):
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        sealing.keep(connection, ALL)
        yield connection


def damage(connection: Connection, name: str, content: bytes | str | None) -> None:
    """Put other bytes in the place of a part, or none."""
    if content is None:
        connection.execute(text("DELETE FROM ledger_parts WHERE hash = :name"), {"name": name})
    else:
        packed = zlib.compress(content) if isinstance(content, bytes) else content
        connection.execute(
            text("UPDATE ledger_parts SET content = :packed WHERE hash = :name"), {"name": name, "packed": packed}
        )


def test_a_part_is_kept_once_compressed_with_its_size(connection: Connection) -> None:
    new = b"[" + b"0," * 500 + b"0]"
    sealing.keep(connection, {sha256(new): new, **ALL})
    rows = connection.execute(text("SELECT hash, size, content FROM ledger_parts")).all()
    kept = {name: (size, zlib.decompress(content)) for name, size, content in rows}
    assert kept == {name: (len(part), part) for name, part in {**ALL, sha256(new): new}.items()}
    assert len(rows) == len(kept)
    assert max(len(content) for _, _, content in rows) < 200


def test_a_part_under_another_hash_is_not_kept(connection: Connection) -> None:
    with pytest.raises(LedgerError, match="does not have the hash it is named by"):
        sealing.keep(connection, {"0" * 64: b"{}"})


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_documents_are_found_with_what_they_name_and_what_is_asked_for(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(sealing, "_AT_ONCE", at_once)
    found = sealing.closure(connection, (sha256(ONE), sha256(TWO)), leaves=iter(NAMES[5:6]))
    assert found == {name: part for name, part in ALL.items() if name != NAMES[6]}
    assert sealing.closure(connection, [sha256(TWO)]) == {
        sha256(TWO): TWO,
        **{name: LEAVES[name] for name in NAMES[2:5]},
    }
    assert sealing.closure(connection, ()) == {}


@pytest.mark.parametrize("harmed", [sha256(ONE), NAMES[0], NAMES[5]])
@pytest.mark.parametrize("content", [None, b"{}", "text", b""])
def test_a_part_that_is_missing_or_altered_is_never_handed_out_unless_that_is_asked_for(
    connection: Connection, harmed: str, content: bytes | str | None
) -> None:
    wanted = {sha256(ONE): ONE, **{name: LEAVES[name] for name in (*NAMES[:3], NAMES[5])}}
    damage(connection, harmed, content)
    with pytest.raises(LedgerError, match="is missing or was altered"):
        sealing.closure(connection, [sha256(ONE)], leaves=[NAMES[5]])
    if harmed == sha256(ONE):
        del wanted[NAMES[0]], wanted[NAMES[1]], wanted[NAMES[2]]
    wanted[harmed] = content if isinstance(content, bytes) else b""
    if content is None:
        del wanted[harmed]
    assert sealing.closure(connection, [sha256(ONE)], leaves=[NAMES[5]], missing=True) == wanted


def test_an_altered_document_names_nothing(connection: Connection) -> None:
    damage(connection, sha256(ONE), TWO)
    assert sealing.closure(connection, [sha256(ONE)], missing=True) == {sha256(ONE): TWO}


@pytest.mark.parametrize("content", [b"no zlib", "a text", None, 7])
def test_what_cannot_be_unpacked_is_empty(content: object) -> None:
    assert sealing.unpacked(content) == b""
    assert sealing.unpacked(zlib.compress(b"whole")) == b"whole"


def problems(connection: Connection) -> list[str]:
    return list(sealing.problems(connection, [sha256(ONE), sha256(TWO)], iter(NAMES[5:])))


def test_a_whole_set_of_parts_has_no_problem(connection: Connection) -> None:
    assert problems(connection) == []


def test_every_part_that_is_altered_missing_or_foreign_is_named(connection: Connection) -> None:
    damage(connection, NAMES[5], b"altered")
    damage(connection, NAMES[0], b"altered")
    damage(connection, NAMES[6], None)
    damage(connection, NAMES[3], None)
    foreign = {sha256(part): part for part in (b"one", b"two")}
    sealing.keep(connection, foreign)
    assert problems(connection) == [
        *(f"part {name[:12]} of what is kept of an edition was altered" for name in (NAMES[0], NAMES[5])),
        *(f"part {name[:12]} of what is kept of an edition is missing" for name in (NAMES[3], NAMES[6])),
        *(f"part {name[:12]} belongs to no edition" for name in sorted(foreign)),
    ]


@pytest.mark.parametrize(("content", "kind"), [(document("0" * 64), "was altered"), (None, "is missing")])
def test_a_lost_document_is_named_and_what_an_altered_one_names_is_not_wanted(
    connection: Connection, content: bytes | None, kind: str
) -> None:
    damage(connection, sha256(ONE), content)
    assert problems(connection) == [
        f"part {sha256(ONE)[:12]} of what is kept of an edition {kind}",
        *(f"part {name[:12]} belongs to no edition" for name in NAMES[:2]),
    ]


def test_the_plan_of_a_reservation_is_read_back_and_none_that_was_not_kept(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    wanted = plan(series="weekly")
    made = reserve(ledger, wanted)
    again = ledger.sealed(made)
    assert (again.plan, again.aside, again.parts) == (wanted, sealed(wanted).aside, sealed(wanted).parts)
    with pytest.raises(LedgerError, match=r"weekly/2021-W07 \(revision 1\) was reserved by an earlier version"):
        ledger.sealed(replace(made, aside=""))
    with ledger._database.write() as connection:
        connection.execute(text("DROP TRIGGER ledger_parts_delete"))
        damage(connection, made.aside, None)
    with pytest.raises(LedgerError, match="A part of a sealed plan is missing"):
        ledger.sealed(made)


def test_what_was_sealed_before_there_were_audiences_is_public_and_what_was_not_sealed_has_none(
    connection: Connection,
) -> None:
    declared = [
        json.dumps(said).encode() for said in ({"id": "before"}, {"audience": "public"}, {"audience": "restricted"})
    ]
    plans = [json.dumps({"parts": [sha256(one)], "declared": sha256(one)}).encode() for one in declared]
    sealing.keep(connection, {sha256(part): part for part in (*declared, *plans)})
    made: list[Any] = [SimpleNamespace(id=n, plan_hash=sha256(one), aside="0" * 64) for n, one in enumerate(plans)]
    made.append(SimpleNamespace(id=9, plan_hash="not kept", aside=None))
    assert sealing.audiences(connection, made) == {0: "public", 1: "public", 2: "restricted"}


def test_the_series_of_a_release_are_known_newest_first_with_the_blocks_they_paid_for(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    rich = dataset(rho="1")
    plans = {name: plan(f"2021-W0{n}", series=name) for n, name in enumerate(("one", "two", "three"), start=1)}
    for wanted in plans.values():
        reserve(ledger, wanted, dataset=rich, new_series=True)
    reserve(ledger, plan("2021-W53", series="one", blocks=["2021", "2022"]), dataset=rich)
    reserve(ledger, plan("2021-W01", series="one"), dataset=rich, revision=2, reason="late rows")
    reserve(ledger, plan("2021-W09", rho=Fraction(1, 10)), dataset=rich)
    reserve(ledger, plan("2021-W10", release="monthly", series="four"), dataset=rich)
    hashes = {name: wanted.series_hash for name, wanted in plans.items()}
    found = ledger.series("weekly", dataset="cases")
    assert [(known.series.hash, known.paid) for known in found] == [
        (hashes["three"], {"2021"}),
        (hashes["two"], {"2021"}),
        (hashes["one"], {"2021", "2022"}),
    ]
    for blocks in (["2022"], ["2021", "2022"]):
        first, *others = ledger.series("weekly", dataset="cases", blocks=blocks)
        assert first.series.hash == hashes["one"], "it has paid for all of them"
        assert [known.series.hash for known in others] == [hashes["three"], hashes["two"]]
    renamed = ledger.series("weekly", dataset="cases", formerly=("monthly", "daily"))
    assert [known.series.hash for known in renamed[1:]] == [hashes["three"], hashes["two"], hashes["one"]]
    assert renamed[0].series.hash == plan("2021-W10", release="monthly", series="four").series_hash
    with ledger._database.read() as connection:
        made = [r for r in (ledger.latest(w.edition) for w in plans.values()) if r is not None]
        made[1] = replace(made[1], aside="")
        later = sealing.known_series(connection, [*made, replace(made[0], revision=2, key="another")])
    assert [known.series.hash for known in later] == [hashes["three"], hashes["one"]]
