"""``lehr study plot``: a figure of a study as a page, a picture or Plotly's JSON."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from lehr.cli import render
from lehr.cli.connect import AsJson, Server, StudyName, Token, connected
from lehr.cli.home import say_written, write_bytes
from lehr.client import Client
from lehr.errors import LehrError
from lehr.plots import save_curves

CURVES = "learning_curves"
_PICTURES = (".png", ".svg", ".pdf")
_ENDINGS = (".html", ".json", *_PICTURES)
_WIDTH, _HEIGHT = 1100, 560  # pixels of a picture, and of a page's figure
_WIDTH_OF_ONE = 220  # of those that stand beside each other, in pixels


def plot(
    name: StudyName,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="learning_curves (the default), history, intermediate_values, "
            "parallel_coordinate, slice, contour, importances, edf, pareto_front, timeline.",
        ),
    ] = CURVES,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help=".html: a page to look around in, without a network; .json: for Plotly; "
            ".png, .svg or .pdf: a picture, by the extra [plot] and, of other kinds than "
            "learning_curves, Chrome or Chromium.",
        ),
    ] = Path("plot.html"),
    params: Annotated[
        str | None, typer.Option(help="Parameters to show, such as learning_rate,optimizer.")
    ] = None,
    trials: Annotated[
        str | None, typer.Option(help="Numbers of the trials to show, such as 3,14.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Of several objectives the one to show; else the first.")
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    token: Token = None,
) -> None:
    """Draw a study, by default its learning curves beside the learning rates that made them.

    Example: lehr study plot fashion-cnn importances -o importances.html
    """
    ending = output.suffix.lower()
    if ending not in _ENDINGS:
        said = f"{ending or 'no ending'} is none of {', '.join(_ENDINGS)}"
        raise typer.BadParameter(f"cannot write {output}: {said}", param_hint="--output")
    numbers = _numbers(trials)
    with connected(server, token) as client, render.busy(f"drawing {kind} of {name}"):
        figure = client.plot(
            name, kind, params=(params or "").split(","), trials=numbers, metric=metric
        )
        title = f"{name}: {kind.replace('_', ' ')}"
        if ending == ".json":
            write_bytes(json.dumps(figure).encode(), output)
        elif ending == ".html":
            page = as_page(dressed(figure), title, client.plotly_script())
            write_bytes(page.encode(), output)
        elif kind == CURVES:
            save_curves(output, figure, title)
        else:
            write_bytes(_picture(client, dressed(figure, title), ending.lstrip(".")), output)
    say_written(output, as_json)


def _numbers(text: str | None) -> list[int]:
    parts = [part for part in (text or "").split(",") if part]
    if not all(part.isdecimal() for part in parts):
        said = "give numbers of trials with commas between, such as 3,14"
        raise typer.BadParameter(said, param_hint="--trials")
    return list(map(int, parts))


def dressed(figure: dict[str, Any], title: str = "") -> dict[str, Any]:
    """A figure with the size, the grid and the title of one that stands alone."""
    layout = dict(figure["layout"])
    beside = sum(name.startswith("xaxis") for name in layout)
    said = [title, layout.get("title", {}).get("text", "")]
    axis = {
        "gridcolor": "#e3e3e0",
        "linecolor": "#8a8a85",
        "automargin": True,
        "title": {"standoff": 10},
    }
    layout |= {
        "title": {"text": "<br>".join(filter(None, said)), "font": {"size": 16}},
        "width": max(_WIDTH, _WIDTH_OF_ONE * beside),
        "height": _HEIGHT,
        "template": {"layout": {"xaxis": axis, "yaxis": axis}},
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }
    return {"data": figure["data"], "layout": layout}


def as_page(figure: dict[str, Any], title: str, script: str) -> str:
    """A page with the figure that needs nothing else, not even a network."""
    layout = figure["layout"] | {"width": None}  # as wide as the window
    data = json.dumps(figure | {"layout": layout}).replace("</", "<\\/")
    heading = title.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<script>{script}</script></head>\n"
        f'<body><h1 style="font: 600 1.2em system-ui">{heading}</h1><div id="figure"></div>\n'
        f"<script>const figure = {data};\n"
        'Plotly.newPlot("figure", figure.data, figure.layout, {responsive: true});</script>\n'
        "</body></html>\n"
    )


def _picture(client: Client, figure: dict[str, Any], form: str) -> bytes:
    """The bytes of a PNG, SVG or PDF, drawn by the script that the server's pages draw with.

    Raises LehrError where kaleido or a browser for it is missing.
    """
    otherwise = "or write .html, which needs nothing"
    try:
        import kaleido
        from kaleido.errors import ChromeNotFoundError
    except ImportError:
        raise LehrError(
            f"a picture of this kind needs the extra [plot]: pip install 'lehr[plot]'; {otherwise}"
        ) from None
    layout = figure["layout"]
    size = {"width": layout["width"], "height": layout["height"], "scale": 2, "format": form}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "plotly.min.js"
        script.write_text(client.plotly_script(), encoding="utf-8")
        try:
            options = {"plotlyjs": script, "mathjax": False}
            drawn: bytes = kaleido.calc_fig_sync(figure, size, kopts=options)
        except ChromeNotFoundError:
            raise LehrError(
                "a picture of this kind needs Chrome or Chromium (on Debian and Ubuntu: "
                f"apt install chromium; elsewhere: kaleido_get_chrome); {otherwise}"
            ) from None
    return drawn
