"""A finished matplotlib drawing as bytes that are small, equal for equal drawings, and accessible."""

from __future__ import annotations

import io
import re
from html import escape

from matplotlib.figure import Figure as Canvas
from PIL import Image

PNG_DPI = 160
"""Pixels to a figure's inch: twice those of its SVG on a screen, and some."""


ROUGH_DPI = 40
"""Pixels to a figure's inch where nobody keeps the picture."""


def to_rough_png(canvas: Canvas) -> bytes:
    """A small PNG that fails where ``to_png`` fails, without the time that resolution and few colours take."""
    drawn = io.BytesIO()
    canvas.savefig(drawn, format="png", dpi=ROUGH_DPI)
    return drawn.getvalue()


def to_png(canvas: Canvas) -> bytes:
    """A PNG of twice the desktop's resolution, in as few colours as the chart needs."""
    raw = io.BytesIO()
    canvas.savefig(raw, format="rgba", dpi=PNG_DPI)
    width, height = (int(side * PNG_DPI) for side in canvas.get_size_inches())
    drawn = Image.frombuffer("RGBA", (width, height), raw.getvalue()).convert("RGB")
    small = io.BytesIO()
    drawn.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


_STYLE = re.compile(r' style="([^"]*)"')
_FONT = re.compile(r"^(?:(italic|normal|oblique)\s+)?(?:(bold|normal|\d{3})\s+)?([\d.]+px)\s+(.*)$")


def _attributes(match: re.Match[str]) -> str:
    """A style attribute as presentation attributes, which a strict content security policy allows."""
    found: list[str] = []
    for declaration in match.group(1).split(";"):
        if ":" not in declaration:
            continue
        name, value = (part.strip() for part in declaration.split(":", 1))
        if name == "font":
            font = _FONT.match(value)
            if font:
                if font.group(2) and font.group(2) != "normal":
                    found.append(f' font-weight="{font.group(2)}"')
                found.append(f' font-size="{font.group(3)}"')
        elif name == "font-family":
            continue
        else:
            found.append(f' {name}="{value}"')
    return "".join(found)


POINTS = 72
"""A figure's inch in the unit of its SVG."""


def size_of(canvas: Canvas) -> tuple[int, int]:
    """Width and height of a figure's SVG, in whole px."""
    width, height = canvas.get_size_inches() * POINTS
    return round(float(width)), round(float(height))


def to_svg(canvas: Canvas, *, title: str, description: str) -> str:
    """A small, self-contained SVG with ``<title>``, ``<desc>`` and ``role="img"``; no style sheet, no metadata."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = _STYLE.sub(_attributes, svg)
    svg = re.sub(r"(\d+\.\d)\d+", r"\1", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r">\s+<", "><", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    svg = re.sub(r"\.0(?=\D)", "", svg)
    svg = re.sub(r" ([MLCQZ]) ", r"\1", svg)
    while "<g></g>" in svg:
        svg = svg.replace("<g></g>", "")
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        'aria-labelledby="t d" stroke-linejoin="round" stroke-linecap="butt" '
        "font-family=\"Arial, Helvetica, 'Liberation Sans', sans-serif\" "
    )
    width, height = (f"{float(f'{side * POINTS:.6f}'[:-5]):g}" for side in canvas.get_size_inches())
    head += f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    named = f'<title id="t">{escape(title)}</title><desc id="d">{escape(description)}</desc>'
    return head + named + svg[svg.index(">") + 1 :].strip() + "\n"
