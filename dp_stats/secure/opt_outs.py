"""The one choke point: people who opted out are removed here, before anything else reads the rows.

Fails closed. A list that is missing, unreadable, without its column or with an empty identifier stops the run.
A list with a header and nobody on it is a list: nobody opted out. How many were removed is never told.

Whether the run stops depends on the list alone, never on whose rows there are.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from dp_stats.catalogue.models import Dataset, Identifier, OptOuts
from dp_stats.errors import DpStatsError, OptOutError, SourceError
from dp_stats.secure.database import quoted, run, trimmed
from dp_stats.secure.identifiers import loose_key, person_sql
from dp_stats.secure.source_table import Opening, SourceTable
from dp_stats.secure.sources import open_source
from dp_stats.settings import Settings

STOPPED = "Nothing is pulled without the opt-out list."


def without_opted_out(
    connection: duckdb.DuckDBPyConnection, rows: str, dataset: Dataset, *, scratch: Path, settings: Settings
) -> str:
    """Wrap the canonical rows in a SELECT that leaves out everyone on the dataset's opt-out list.

    Identifiers are compared in their declared spelling. Where none is declared, they are compared without regard to case,
    spaces, dashes and other separators, leading zeros and a '.0'. A dataset whose law provides for no opt-outs
    (``opt_outs: null``) keeps its rows as they are.

    Args:
        connection: the database the rows will be read with; the list is loaded into it.
        rows: a SELECT of canonical rows.
        dataset: says where the list is. scratch: a private folder. settings: for paths.

    Raises:
        OptOutError: the list cannot be trusted to be whole, or has an entry that is no valid identifier.
    """
    if dataset.opt_outs is None:
        return rows
    unit = dataset.privacy_unit.column
    written = dataset.columns[unit].identifier
    load_list(
        connection,
        dataset.opt_outs,
        written,
        named="opted_out",
        rule=f"columns.{unit}.identifier of dataset '{dataset.id}'",
        scratch=scratch,
        settings=settings,
    )
    return left_in(rows, unit, written, listed="opted_out")


def left_in(rows: str, person: str, written: Identifier | None, *, listed: str) -> str:
    """The rows without those of whoever is listed.

    Args:
        rows: a SELECT with the column ``person``. listed: a table expression of what ``load_list`` loaded.
    """
    key = loose_key if written is None else str
    return f"SELECT * FROM ({rows}) AS everyone ANTI JOIN {listed} AS listed ON listed.person = {key(f'everyone.{quoted(person)}')}"


def load_list(
    connection: duckdb.DuckDBPyConnection,
    declared: OptOuts,
    written: Identifier | None,
    *,
    named: str,
    rule: str,
    scratch: Path,
    settings: Settings,
) -> None:
    """Load an opt-out list into the temporary table ``named``: column ``person``, and ``absent``, which is false.

    Args:
        written: how identifiers are written; rule: where that is declared. scratch: a private folder.

    Raises:
        OptOutError: the list cannot be trusted to be whole, or has an entry that is no valid identifier.
    """
    opened: SourceTable | None = None
    identifier = reason = ""
    try:
        opened = open_source(Opening(connection, declared.source, (declared.column,), scratch, settings))
        identifier = person_sql("c0", opened.types[0], written, where=f"{opened.place}: column '{declared.column}'")
    except SourceError as error:
        reason = str(error)
    if opened is None or reason:
        raise OptOutError(f"Opt-out list: {reason} {STOPPED}")
    place, listed = opened.place, opened

    def explain(error: str, text: str) -> DpStatsError:
        return OptOutError(f"Opt-out list: {listed.explain(error, text)} {STOPPED}")

    key = loose_key if written is None else str
    run(
        connection,
        f"CREATE TEMP TABLE {named} AS SELECT DISTINCT {key(identifier)} AS person, "
        f"coalesce({trimmed('c0')}, '') = '' AS absent FROM ({opened.sql})",
        explain=explain,
    )
    if opened.changed():
        raise OptOutError(
            f"Opt-out list: {place} changed while it was read. Run again when its delivery has ended. {STOPPED}"
        )
    wrong = connection.execute(f"SELECT bool_and(absent) FROM {named} WHERE person IS NULL").fetchone()
    if wrong and wrong[0]:
        raise OptOutError(
            f"Opt-out list: {place} has a line without '{declared.column}'. Fill it in or remove the line. {STOPPED}"
        )
    if wrong and wrong[0] is not None:
        must = (
            "a number written with an exponent has lost its digits" if written is None else f"it must be {written.rule}"
        )
        raise OptOutError(
            f"Opt-out list: {place}: column '{declared.column}' has an entry that is no valid identifier: {must} "
            f"({rule}). Correct the list at its source. {STOPPED}"
        )
