"""Every setting of the server, once, with its unit in its name."""

from __future__ import annotations

import os
import ssl
from ipaddress import ip_address
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy import make_url

from lehr.logs import LogFormat, LogLevel


def default_home() -> Path:
    """``$XDG_DATA_HOME/lehr``, by default ``~/.local/share/lehr``."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "lehr"


def processes_by_default() -> int:
    """One for each two cores, up to four."""
    return max(1, min(4, (os.cpu_count() or 2) // 2))


def is_loopback(host: str) -> bool:
    """Whether this is an address of this machine that no other one can reach."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_certificate(certificate: Path, key: Path | None) -> None:
    """Raises ValueError unless a server can use these files."""

    def no_password() -> str:
        raise ValueError("tls_key must not be encrypted: nobody is there to type its password")

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, password=no_password)
    except OSError as error:
        raise ValueError(
            f"tls_certificate {certificate} and tls_key {key or certificate} must be a certificate "
            f"and its key in PEM: {error.strerror or error}"
        ) from None


class Settings(BaseModel):
    """Settings of ``lehr serve``; each is an option and an environment variable ``LEHR_...``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = Field(default_factory=default_home, description="folder of the server's files")
    database_url: str = Field(default="", repr=False, description="default: a file in home")
    host: str = "127.0.0.1"
    port: int = Field(default=8642, ge=0, le=65535, description="0: any free port")
    heartbeat_seconds: float = Field(default=10.0, gt=0, le=3600)
    lease_seconds: float = Field(default=30.0, gt=0, le=86400)
    token: str | None = Field(
        default=None,
        min_length=8,
        repr=False,
        description="an admin's, beside those in the database",
    )
    insecure: bool = Field(default=False, description="beyond loopback without any token")
    tls_certificate: Path | None = Field(default=None, description="PEM file; makes it HTTPS")
    tls_key: Path | None = Field(default=None, description="PEM file, if not in the former")
    requests_per_second: float = Field(
        default=5000.0, gt=0, le=1e9, description="of each token or address, in a server process"
    )
    body_bytes: int = Field(default=4 * 2**20, gt=0, description="largest request body")
    checkpoint_bytes: int = Field(default=256 * 2**20, gt=0, description="largest checkpoint")
    queue_commands: int = Field(default=10_000, gt=0, description="waiting in one study's lane")
    database_wait_seconds: float = Field(
        default=10.0, gt=0, le=3600, description="for a lock or a connection, before a 503"
    )
    open_requests: int = Field(
        default=10_000, gt=0, description="under way in a server process, waiting ones included"
    )
    replicas: int = Field(
        default=1, ge=1, le=64, description="server processes on the port; PostgreSQL only"
    )
    database_connections: int = Field(
        default=24, ge=2, le=1000, description="open at most, in each server process"
    )
    sampler_processes: int = Field(
        default_factory=processes_by_default,
        ge=0,
        le=64,
        description="processes that suggest ahead; 0: each suggestion is made when it is claimed",
    )
    mirror_trials: int = Field(
        default=100_000, gt=0, description="trials held in memory, over all studies"
    )

    log_format: LogFormat = "text"
    log_level: LogLevel = Field(default="info", description="debug: a line a request")

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.lease_seconds <= self.heartbeat_seconds:
            raise ValueError("lease_seconds must be above heartbeat_seconds")
        if self.replicas > 1 and self.url.startswith("sqlite"):
            raise ValueError(
                "several replicas need PostgreSQL, for SQLite has one writer: "
                "set a database_url postgresql://..., or leave replicas at 1"
            )
        if self.replicas > 1 and self.port == 0:
            raise ValueError("several replicas need a port of their own choice: set port")
        return self

    @field_validator("database_url")
    @classmethod
    def _readable(cls, url: str) -> str:
        """What is wrong is not repeated: it may hold a password."""
        try:
            if url:
                make_url(url)
        except Exception:
            raise ValueError(
                "is no database URL; give sqlite:///FILE or postgresql://USER@HOST/NAME, with "
                "special characters of a password percent-encoded"
            ) from None
        return url

    @model_validator(mode="after")
    def _certified(self) -> Settings:
        if self.tls_certificate is not None:
            _check_certificate(self.tls_certificate, self.tls_key)
        elif self.tls_key is not None:
            raise ValueError("tls_key needs its tls_certificate")
        return self

    @property
    def url(self) -> str:
        """The database that is used, as a SQLAlchemy URL with its driver."""
        if not self.database_url:
            return f"sqlite:///{self.home / 'lehr.db'}"
        scheme, separator, rest = self.database_url.partition("://")
        driver = "postgresql+psycopg" if scheme in ("postgres", "postgresql") else scheme
        return driver + separator + rest

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host == "localhost" or is_loopback(self.host)
