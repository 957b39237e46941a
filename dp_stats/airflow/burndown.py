"""The burn-down chart: how much of a block's budget was left over time, as SVG made on the server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from html import escape

from dp_stats import written
from dp_stats.written import day

WIDTH, HEIGHT = 640, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 14, 26


def burndown(
    spent: Sequence[tuple[datetime, float, str]], coming: Sequence[tuple[date, float, str]], *, now: datetime
) -> str:
    """An SVG of the share of the budget that is left.

    Args:
        spent: moment, share of the budget used in total since, and what for. coming: the same, forecast.
    """
    ahead = [(_midnight(day), share, label) for day, share, label in coming]
    moments = [m for m, _, _ in spent] + [m for m, _, _ in ahead] + [now]
    first, last = min(moments) - timedelta(days=1), max(moments) + timedelta(days=1)
    span = (last - first).total_seconds()

    def x(moment: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (moment - first).total_seconds() / span

    def y(used: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * min(1.0, max(0.0, used))

    used, path = 0.0, f"M{x(first):.1f} {y(0):.1f}"
    for moment, share, _ in spent:
        path += f"H{x(moment):.1f}V{y(share):.1f}"
        used = share
    area = path + f"H{x(now):.1f}V{y(1):.1f}H{x(first):.1f}Z"
    path += f"H{x(now):.1f}"
    later = f"M{x(now):.1f} {y(used):.1f}"
    for moment, share, _ in ahead:
        later += f"H{x(max(moment, now)):.1f}V{y(share):.1f}"
    later += f"H{x(last):.1f}"
    dots = "".join(
        f'<circle cx="{x(m):.1f}" cy="{y(share):.1f}" r="3.5"><title>{escape(f"{day(m)}: {what}")}</title></circle>'
        for m, share, what in spent
    )
    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(u):.1f}" y2="{y(u):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y(u) + 4:.1f}" text-anchor="end">{written.share(1 - u, decimals=0)}</text>'
        for u in (0, 0.5, 1)
    )
    end = day(last) if ahead else ""
    return (
        f'<svg class="burndown" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Budget left over time">'
        f'{grid}<path class="area" d="{area}"/><path class="past" d="{path}"/>'
        f"{f'<path class=ahead d={chr(34)}{later}{chr(34)}/>' if ahead else ''}"
        f'<line class="now" x1="{x(now):.1f}" x2="{x(now):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>{dots}'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{day(first) if x(now) - LEFT > 120 else ""}</text>'
        f'<text x="{x(now):.1f}" y="{HEIGHT - 8}" text-anchor="{"end" if x(now) > WIDTH - 120 else "middle"}">today</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{end if x(last) - x(now) > 90 else ""}</text></svg>'
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
