"""Code lists: flat or nested, of codes, of areas or of bands, which stay as they are, change on a day, or are edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from hypothesis import strategies as st

from dp_stats.catalogue.validity import VALIDITY
from tests.deliveries import as_csv
from tests.drawn.words import CODES, DIGITS, FORMULAS, NAMES, rarely, seldom

Line = dict[str, str]


@dataclass(frozen=True)
class Listed:
    """A code list and what a column of it needs; ``lines`` are those of its file, each heading → field."""

    name: str
    kind: str
    levels: tuple[str, ...]
    lines: tuple[Line, ...]
    digits: bool = False
    facts: tuple[str, ...] = field(default=())
    """Columns of numbers of people, which a rate may name."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code that was ever in the list."""
        return tuple(dict.fromkeys(line["code"] for line in self.lines))

    @property
    def text(self) -> str:
        """The file."""
        header = list(dict.fromkeys(name for line in self.lines for name in line))
        return as_csv([header, *([line.get(name, "") for name in header] for line in self.lines)]).decode()


@st.composite
def code_lists(draw: st.DrawFn, name: str, days: Sequence[date]) -> Listed:
    """A list of one to six codes; where codes are dated it changes on one or two of ``days``."""
    band, digits = draw(st.booleans()), seldom(draw)
    area = not band and draw(st.booleans())
    size = draw(st.integers(1, 6))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=size, max_size=size, unique=True))
    if band:
        codes = [f"{10 * i}-{10 * i + 9}" for i in range(size)]
    else:
        known = DIGITS if digits else CODES
        codes = draw(st.lists(st.sampled_from(known), min_size=size, max_size=size, unique_by=str.casefold))
    if rarely(draw):
        names = [draw(st.sampled_from(FORMULAS)), *names[1:]]
    depth = draw(st.integers(0, 2))
    groups = [draw(st.integers(0, 2)) for _ in range(size)]
    lines = [{"code": code, "name": title} for code, title in zip(codes, names, strict=True)]
    levels = [draw(st.sampled_from(("code", name, "ltla" if area else name)))]
    facts = [column for column in ("population", "residents") if draw(st.booleans())]
    for number, (line, group) in enumerate(zip(lines, groups, strict=True)):
        line |= _grouped(depth, group)
        if band:
            line |= {"lower": str(10 * number), "upper": str(10 * number + 9)}
        line |= {column: draw(st.sampled_from(("0", "1000", "25", ""))) for column in facts}
    levels += ["district", "region"][:depth]
    if band and seldom(draw):
        lines[-1]["upper"] = ""  # no end
    if area and draw(st.booleans()):
        on_one_line = draw(st.booleans())
        for number, line in enumerate(lines):
            place = ("-1.5", "51") if on_one_line else (f"{-3 + number % 3}", f"{50 + number // 2}.25")
            line |= dict(zip(("longitude", "latitude"), ("", "") if rarely(draw) else place, strict=True))
    listed = Listed(name, "band" if band else "code", tuple(levels), tuple(lines), digits and not band, tuple(facts))
    if seldom(draw) or draw(st.booleans()):
        return listed
    for day in sorted(draw(st.lists(st.sampled_from(days), min_size=1, max_size=2, unique=True))):
        listed = changed_on(draw, listed, day)
    return listed


def _grouped(depth: int, group: int) -> Line:
    """The coarser levels of a code: a district with a name, and a region without."""
    line: Line = {}
    if depth >= 1:
        line |= {"district": f"D{group}", "district_name": NAMES[group * 3]}
    if depth == 2:
        line |= {"region": f"R{group // 2}"}
    return line


