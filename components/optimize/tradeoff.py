"""The picture of Gate 2: quality against latency and against size, in one HTML file that needs no network."""

import html
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from components.evaluate.config import LOWER_IS_BETTER
from components.names import FLOAT, TRADEOFF_FILE
from components.optimize.config import Budgets
from components.optimize.table import Measured, Row, cells, outcome

_COLOURS = {"picked": "#0b7a4b", "passed": "#2f6fb0", "refused": "#c23b22", FLOAT: "#555555"}


def write(rows: Sequence[Row], budgets: Budgets, title: str, folder: Path) -> Path:
    """Write `tradeoff.html`: two plots over the table of all variants, the skipped ones with their reasons.

    Args:
        rows: the table, the float model first.
        budgets: drawn as dashed lines, if they are set.
        title: of the page.
        folder: where to write.
    """
    built = [row for row in rows if row.measured and row.quality]
    metric = next(iter(built[0].quality)) if built else "accuracy"
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=("latency", "size")
    )
    latency: Callable[[Measured], float] = lambda measured: measured.p50_us  # noqa: E731
    size: Callable[[Measured], float] = lambda measured: float(measured.bytes)  # noqa: E731
    for column, cost in ((1, latency), (2, size)):
        for row in built:
            figure.add_trace(_point(row, metric, cost, column == 1), row=1, col=column)
        front = _front(built, metric, cost)
        figure.add_trace(
            go.Scatter(
                x=[cost(row.measured) for row in front if row.measured],
                y=[row.quality[metric] for row in front],
                mode="lines",
                line={"color": "#bbbbbb", "shape": "hv", "dash": "dot"},
                name="Pareto front",
                showlegend=column == 1,
                hoverinfo="skip",
            ),
            row=1,
            col=column,
        )
    for column, limit in ((1, budgets.max_p50_us), (2, budgets.max_bytes)):
        if limit is not None:
            figure.add_vline(x=limit, line={"color": "#c23b22", "dash": "dash"}, row=1, col=column)
            # On a log axis, plotly places shapes by the value, and annotations by its logarithm.
            figure.add_annotation(
                x=math.log10(limit),
                y=1,
                yref="y domain",
                text="budget",
                showarrow=False,
                xanchor="left",
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title="p50 of one example, µs (log)", row=1, col=1)
    figure.update_xaxes(type="log", title="bytes (log)", row=1, col=2)
    figure.update_yaxes(title=metric, row=1, col=1)
    values = [row.quality[metric] for row in built]
    if values:
        # Otherwise variants of equal quality would be drawn on an axis from 0 to 2.
        pad = max(0.1 * (max(values) - min(values)), 0.005)
        figure.update_yaxes(range=[min(values) - pad, max(values) + pad], tickformat=".3f")
    figure.update_layout(
        template="plotly_white", height=560, margin={"t": 60, "l": 70, "r": 20}, legend={"y": 0.5}
    )
    drawing = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False})
    path = folder / TRADEOFF_FILE
    path.write_text(
        _PAGE.format(title=html.escape(title), drawing=drawing, table=_table(rows)), encoding="utf-8"
    )
    return path


def _point(row: Row, metric: str, cost: Callable[[Measured], float], legend: bool) -> go.Scatter:
    assert row.measured is not None
    kind = "picked" if row.picked else FLOAT if row.name == FLOAT else "passed" if row.passed else "refused"
    return go.Scatter(
        x=[cost(row.measured)],
        y=[row.quality[metric]],
        mode="markers",
        name=f"{row.name} ({kind})" if kind != row.name else row.name,
        legendgroup=row.name,
        showlegend=legend,
        marker={
            "color": _COLOURS[kind],
            "size": 18 if row.picked else 11,
            "symbol": "star" if row.picked else "x" if kind == "refused" else "circle",
            "line": {"width": 1, "color": "white"},
        },
        hovertext=f"<b>{row.name}</b><br>{html.escape(outcome(row))}",
        hoverinfo="text+x+y",
    )


def _front(rows: Sequence[Row], metric: str, cost: Callable[[Measured], float]) -> list[Row]:
    """Return the rows that no other beats in both quality and cost, by rising cost."""
    sign = -1 if metric.split(" ")[0] in LOWER_IS_BETTER else 1
    front: list[Row] = []
    for row in sorted(
        rows, key=lambda r: (cost(r.measured), -sign * r.quality[metric]) if r.measured else (0, 0)
    ):
        if not front or sign * row.quality[metric] > sign * front[-1].quality[metric]:
            front.append(row)
    return front


def _table(rows: Sequence[Row]) -> str:
    head, *body = cells(rows)
    lines = ["<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in head) + "</tr>"]
    for row, values in zip(rows, body, strict=True):
        kind = ' class="picked"' if row.picked else ' class="skipped"' if row.skipped else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{html.escape(value)}</td>" for value in values) + "</tr>")
    return "\n".join(lines)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}: variants</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #222; }}
h1 {{ font-size: 1.3rem; margin: 0 0 .3rem; }}
table {{ border-collapse: collapse; margin-top: 1rem; }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }}
th:first-child, td:first-child, th:last-child, td:last-child {{ text-align: left; }}
td:last-child {{ white-space: normal; min-width: 16rem; }}
tr.picked td {{ background: #e6f4ec; font-weight: 600; }}
tr.skipped td {{ color: #888; }}
</style>
<h1>{title}: quality against latency and size</h1>
<p>Up and left is better. The star is the pick; crosses are refused. Measured side by side in one process.</p>
{drawing}
<table>
{table}
</table>
</html>
"""
