"""A person's identifier as one text, however it was written: the same for rows, opt-out lists, register and links.

Tools spoil identifiers: a number read as a fraction gets '.0', a long one an exponent, people put in spaces and
dashes. What can be read is read as the one identifier it was; what cannot (an exponent has lost its digits) is nobody's.
"""

from __future__ import annotations

import re

from dp_stats.catalogue.identifiers import Identifier
from dp_stats.errors import SourceError
from dp_stats.secure.database import literal, trimmed

FRACTION = "([0-9]+)[.]0+"
LOST = "[0-9]+[.][0-9]+[eE][+-]?[0-9]+|[0-9]+[eE][+][0-9]+"
PLAIN = "[1-9a-z][0-9a-z]*"
SEPARATORS = r"[\p{P}\p{S}\p{Z}\p{C}]"
DIGITS = 10


def person_sql(value: str, kind: str, identifier: Identifier | None, *, where: str) -> str:
    """An identifier in its one spelling; null where there is none, or none that is valid.

    Without a declaration: trimmed text in Unicode normal form C, a whole number without its '.0', and null for a number
    whose digits an exponent has lost. With one: what it takes out is taken out, and what does not fit then is null.

    Args:
        value: SQL of the value; kind: its type in DuckDB. where: what an error should call it.

    Raises:
        SourceError: the column holds fractions or dates, which have more than one spelling.
    """
    scaled = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", kind)
    if kind in ("FLOAT", "DOUBLE") or (scaled and scaled[1] != "0") or kind.startswith(("DATE", "TIME")):
        raise SourceError(
            f"{where} has type {kind}, but holds identifiers. Store them as text or whole numbers, as in other tables."
        )
    text = f"nfc_normalize({trimmed(value)})"
    spoilt = f"contains({text}, '.') OR contains({text}, '+')"
    whole = (
        f"(CASE WHEN {spoilt} THEN CASE WHEN regexp_full_match({text}, '{LOST}') THEN NULL "
        f"ELSE regexp_replace({text}, '^{FRACTION}$', '\\1') END ELSE {text} END)"
    )
    if identifier is None:
        return f"nullif({whole}, '')"
    declared = identifier.spelt_out
    for character in declared.remove:
        whole = f"replace({whole}, {literal(character)}, '')"
    if declared.case is not None:
        whole = f"{declared.case}({whole})"
    fits = f"regexp_full_match({whole}, {literal(declared.pattern or '')})"
    if declared.check == "mod11":
        fits += f" AND {_mod11(whole)}"
    return f"(CASE WHEN {fits} THEN nullif({whole}, '') END)"


def loose_key(person: str) -> str:
    """What two spellings of one identifier have in common: no case, separators or leading zeros.

    Whoever shares it with an entry of an opt-out list counts as listed, where no declaration says how identifiers
    are written: rather one person too many left out than someone who opted out left in.
    """
    low = f"lower({person})"
    bare = f"ltrim(regexp_replace({low}, {literal(SEPARATORS)}, '', 'g'), '0')"
    return f"(CASE WHEN regexp_full_match({low}, '{PLAIN}') THEN {low} ELSE coalesce(nullif({bare}, ''), {low}) END)"


def _mod11(text: str) -> str:
    """Whether ten digits have their check digit: Σ (11 − i)·dᵢ over all ten, the tenth with weight 1, is a multiple of 11.

    That is the rule of the NHS Data Dictionary (11 less the remainder of the weighted nine, 11 read as 0, 10 invalid).
    """
    digits = " + ".join(f"{DIGITS + 1 - i} * (unicode({text}[{i}]) - 48)" for i in range(1, DIGITS + 1))
    return f"regexp_full_match({text}, '[0-9]{{{DIGITS}}}') AND ({digits}) % 11 = 0"
