"""Plots as SVG with nothing but the standard library: lines over a logarithmic axis, and bars.
Colours follow the reader's light or dark scheme."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 46, 52
STYLE = """
svg { font: 13px system-ui, sans-serif; }
.bg { fill: #ffffff; } text { fill: #1f2328; } .dim { fill: #59636e; }
.grid { stroke: #d1d9e0; } .axis { stroke: #59636e; } .goal { stroke: #cf222e; }
.s0 { stroke: #0969da; fill: #0969da; } .s1 { stroke: #bc4c00; fill: #bc4c00; }
.s2 { stroke: #1a7f37; fill: #1a7f37; } .s3 { stroke: #8250df; fill: #8250df; }
.peer { fill: #818b98; } polyline { fill: none !important; stroke-width: 2; }
.range { stroke-width: 1.5; } .mark { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117; } text { fill: #f0f6fc; } .dim { fill: #9198a1; }
.grid { stroke: #3d444d; } .axis { stroke: #9198a1; } .goal { stroke: #f85149; }
.s0 { stroke: #4493f8; fill: #4493f8; } .s1 { stroke: #f0883e; fill: #f0883e; }
.s2 { stroke: #3fb950; fill: #3fb950; } .s3 { stroke: #ab7df8; fill: #ab7df8; }
.peer { fill: #656c76; } .mark { stroke: #f0f6fc; }
}
"""


def number(value):
    """Three digits, whatever the size."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


class Drawing:
    def __init__(self, title, height=HEIGHT):
        self.height = height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="bg" width="{WIDTH}" height="{height}"/>']
        self.text(WIDTH / 2, 22, title, anchor="middle", weight="600")

    def add(self, part):
        self.parts.append(part)

    def line(self, x1, y1, x2, y2, kind):
        self.add(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def text(self, x, y, words, anchor="start", kind="", weight="400", turn=""):
        self.add(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                 f'font-weight="{weight}"{turn}>{escape(str(words))}</text>')

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.parts + ["</svg>", ""]))


def steps(top):
    """Round marks from 0 to at least `top`."""
    step = 10 ** math.floor(math.log10(top / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if step * factor * 5 >= top)
    return [step * index for index in range(math.ceil(top / step) + 1)]


def lines(path, title, x_title, y_title, series, goal=None):
    """series: {name: [(x, [values])]}; a point is the median, a bar its range. x is logarithmic."""
    drawing = Drawing(title)
    points = [point for values in series.values() for point in values]
    x_low, x_high = (math.log10(f(x for x, _ in points)) for f in (min, max))
    marks = steps(max([v for _, values in points for v in values] + [goal or 0]) or 1)

    def place(x, y):
        share = (math.log10(x) - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        return (LEFT + share * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - y / marks[-1] * (HEIGHT - TOP - BOTTOM))

    for mark in marks:
        _, y = place(points[0][0], mark)
        drawing.line(LEFT, y, WIDTH - RIGHT, y, "grid")
        drawing.text(LEFT - 8, y + 4, number(mark), "end", "dim")
    for x in sorted({x for x, _ in points}):
        at, base = place(x, 0)
        drawing.line(at, base, at, base + 5, "axis")
        drawing.text(at, base + 20, f"{x:,}", "middle", "dim")
    drawing.text(WIDTH / 2, HEIGHT - 10, x_title, "middle", "dim")
    drawing.text(16, HEIGHT / 2, y_title, "middle", "dim",
                 turn=f' transform="rotate(-90 16 {HEIGHT / 2})"')
    if goal is not None:
        _, y = place(points[0][0], goal)
        drawing.line(LEFT, y, WIDTH - RIGHT, y, "goal")
        drawing.text(WIDTH - RIGHT, y - 5, f"goal {number(goal)}", "end", "dim")
    for index, (name, values) in enumerate(series.items()):
        kind = f"s{index % 4}"
        middle = [(x, sorted(v)[len(v) // 2]) for x, v in values]
        drawing.add(f'<polyline class="{kind}" points="' +
                    " ".join("%.1f,%.1f" % place(x, y) for x, y in middle) + '"/>')
        for (x, found), (_, y) in zip(values, middle):
            at, here = place(x, y)
            drawing.line(at, place(x, min(found))[1], at, place(x, max(found))[1],
                         f"{kind} range")
            drawing.add(f'<circle class="{kind}" cx="{at:.1f}" cy="{here:.1f}" r="3.5">'
                        f"<title>{x:,}: {number(y)}</title></circle>")
        if len(series) > 1:
            drawing.add(f'<rect class="{kind}" x="{LEFT + 10 + 170 * index}" y="32" width="10" '
                        'height="10"/>')
            drawing.text(LEFT + 25 + 170 * index, 41, name)
    drawing.save(path)


def bars(path, title, unit, rows, goal=None):
    """rows: [(name, [values], is_ours)]; a bar is the median, a stroke its range."""
    height = TOP + 28 * len(rows) + 34
    drawing = Drawing(title, height)
    left, right = 120, 110
    top = max([max(values) for _, values, _ in rows] + [goal or 0]) or 1

    def place(value):
        return left + value / top * (WIDTH - left - right)

    for index, (name, values, is_ours) in enumerate(rows):
        y = TOP + 28 * index
        middle = sorted(values)[len(values) // 2]
        drawing.text(left - 8, y + 15, name, "end", weight="600" if is_ours else "400")
        drawing.add(f'<rect class="{"s0" if is_ours else "peer"}" x="{left}" y="{y}" '
                    f'width="{max(1, place(middle) - left):.1f}" height="20"/>')
        drawing.line(place(min(values)), y + 10, place(max(values)), y + 10, "mark")
        drawing.text(place(max(values)) + 8, y + 15, number(middle))
    if goal is not None:
        drawing.line(place(goal), TOP - 6, place(goal), height - 32, "goal")
        drawing.text(place(goal), height - 18, f"goal {number(goal)}", "middle", "dim")
    drawing.text(WIDTH - 12, height - 10, unit, "end", "dim")
    drawing.save(path)
