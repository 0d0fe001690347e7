"""Just enough SVG: a scale, round ticks and a canvas. Colours are CSS classes, so a chart follows the page's theme."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Scale:
    """Maps low..high of the data to start..end of the picture; a range of no width is widened by one to each side."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        low, high = (self.low, self.high) if self.high > self.low else (self.low - 1.0, self.low + 1.0)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) inside low..high, about `count` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(multiple * power for multiple in (1.0, 2.0, 2.5, 5.0, 10.0) if multiple * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) + 0.0 for i in range(first, math.floor(high / step + 1e-9) + 1)]


def padded(values: Iterable[float], share: float = 0.06) -> tuple[float, float]:
    """Low and high of the finite values, widened by `share` of their range at both ends; 0..1 when there is none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    room = (high - low) * share or max(abs(high) * share, 1e-9)
    return low - room, high + room


def shorten(text: str, length: int) -> str:
    """At most `length` cells wide (Hangul is two), with an ellipsis where something was cut."""
    width = 0
    for i, char in enumerate(text):
        width += 2 if ord(char) >= 0x1100 else 1
        if width > length:
            return text[:i].rstrip() + "…"
    return text


@dataclass
class Canvas:
    """Collects elements in drawing order. All coordinates are in units of the view box."""

    width: int
    height: int
    _parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self._parts.append(f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def path(self, points: Sequence[tuple[float, float]], css: str, closed: bool = False) -> None:
        """A line through the points; with `closed` an area."""
        if not points:
            return
        steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class="{css}" d="M{steps}{"Z" if closed else ""}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str, title: str = "", opacity: float = 1.0) -> None:
        fade = "" if opacity >= 1.0 else f' fill-opacity="{opacity:.2f}"'
        shape = f'class="{css}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"{fade}'
        self._titled("rect", shape, title)

    def circle(self, x: float, y: float, radius: float, css: str, title: str = "") -> None:
        self._titled("circle", f'class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"', title)

    def mark(self, x: float, y: float, size: float, css: str, title: str = "", shape: str = "diamond") -> None:
        """A filled mark centred on the point: diamond, up or down (triangles whose tip touches it) or square."""
        corners = {
            "diamond": ((0, -1), (1, 0), (0, 1), (-1, 0)),
            "up": ((0, 0), (0.8, 1.5), (-0.8, 1.5)),
            "down": ((0, 0), (0.8, -1.5), (-0.8, -1.5)),
            "square": ((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)),
        }[shape]
        steps = "L".join(f"{x + dx * size:.1f} {y + dy * size:.1f}" for dx, dy in corners)
        self._titled("path", f'class="{css}" d="M{steps}Z"', title)

    def text(self, x: float, y: float, text: str, css: str = "tick", anchor: str = "start") -> None:
        self._parts.append(f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def _titled(self, name: str, shape: str, title: str) -> None:
        inside = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(f"<{name} {shape}>{inside}</{name}>" if inside else f"<{name} {shape}/>")

    def render(self, label: str) -> Markup:
        """The picture; `label` is what a screen reader says instead of it."""
        head = f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(label)}">'
        return Markup(head + "".join(self._parts) + "</svg>")
