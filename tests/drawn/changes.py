"""What is declared otherwise later: names, texts, tables, lists, bounds, schedules, and the release's own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from dp_stats.catalogue.periods import Period
from tests.drawn.lists import changed_on, edited
from tests.drawn.over_time import across_tables
from tests.drawn.releases import TEXTS, Declaration, Timed, circumstances, derived, levels_of, statistics
from tests.drawn.told import OPT_OUTS, Told
from tests.drawn.words import NAMES

Change = Callable[[st.DrawFn, Told, Timed, Period], Told]


def _main(told: Told, **fields: object) -> Told:
    return replace(told, releases=({**told.releases[0], **fields}, *told.releases[1:]))


def _renamed(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Another name, under which the coming period is the first."""
    old = told.releases[0]
    if old["period"] == "range" or "formerly" in old:
        return told
    across = [
        {**t, "statistics": [{k: v for k, v in one.items() if k != "since"} for one in t["statistics"]]}
        for t in old.get("across", [])
    ]
    moved = {"id": "renamed", "formerly": [old["id"]], "start": coming.start}
    return _main(told, **moved, **({"across": across} if across else {}))


def _retold(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Other titles and texts."""
    old = told.releases[0]
    titled = [{**one, "title": draw(st.sampled_from(NAMES))} for one in old["tables"]]
    named = [{**one, "title": draw(st.sampled_from(NAMES))} for one in old["statistics"]]
    texts = draw(st.sampled_from(TEXTS))
    return _main(told, title=draw(st.sampled_from(NAMES)), tables=titled, statistics=named, texts=texts)


def _tabled(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """A table more or fewer, or another order."""
    old = told.releases[0]
    tables = list(old["tables"])
    kind = draw(st.sampled_from(("add", "remove", "turn")))
    if kind == "add":
        levels = {d["name"]: draw(st.sampled_from(levels_of(d))) for d in old["dimensions"] if draw(st.booleans())}
        known = [s["id"] for s in (*old["statistics"], *old["derived"])]
        tables.append({"id": "added", "title": "Added", "levels": levels, "statistics": [draw(st.sampled_from(known))]})
    elif kind == "remove" and len(tables) > 1 and old.get("headline") in (None, tables[-1]["id"]):
        tables = tables[:-1]
    else:
        tables.reverse()
    headline = {} if any(t["id"] == old.get("headline") for t in tables) else {"headline": tables[0]["id"]}
    return _main(told, tables=tables, **headline)


def _derived(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Other derived statistics, shown in the first table."""
    old = told.releases[0]
    facts = [column for one in told.lists for column in one.facts]
    new = [{**one, "id": f"new-{one['id']}"} for one in draw(derived(old["statistics"], old["dimensions"], facts))]
    first, *others = old["tables"]
    shown = [*first["statistics"], *[one["id"] for one in new]]
    return _main(told, derived=[*old["derived"], *new], tables=[{**first, "statistics": shown}, *others])


def _measured(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """A statistic more, or other bounds or losses: another series."""
    old = told.releases[0]
    kind = draw(st.sampled_from(("rows", "loss", "statistic")))
    if kind == "rows":
        return _main(told, contribution={**old["contribution"], "rows": old["contribution"]["rows"] + 1})
    if kind == "loss":
        return _main(told, privacy_loss={"rho": "0.3"})
    found = draw(statistics("cost" in told.columns, late="late" in old))
    new = [{**one, "id": f"new-{one['id']}"} for one in found]
    first, *others = old["tables"]
    shown = [*first["statistics"], *[one["id"] for one in new]]
    return _main(told, statistics=[*old["statistics"], *new], tables=[{**first, "statistics": shown}, *others])


def _across(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Other tables across editions, or none."""
    old = told.releases[0]
    if old["period"] == "range":
        return told
    return _main(told, across=draw(across_tables(old, timed.calendar)) if draw(st.booleans()) else [])


def _late(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Late rows counted over another time, for the first time, or no more."""
    old = told.releases[0]
    fits = old["series"] and not old["contribution"]["one_per_cell"] and old["period"] != "range"
    kinds = [s["kind"] for s in old["statistics"]]
    if not fits or "persons" in kinds or "count" not in kinds:
        return told
    new = draw(st.sampled_from((None, {"periods": 1}, {"periods": 2, "share": 0.3}, {"periods": 60})))
    return _main(told, late=new)


def _listed(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """An edited list."""
    at = draw(st.integers(0, len(told.lists) - 1))
    lists = list(told.lists)
    lists[at] = edited(draw, lists[at])
    return replace(told, lists=tuple(lists))


def _dated(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """A list that changes from a day in or around the coming edition on."""
    at = draw(st.integers(0, len(told.lists) - 1))
    lists = list(told.lists)
    lists[at] = changed_on(draw, lists[at], draw(st.sampled_from((coming.start, coming.end))))
    return replace(told, lists=tuple(lists))


def _scheduled(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Another schedule, priority, licence or audience."""
    return _main(told, **draw(circumstances(told.releases[0])))


def _ended(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """A last day in the coming edition."""
    return told if timed.kind == "range" else _main(told, end=draw(st.sampled_from((coming.start, coming.end))))


def _calendar(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Weeks and financial years that begin on other days, where editions are not made of them."""
    if timed.kind in ("week", "financial-year"):
        return told
    return _main(told, calendar={"week_starts": "wednesday", "financial_year_starts": "07-01"})


def _levels(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """More levels of a dimension, and other titles."""
    changed: list[Declaration] = []
    for one in told.releases[0]["dimensions"]:
        listed = next((known for known in told.lists if known.name == one["column"]), None)
        levels = {"levels": [*one["levels"][:1], *listed.levels[1:]]} if listed else {}
        changed.append({**one, **levels, "title": draw(st.sampled_from(NAMES))})
    return _main(told, dimensions=changed)


def _dataset(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Another description, block, budget or opt-out list of the dataset, or values that are counted as unknown."""
    one = dict(told.dataset)
    kind = draw(st.sampled_from(("words", "block", "budget", "opt-outs", "unknown", "record")))
    if kind == "words":
        one |= {"title": draw(st.sampled_from(NAMES)), "custodians": [{"name": draw(st.sampled_from(NAMES))}]}
    elif kind == "block":
        one["privacy_unit"] = {**one["privacy_unit"], "per": draw(st.sampled_from(("lifetime", "month")))}
    elif kind == "budget":
        one["budget"] = draw(st.sampled_from(({"rho": "1e-12"}, {"rho": 5, "scheduled": 0.5})))
    elif kind == "opt-outs":
        one["opt_outs"] = None if one["opt_outs"] else OPT_OUTS
    elif kind == "unknown":
        turned = {"unknown": not one["columns"][told.lists[0].name]["unknown"]}
        one["columns"] = {**one["columns"], told.lists[0].name: {**one["columns"][told.lists[0].name], **turned}}
    elif "record" in told.columns:
        one["record_id"] = None if one.get("record_id") else "record"
    return replace(told, dataset=one)


def _way(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """Rows that come another way."""
    return replace(told, way=draw(st.sampled_from(("csv", "daily", "zip", "lake", "workbook"))))


CHANGES: tuple[Change, ...] = (
    *(_renamed, _renamed, _retold, _tabled, _derived, _measured, _across, _late, _listed, _dated, _dated),
    *(_scheduled, _ended, _calendar, _levels, _dataset, _way),
)


def changed(draw: st.DrawFn, told: Told, timed: Timed, coming: Period) -> Told:
    """What is declared after none to three changes, before the edition of a period."""
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=3, unique=True)):
        told = change(draw, told, timed, coming)
    return told
