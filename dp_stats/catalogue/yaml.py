"""YAML 1.2 as declarations, requests and texts are written in it: one reader and one writer, so that they agree.

Under YAML 1.2 the codes ON and NO are text, and a field that stands twice is an error. What is written is read back
as it was: a text that looks like a number, a date or a truth value gets its quotes.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError as YAMLError
from ruamel.yaml.representer import SafeRepresenter

_FORMER_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Characters that end a line in YAML 1.1, so in libyaml, and in YAML 1.2 no longer."""
_WORDS = re.compile(r"[A-Za-z][\w ]*[\w]", re.ASCII)


class _Quoting(SafeRepresenter):
    """Everything but plain words stands in double quotes, where every character can be escaped."""

    def represent_text(self, text: str) -> Any:
        """A text; words that mean something in YAML, such as true, are quoted by the writer itself."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if _WORDS.fullmatch(text) else '"')


_Quoting.add_representer(str, _Quoting.represent_text)


def parse(text: str) -> Any:
    """What a YAML text says, as plain dictionaries, lists, texts, numbers and dates.

    Raises:
        YAMLError: it is no YAML; ``problem`` and ``problem_mark`` say what and where.
    """
    if not _FORMER_BREAKS.search(text):
        try:
            return YAML(typ="safe").load(
                text
            )  # scanned by libyaml, five times as fast; what a word means stays YAML 1.2
        except YAMLError:  # libyaml refuses some of YAML 1.2, such as an address without quotes between braces
            pass
    return YAML(typ="safe", pure=True).load(text)


def write_on_one_line(content: Any) -> str:
    """Plain content as YAML in one line, to stand behind a field and before a comment."""
    return write([content], flow=True, width=1_000_000).strip()[1:-1]


def write(content: Any, *, flow: bool = False, width: int = 120) -> str:
    """Plain content as a YAML text, in the order it is in, that ``parse`` reads back as it was."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Quoting
    yaml.default_flow_style = flow
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel takes a truth value
    yaml.allow_unicode = True
    yaml.width = width
    stream = StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()