def changed_on(draw: st.DrawFn, listed: Listed, day: date) -> Listed:
    """The list with codes that merge, are split, named anew, ended, added, or get other facts, from a day on."""
    last = (day - timedelta(days=1)).isoformat()
    lines = [{**line, **{name: line.get(name, "") for name in VALIDITY}} for line in listed.lines]
    standing = [line for line in lines if not line["valid_to"] and line["valid_from"] < day.isoformat()]
    kinds = ["add", "facts", "rename", "group"]
    if standing:
        kinds += ["recode", "split"]
    if len(standing) > 1:
        kinds += ["merge", "merge", "end"]
    kind = draw(st.sampled_from(kinds))
    new: list[Line] = []

    def end(line: Line, *by: Line) -> None:
        line |= {"valid_to": last, "replaced_by": " ".join(one["code"] for one in by)}

    def begun(line: Line, **fields: str) -> Line:
        new.append({**line, **fields, "valid_from": day.isoformat(), "valid_to": "", "replaced_by": ""})
        return new[-1]

    if kind == "add" or not standing:
        begun(standing[-1] if standing else lines[-1], **_fresh(draw, listed, new))
    elif kind in ("merge", "end"):
        at = draw(st.integers(0, len(standing) - 2))
        merged = standing[at : at + draw(st.integers(2, 3))]
        if kind == "end":
            end(merged[0])
        else:
            together = {k: merged[0][k] for k in ("lower",) if k in merged[0]} | {
                k: merged[-1][k] for k in ("upper",) if k in merged[-1]
            }
            into = begun(merged[0], **{**_fresh(draw, listed, new), **together})
            for line in merged:
                end(line, into)
    else:
        line = draw(st.sampled_from(standing))
        before = dict(line)
        if kind == "split":
            halves = [{}, {}] if "lower" not in line else _halves(line)
            parts = [begun(before, **{**_fresh(draw, listed, new), **half}) for half in halves]
            end(line, *parts)
        elif kind == "recode":
            bands = {k: before[k] for k in ("lower", "upper") if k in before}
            end(line, begun(before, **{**_fresh(draw, listed, new), **bands}))
        else:
            others = {"facts": {c: "77" for c in listed.facts}, "rename": {"name": draw(st.sampled_from(NAMES))}}
            moved = _grouped(len(listed.levels) - 1, draw(st.integers(0, 2)))
            begun(before, **others.get(kind, moved))
            end(line)
    return replace(listed, lines=(*lines, *new))


def _fresh(draw: st.DrawFn, listed: Listed, new: Sequence[Line]) -> Line:
    """A code and a name that the list does not have; bands of their own far above the others."""
    taken = {code.casefold() for code in listed.codes} | {line["code"].casefold() for line in new}
    if listed.kind == "band":
        number = next(n for n in range(20, 99) if f"{10 * n}-{10 * n + 9}" not in taken)
        return {
            "code": f"{10 * number}-{10 * number + 9}",
            "name": f"Band {number}",
            "lower": str(10 * number),
            "upper": str(10 * number + 9),
        }
    odd = [c for c in (DIGITS if listed.digits else CODES) if c.casefold() not in taken and " " not in c]
    known = odd or [c for c in (f"{number:05}" for number in range(601, 699)) if c not in taken]  # odd codes run out
    return {"code": draw(st.sampled_from(known)), "name": draw(st.sampled_from(NAMES))}


def _halves(line: Line) -> list[Line]:
    middle = int(line["lower"]) + 5
    return [{"lower": line["lower"], "upper": str(middle - 1)}, {"lower": str(middle), "upper": line["upper"]}]


def edited(draw: st.DrawFn, listed: Listed) -> Listed:
    """The list after an edit without dates: names, order, groups or facts are others, or a code was added or taken away."""
    lines = [dict(line) for line in listed.lines]
    kind = draw(st.sampled_from(("names", "order", "facts", "add", "remove", "groups")))
    if kind == "names":
        for line in lines:
            line["name"] = draw(st.sampled_from(NAMES))
    elif kind == "order":
        lines.reverse()
    elif kind == "facts":
        for line in lines:
            line |= {column: "4321" for column in listed.facts}
    elif kind == "add":
        lines.append({**lines[-1], **_fresh(draw, listed, ()), **{k: "" for k in ("replaced_by",) if k in lines[-1]}})
    elif kind == "remove" and len(lines) > 1:
        lines = lines[:-1]
    else:
        for line in lines:
            line |= _grouped(len(listed.levels) - 1, draw(st.integers(0, 2)))
    return replace(listed, lines=tuple(lines))
