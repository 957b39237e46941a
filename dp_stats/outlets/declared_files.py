"""What is made of files that an agency supplies beside a code list, each by a declaration of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from dp_stats.errors import CatalogueError


class Declared(Protocol):
    """A declaration of a file about the codes of a list."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def codes(self) -> str:
        """The code list that the file is about."""


D = TypeVar("D", bound=Declared)


def write_each(
    kind: str, read: Callable[[], Iterable[D]], write: Callable[[D], Mapping[str, Any]]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """Write what is made of each declaration; one that is broken takes no other away.

    Args:
        kind: folder of the declarations. read: reads them. write: writes what is made of one, and says where it is.

    Returns:
        What was written by code list; and of declarations that are broken their name and why.
    """
    told: dict[str, Mapping[str, Any]] = {}
    try:
        declared = list(read())
    except CatalogueError as error:
        return told, {kind: str(error)}
    broken: dict[str, str] = {}
    for one in declared:
        try:
            told[one.codes] = write(one)
        except CatalogueError as error:
            broken[f"{kind}/{one.id}"] = str(error)
    return told, broken
