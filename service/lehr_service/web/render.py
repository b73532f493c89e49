"""Templates, and how numbers, times and curves read on a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import yaml
from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lehr_service.api.access import Least
from lehr_service.api.identity import INSECURE, LOOPBACK, Principal

reader: ContextVar[Principal | None] = ContextVar("reader", default=None)
"""Who reads the page that is being made."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Plotly and Swagger write style attributes and style elements; nothing else here does.
_DRAWN = ("study.html", "trial.html", "compare.html", "range_tests.html", "docs.html")
_WIDTH, _HEIGHT = 120, 28
_NOTHING = "\u2013"


def page(template: str, status: int = 200, **shown: Any) -> Response:
    """A page from a template; everything in ``shown`` is escaped."""
    body = _environment.get_template(template).render(shown)
    styles = " 'unsafe-inline'" if template in _DRAWN else ""
    policy = _POLICY.format(styles=styles)
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return HTMLResponse(body, status, headers)


def may(least: str) -> bool:
    """Whether the reader has at least this role; buttons for others are not shown."""
    who = reader.get()
    return who is not None and Least[least.upper()].admits(who.role)


def signed_in() -> bool:
    """Whether the reader came with a token."""
    who = reader.get()
    return who is not None and who not in (LOOPBACK, INSECURE)


def number(value: float | None) -> str:
    """Six digits, as in the terminal; a dash where there is none."""
    return _NOTHING if value is None else f"{value:.6g}"


def short(value: Any) -> str:
    """A parameter's value in four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def counted(number: int, noun: str) -> str:
    """A number with what it counts: 1 trial, 2,000 trials."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float | None) -> str:
    """A time with its unit: 0.4 s, 3 min 20 s, 5 h 12 min, 2 d 3 h."""
    if value is None:
        return _NOTHING
    if value < 60:
        return f"{value:.1f} s" if value >= 1 or not value else f"{value:.1g} s"
    whole = int(value)
    for big, unit, small, rest in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= big:
            return f"{whole // big} {unit} {whole % big // small} {rest}"
    return f"{whole // 60} min {whole % 60} s"


def took(start: datetime | None, end: datetime | None) -> str:
    """Time from start to end, or until now."""
    if start is None:
        return _NOTHING
    return seconds(max(((end or datetime.now(UTC)) - start).total_seconds(), 0.0))


def moment(when: datetime | None) -> Markup:
    """A moment to read, and in its element to the second."""
    if when is None:
        return Markup(_NOTHING)
    exact = when.strftime("%Y-%m-%d %H:%M:%S UTC")
    ago = max((datetime.now(UTC) - when).total_seconds(), 0.0)
    rough = seconds(ago) if ago >= 59.5 else f"{ago:.0f} s"
    return Markup('<time datetime="{}" title="{}">{} ago</time>').format(
        when.isoformat(), exact, rough
    )


def sparkline(values: Sequence[float | None], label: str) -> Markup:
    """A small curve between its lowest and its highest value."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    low, span = min(known), (max(known) - min(known)) or 1.0
    step = _WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{index * step:.1f},{_HEIGHT - 2 - (value - low) / span * (_HEIGHT - 4):.1f}"
        for index, value in enumerate(values)
        if value is not None
    )
    shape = '<circle cx="{}" cy="{}" r="2"/>' if len(known) == 1 else '<polyline points="{}"/>'
    drawn = Markup(shape).format(*(points.split(",") if len(known) == 1 else [points]))
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, label, drawn)


def as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=100)


_environment = Environment(
    loader=PackageLoader("lehr_service.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    counted=counted, number=number, short=short, seconds=seconds, moment=moment, yaml=as_yaml
)
_environment.globals |= {
    "may": may,
    "signed_in": signed_in,
    "took": took,
    "sparkline": sparkline,
    "version": version("lehr"),
}
