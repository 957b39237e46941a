"""Revisions that add late rows: an edition publishes the periods before it again, from measurements that it has stored.

Nothing is drawn and nothing charged. Each revision names the editions whose late rows it adds, and its description in the
ledger keeps that, so its files are made again byte for byte; files of earlier revisions stay as they are.
"""

from __future__ import annotations

from datetime import date

from dp_stats.catalogue import parse_period
from dp_stats.editions import reasons
from dp_stats.editions.description import MadeOf, sources_in
from dp_stats.editions.publication import Check, PublishedEdition
from dp_stats.estimate import estimator
from dp_stats.late_windows import is_open, left_open, open_from
from dp_stats.ledger import Ledger
from dp_stats.publishing import publish, published_as
from dp_stats.run import Run, open_made
from dp_stats.settings import Settings
from dp_stats.texts.words import Texts


def revise(run: Run, *, check: Check) -> list[PublishedEdition]:
    """Publish each period whose late rows an edition has measured again; what is published already is made whole.

    Args:
        run: the edition, published before. check: run on every table before anything is visible.

    Raises:
        PublishedError: other files bear the name of a revision. QualityError: from ``check``.
    """
    if run.revision > 1:
        followed = _follow(run, run.ledger(), check=check)
        return [followed] if followed is not None else []
    periods = [f"{run.release.id}/{late.label}" for late in reversed(run.plan.late)]
    ledger, since = run.ledger(), open_from(run, run.ledger())
    made = [add_late(edition, run.settings, ledger, also=run.edition, since=since, check=check) for edition in periods]
    closed = [close(*left, run.settings, ledger, check=check) for left in left_open(run, ledger, since=since)]
    return [one for one in (*made, *closed) if one is not None]


def close(edition: str, standing: int, settings: Settings, ledger: Ledger, *, check: Check) -> PublishedEdition | None:
    """Publish a provisional edition again as final, from the same measurements: nothing is added to it any more.

    Args:
        standing: the revision in use.

    Returns:
        The revision; None where another one is under way that will be final itself.
    """
    for number in ledger.revisions(edition):
        if number <= standing:
            continue
        made = published_as(ledger, edition, number)
        if made.measured == number:
            return None  # a correction that has begun
        if _finish(edition, number, made, settings, ledger, check=check) and made.facts.status == "final":
            return publish(_opened(edition, number, made, settings), check=check)
    number, before, texts = (
        ledger.revisions(edition)[-1] + 1,
        published_as(ledger, edition, standing),
        Texts.of(settings),
    )
    why = reasons.from_stored(number, "late", texts("edition.closed"), before=before, texts=texts, status="final")
    return publish(_opened(edition, number, before, settings), check=check, why=why)


def _follow(run: Run, ledger: Ledger, *, check: Check) -> PublishedEdition | None:
    """Publish the newest edition again, if its tables across editions were made from what a correction took the place of.

    Earlier ones stay as they are: the newest edition's tables reach back. What was begun with other facts is finished as it is.
    """
    mine = [p.edition for p in ledger.publications() if p.edition.partition("/")[0] == run.release.id]
    newest = max(mine, key=lambda name: parse_period(name.partition("/")[2]).start, default=run.edition)
    if newest == run.edition or ledger.retractions(newest):
        return None
    number = ledger.revisions(newest)[-1]
    made = published_as(ledger, newest, number)
    described = ledger.description(newest, number)
    if described is None or not _finish(newest, number, made, run.settings, ledger, check=check):
        return None
    taken = {s["edition"]: s.get("revision", 1) for s in sources_in(described.document, described.parts)}
    if taken.get(run.edition, run.revision) == run.revision:
        return None
    texts = Texts.of(run.settings)
    said = texts("across.corrected", period=texts.period(run.period.code, kind=run.release.period))
    why = reasons.from_stored(number + 1, "sources", said, before=made, texts=texts)
    return publish(_opened(newest, number + 1, made, run.settings), check=check, why=why)


def add_late(
    edition: str, settings: Settings, ledger: Ledger, *, since: date, also: str = "", check: Check
) -> PublishedEdition | None:
    """Publish an edition with the late rows that published editions, and ``also``, have measured of it.

    Args:
        since: first day of the periods to which late rows may still be added (``late_windows.open_from``).

    Returns:
        The revision that adds them all, new or made whole; None if nothing is added to the edition (any more).
    """
    adding = late_of(edition, ledger, also=also)
    if not adding or ledger.publication(edition) is None or ledger.retractions(edition):
        return None  # its own run has not published it yet, or it is not to be used any more
    last = 1
    for number in ledger.revisions(edition):
        made = published_as(ledger, edition, number)
        if made.measured == number > 1:
            return None  # a correction counts its late rows anew
        if number == 1 or not _finish(edition, number, made, settings, ledger, check=check):
            continue
        last = number
        if set(adding) <= set(made.adding):
            return publish(_opened(edition, number, made, settings), check=check)
    number, before, texts = ledger.revisions(edition)[-1] + 1, published_as(ledger, edition, last), Texts.of(settings)
    final = not is_open(edition.partition("/")[2], since)
    why = reasons.from_stored(
        number,
        "late",
        _said(adding, ledger, texts),
        before=before,
        texts=texts,
        adding=adding,
        status="final" if final else "provisional",
    )
    run = open_made(edition, revision=number, measured=1, adding=adding, settings=settings)
    return publish(run, check=check, why=why)


def _finish(edition: str, number: int, made: MadeOf, settings: Settings, ledger: Ledger, *, check: Check) -> bool:
    """Whether a revision of stored measurements is published; one that was begun is finished first.

    One that was begun with another version of the method cannot be finished here: nobody has seen it, and nobody will.
    """
    if ledger.publication(edition, number) is None:
        if made.estimator != estimator.VERSION:
            return False
        publish(_opened(edition, number, made, settings), check=check)
    return True


def _opened(edition: str, number: int, made: MadeOf, settings: Settings) -> Run:
    return open_made(edition, revision=number, measured=made.measured, adding=made.adding, settings=settings)


def late_of(edition: str, ledger: Ledger, *, also: str = "") -> tuple[str, ...]:
    """The editions that have measured late rows of another: those that are published, and ``also``; in order of time."""
    reservation = ledger.latest(edition)
    if reservation is None:
        return ()
    found = [
        (sealed.period.start, one.edition)
        for one, sealed in ledger.adding_editions(reservation)
        if one.edition == also or ledger.publication(one.edition) is not None
    ]
    return tuple(name for _, name in sorted(found))


def _said(adding: tuple[str, ...], ledger: Ledger, texts: Texts) -> str:
    """Why late rows are added: the editions that measured them, by their periods."""
    said = []
    for name in adding:
        reservation = ledger.latest(name)
        assert reservation is not None
        sealed = ledger.sealed(reservation)
        said.append(texts.period(sealed.period.code, kind=sealed.release.period))
    return texts("edition.late", periods=texts.listed(said))
