"""What is written as YAML reads back as it was: a text stays a text, whatever it looks like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.requests.asked_release import make_release
from dp_stats.requests.kept import load_request, save_request
from dp_stats.requests.preflight import pure
from dp_stats.requests.questions import read_question
from dp_stats.settings import shipped
from dp_stats.texts.words import Texts

LOOKS_LIKE_SOMETHING_ELSE = (
    *("12e5", "0o17", "1e5", "1_000", "0x1F", "0b1", "007", "+1", "1:20", ".inf", ".nan", "2024-01-01", "12:30:45"),
    *("ON", "no", "true", "null", "~", "", " ", "=", "<<", "-", "?", "!x", "&a", "*a", "#x", "a #b", "a: b", "[", "{"),
    *("\x85", "\u2028", "a\u2029b", "\ufeff", "\t", "\r\n", "\x00", "\x7f", "é😀", "'", '"', "\\", "%", "@", "`"),
)
TEXTS = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=30),
    st.from_regex(r"[+-]?[0-9][0-9_]*([.:eExo][0-9]*)?", fullmatch=True),
    st.sampled_from(LOOKS_LIKE_SOMETHING_ELSE),
)
PLAIN = st.recursive(
    st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@given(PLAIN)
@settings(max_examples=400, deadline=None)
def test_plain_content_reads_back_as_it_was_written(content: Any) -> None:
    back = yaml.parse(yaml.write({"content": content}))["content"]
    assert (back, repr(back)) == (content, repr(content))


def test_an_address_needs_no_quotes_between_braces() -> None:
    assert yaml.parse("{ base: https://a.example/b?c, to: [ s3://d/e ] }") == {
        "base": "https://a.example/b?c",
        "to": ["s3://d/e"],
    }


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_a_text_stays_a_text_as_value_and_as_field(text: str) -> None:
    assert yaml.parse(yaml.write({text: [text, {"x": text}]})) == {text: [text, {"x": text}]}


@pytest.mark.parametrize(
    "analyst", ["12e5", "0o17", "1_000", "2024-01-01", "ON", "null", "~", "0x1F", "1:20", "O'Neil"]
)
def test_a_request_of_an_analyst_of_any_name_reads_back_and_stops_nobody_else(clinic: Any, analyst: str) -> None:
    catalogue = load_catalogue(clinic.folder)
    form = {"dataset": "visits", "by": ["visits/clinic/district"], "period": "2024-01", "epsilon": 1}
    question = read_question({**form, "purpose": "To plan how many nurses are needed."}, catalogue)
    clinic.settings.home.mkdir()
    release = make_release(
        question, catalogue, requested_by=analyst, loss=pure(1), texts=Texts.load(shipped("reports"))
    )
    save_request(release, question, clinic.settings)
    assert load_request(release.id, clinic.settings) == (release, question)


def test_no_other_reader_of_yaml_is_used() -> None:
    root = Path(__file__).resolve().parents[2]
    texts = {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for folder in ("dp_stats", "dags", "deploy", "tests", "benchmarks")
        for path in (root / folder).rglob("*.py")
    }
    readers = {name for name, text in texts.items() if "\nimport yaml\n" in text or "\nfrom ruamel" in text}
    assert readers == {"dp_stats/catalogue/yaml.py"}


@given(
    st.one_of(
        st.text(alphabet="ab:-#[]{},'\"\n 01%@`?~._é\u2028\x85", max_size=40).map("a: {}".format),
        PLAIN.map(lambda content: yaml.write({"content": content})),
    )
)
@example("a: \x85?")
@settings(max_examples=400, deadline=None)
def test_the_scanner_in_c_reads_what_yaml_12_means_or_refuses(text: str) -> None:
    """Tags, anchors and block texts of a reader's own are left out: a lone '!' and '|#' are read otherwise in C."""

    def read(reader: Callable[[str], Any]) -> Any:
        try:
            return repr(reader(text))
        except (yaml.YAMLError, ValueError, TypeError, NotImplementedError, AttributeError):
            return None

    quick, whole = read(yaml.parse), read(yaml.YAML(typ="safe", pure=True).load)
    assert quick in (None, whole)


def test_it_is_the_scanner_in_c_that_reads() -> None:
    """Without it ruamel would fall back, and reading would take five times as long."""
    assert yaml.YAML(typ="safe").Parser.__name__ == "CParser"
