"""Log records as JSON and as text, with what they are about."""

import io
import json
import logging
import threading
from contextvars import copy_context

import pytest

from lehr import logs


@pytest.fixture
def written():
    """Gives a logger in a format and what it has written."""
    made = []

    def start(form, device=""):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logs.Json(device) if form == "json" else logs.Text(device))
        log = logging.Logger("lehr.test")
        log.addHandler(handler)
        made.append(handler)
        return log, stream

    yield start
    for handler in made:
        handler.close()


def test_a_json_line_has_facts_extras_and_the_exception(written):
    log, stream = written("json")
    with logs.about(study="fashion", trial=3):
        logs.know(attempt=1, token=None)
        log.info("%s done", "all", extra={"role": "admin", "odd": {1, 2}.__class__})
        try:
            raise ValueError("line one\nline two")
        except ValueError:
            log.exception("failed")
    log.warning("later")
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "lehr.test",
        "message": "all done",
        "study": "fashion",
        "trial": 3,
        "attempt": 1,
        "role": "admin",
        "odd": "<class 'set'>",
    }
    assert "ValueError: line one\nline two" in second["exception"]
    assert "study" not in third


def test_text_cannot_pass_for_another_record(written):
    log, stream = written("text", "GPU 0")
    with logs.about(study="a b", trial=0):
        log.warning("said\n2026-01-01T00:00:00.000Z INFO all is well")
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith(" WARNING GPU 0: said")
    assert lines[1].startswith("    2026")
    assert lines[1].endswith(' study="a b" trial=0')


def test_a_thread_that_is_given_the_context_goes_on_in_it(written):
    log, stream = written("json")
    with logs.about(study="s"):
        context = copy_context()
    thread = threading.Thread(target=context.run, args=[log.info, "from a thread"])
    thread.start()
    thread.join()
    assert json.loads(stream.getvalue())["study"] == "s"


def test_the_first_facts_are_looked_up_late(written):
    log, stream = written("json")
    facts = {}

    def request():
        logs.begin(facts)
        logs.know(trial=1)
        facts["study"] = "found later"
        log.info("now")

    copy_context().run(request)
    line = json.loads(stream.getvalue())
    assert (line["study"], line["trial"]) == ("found later", 1)
    assert facts == {"study": "found later"}
