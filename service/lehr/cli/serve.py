"""``lehr serve``: runs the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from lehr.cli.connect import explained, needs_extra
from lehr.cli.local import DatabaseUrl, Home
from lehr.credentials import token_of_environment


def serve(
    database_url: DatabaseUrl = None,
    home: Home = None,
    host: Annotated[
        str | None,
        typer.Option(
            envvar="LEHR_HOST",
            help="Address to listen on, by default 127.0.0.1; another one needs tokens "
            "(lehr token create).",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(envvar="LEHR_PORT", help="Port, by default 8642; 0 takes a free one."),
    ] = None,
    heartbeat_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="LEHR_HEARTBEAT_SECONDS",
            help="How often workers say that they live, by default 10.",
        ),
    ] = None,
    lease_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="LEHR_LEASE_SECONDS",
            help="A worker not heard of for so long is lost, by default 30.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LEHR_TOKEN",
            help="An admin's token, beside those that lehr token create makes; rather set "
            "LEHR_TOKEN, or LEHR_TOKEN_FILE to a file that holds it.",
        ),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option(
            "--insecure",
            envvar="LEHR_INSECURE",
            help="Listen beyond this machine without any token: everybody who can reach the port "
            "may read, change and delete everything.",
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            envvar="LEHR_TLS_CERTIFICATE",
            help="PEM file of the certificate and those it is signed by: serves HTTPS only.",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(
            envvar="LEHR_TLS_KEY", help="PEM file of its key, if that is not in the same file."
        ),
    ] = None,
    requests_per_second: Annotated[
        float | None,
        typer.Option(
            envvar="LEHR_REQUESTS_PER_SECOND",
            help="Requests of one token, or one address without, beyond which a server process "
            "answers 429, by default 5000.",
        ),
    ] = None,
    body_bytes: Annotated[
        int | None,
        typer.Option(envvar="LEHR_BODY_BYTES", help="Largest request body, by default 4194304."),
    ] = None,
    checkpoint_bytes: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_CHECKPOINT_BYTES", help="Largest checkpoint, by default 268435456."
        ),
    ] = None,
    queue_commands: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_QUEUE_COMMANDS",
            help="Requests waiting for one study beyond which it answers 503, by default 10000.",
        ),
    ] = None,
    database_wait_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="LEHR_DATABASE_WAIT_SECONDS",
            help="How long a request waits for a lock or a connection of the database before it is "
            "answered 503, by default 10.",
        ),
    ] = None,
    open_requests: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_OPEN_REQUESTS",
            help="Requests under way, waiting ones included, beyond which a server process "
            "answers 503, by default 10000.",
        ),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_REPLICAS",
            help="Server processes that share the port, by default 1; more need PostgreSQL.",
        ),
    ] = None,
    database_connections: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_DATABASE_CONNECTIONS",
            help="Connections to PostgreSQL, or readers of SQLite, that each process opens at "
            "most, by default 24.",
        ),
    ] = None,
    sampler_processes: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_SAMPLER_PROCESSES",
            help="Processes that suggest points ahead, by default one for each two cores, up to 4; "
            "0: each point is suggested when it is claimed.",
        ),
    ] = None,
    mirror_trials: Annotated[
        int | None,
        typer.Option(
            envvar="LEHR_MIRROR_TRIALS",
            help="Trials held in memory, over all studies, by default 100000.",
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            envvar="LEHR_LOG_FORMAT",
            help="text, or json: an object a line, with request, study, trial and attempt.",
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            envvar="LEHR_LOG_LEVEL",
            help="debug (a line a request), info (the default), warning or error.",
        ),
    ] = None,
) -> None:
    """Run the server: web pages, REST API and database, which is created and migrated as needed.

    Example: lehr serve --host 0.0.0.0 --database-url postgresql://lehr@db/lehr
    """
    with explained():
        token = token or token_of_environment()
    given = {name: value for name, value in locals().items() if value is not None}
    with needs_extra("serve", "service"):
        from lehr_service.replicas import serve as run
        from lehr_service.settings import Settings
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise typer.BadParameter(_described(error)) from error
    run(settings)


def _described(error: ValidationError) -> str:
    return "; ".join(
        f"{_option(problem['loc'])}{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )


def _option(location: tuple[Any, ...]) -> str:
    return f"--{str(location[0]).replace('_', '-')}: " if location else ""
