"""What people do in a browser: a real one, a real server, and a worker that really trains."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import yaml

from lehr import Client
from lehr.definitions import read_definition
from lehr.range_tests import growing_rates
from lehr.wire.range_tests import RangeTestResult
from lehr.wire.workers import Failure, Registration

pytestmark = pytest.mark.system

CHROMIUM = shutil.which("chromium")
STUDY = """\
name: digits
task: digits_mlp
objective: {metric: val_accuracy, direction: maximize}
search_space:
  optimizer:
    momentum: {learning_rate: {low: 0.01, high: 0.2, log: true}}
    adam: {learning_rate: {low: 1e-6, high: 0.01, log: true}}
  schedule: {constant: {}, cosine: {}}
training: {epochs: 60, seed: 7}
sampler: {name: random, seed: 7}
pruner: {name: threshold, lower: 0.4, n_warmup_steps: 3}
limits: {max_parallel: 1}
"""
PLACES = """() => {
  const { layout } = document.querySelector("[data-drawn]");
  return Object.keys(layout).filter((n) => /^xaxis\\d*$/.test(n)).map((n) => layout[n].domain);
}"""  # how far across each picture of a figure goes
PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """A person at a browser; whatever its console complains of is kept."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(base_url=url, **options)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def accessible(self) -> None:
        """No finding of axe that is serious or worse."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        bad = [
            (v["id"], [node["target"] for node in v["nodes"]])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert not bad, (self.page.url, bad)

    def drawn(self) -> None:
        self.page.wait_for_selector("[data-drawn] .main-svg")

    def fits(self) -> None:
        """Nothing has to be scrolled sideways to be read."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, (self.page.url, wide)


@pytest.fixture
def reader(chromium: Any) -> Iterator[Callable[..., Reader]]:
    readers: list[Reader] = []

    def open_at(url: str, **options: Any) -> Reader:
        readers.append(Reader(chromium, url, **options))
        return readers[-1]

    yield open_at
    for one in readers:
        one.context.close()


@pytest.mark.tensorflow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_study_from_the_editor_to_its_end(
    lab: Any, chromium: Any, reader: Callable[..., Reader], wait_for: Any
) -> None:
    here = lab()
    here.start("worker", "work", "--name", "browser-worker", "--devices", "cpu")
    me = reader(here.url)
    page = me.page

    page.goto("/")
    assert "There are no studies yet" in page.inner_text("main")
    me.accessible()
    page.click("text=Write the first one")
    page.wait_for_selector("#create:enabled")
    wait_for(lambda: here.get("/v1/workers")["items"])
    page.fill("#definition", STUDY.replace("low: 0.01", "low: 0.5"))
    page.wait_for_selector("#verdict .error")
    assert "search_space.optimizer.momentum.learning_rate" in page.inner_text("#verdict")
    me.accessible()
    assert page.is_disabled("#create")
    me.complaints.clear()  # a browser complains of a definition that is refused
    page.fill("#definition", STUDY)
    page.wait_for_selector("#verdict .ok")
    page.click("#create")

    page.wait_for_url("**/studies/digits")
    page.wait_for_selector("#live-running td >> text=browser-worker")
    page.click("summary >> text=Enqueue a trial")
    page.fill("#point", "optimizer: adam\nadam.learning_rate: 1e-6\nschedule: constant")
    page.click("button >> text=Enqueue")
    page.wait_for_selector("#message >> text=waits for a worker")
    page.wait_for_selector("#live-facts >> text=/[1-9][0-9]* complete, [1-9][0-9]* pruned/")
    me.drawn()
    me.accessible()
    page.click("text=Learning curves")
    page.wait_for_selector("#tab[data-kind=curves]")
    me.drawn()
    assert page.locator("[data-drawn] .legendtext >> text=pruned").count() == 1
    assert page.locator("[data-drawn] .legendtext >> text=cosine").count() == 1
    trained = page.inner_text("#live-facts >> text=/epochs in/").split(" in ")[0]
    wait_for(lambda: trained not in page.inner_text("#live-facts"))
    me.accessible()

    page.click("#pause")
    page.wait_for_selector(".badge.paused")
    page.click("#resume")
    page.wait_for_selector(".badge.active")
    page.click("#stop")
    page.wait_for_selector("#live-facts .badge.completed")
    page.wait_for_selector("#delete")
    assert page.locator("#pause").count() == 0
    assert here.study()["state"] == "completed"

    page.click(".tabs >> text=Trials")
    page.select_option("select[name=state]", "complete")
    wait_for(lambda: page.locator("#tab .badge.pruned").count() == 0)
    boxes = page.locator("input[name=trials]")
    boxes.nth(0).check()
    me.accessible()
    page.click("#tab tbody a >> nth=0")
    page.wait_for_selector("h1 >> text=/Trial [0-9]+/")
    me.drawn()
    assert "keras.optimizers" in page.inner_text("#code")
    assert "browser-worker" in page.inner_text("#live-attempts")
    me.accessible()
    page.goto("/studies/digits/compare?trials=0&trials=1")
    me.drawn()
    assert page.locator("tr.differ").count() >= 1
    me.accessible()
    page.goto("/workers")
    page.wait_for_selector("text=browser-worker")
    me.accessible()
    page.click("text=Drain")
    page.wait_for_selector(".badge.draining, .empty")
    assert not me.complaints

    phone = reader(here.url, viewport=PHONE, color_scheme="dark")
    tabs = ("curves", "slice", "table")
    for url in (
        *("/", "/new", "/workers", "/studies/digits/trials/0"),
        *(f"/studies/digits?tab={tab}" for tab in tabs),
    ):
        phone.page.goto(url)
        if phone.page.locator("[data-plot]").count():
            phone.drawn()
        phone.fits()
        phone.accessible()
    phone.page.goto("/new")
    phone.page.fill("#definition", STUDY.replace("low: 0.01", "low: 0.5"))
    phone.page.wait_for_selector("#verdict .error")
    phone.fits()
    phone.complaints.clear()  # a browser complains of a definition that is refused
    phone.page.goto("/studies/digits?tab=slice")
    phone.drawn()
    places = phone.page.evaluate(PLACES)
    assert len(places) > 2
    assert {tuple(place) for place in places} == {(0, 1)}, (
        "below each other, for beside they could not be read"
    )
    assert not phone.complaints


def test_range_tests_are_shown_while_they_wait_and_when_they_are_done(
    serve: Any, reader: Callable[..., Reader]
) -> None:
    """The losses are made up: 1 up to a rate of .01 and 3 beyond it, or none that falls."""
    server = serve()
    with Client(server.url) as client:
        tested = {"learning_rate": {"range_test": {"updates": 60, "seeds": 2}}}
        study = yaml.safe_load(STUDY)
        study["search_space"]["optimizer"] = {"momentum": tested, "adam": tested}
        client.create_study(study)
        me = reader(server.url)
        me.page.goto("/studies/digits")
        me.page.click("text=Range tests")
        me.page.wait_for_selector("h2 >> text=/momentum\\s+waiting/")
        me.accessible()
        registration = Registration(name="w", tasks={"digits_mlp": {}}, abilities=["range_test"])
        worker = client.register(registration)
        lease = client.claim(worker.id, uuid4())
        grown = growing_rates(lease.start, lease.end, lease.updates)
        losses = [3 - 2 * math.exp(-(math.log10(rate / 0.01) ** 2)) for rate in grown]
        found = [{"seed": seed, "losses": losses} for seed in lease.seeds]
        client.complete_range_test(lease.token, RangeTestResult.model_validate({"curves": found}))
        lease = client.claim(worker.id, uuid4())
        client.fail_range_test(lease.token, Failure(outcome="error", message="no data here"))
    phone = reader(server.url, viewport=PHONE, color_scheme="dark")
    phone.page.goto("/studies/digits/range-tests")
    for one in (me, phone):  # the first has been there since the tests waited
        one.page.wait_for_selector("h2 >> text=/momentum\\s+complete/")
        one.page.wait_for_selector("text=/searched: learning rates from .* to/")
        one.page.wait_for_selector("li >> text=/valley: [0-9.e-]+ \\(.* to .*\\)/")
        one.page.wait_for_selector("h2 >> text=/adam\\s+failed/")
        one.page.wait_for_selector("text=no data here")
        assert one.page.locator(".scatterlayer .trace .js-line").count() == 2, "a line a seed"
        legend = one.page.locator(".legendtext").all_text_contents()
        rules = ["valley", "steepest", "minimum / 10"]
        assert legend == ["a batch", "a seed, smoothed", *rules, "not searched"]
        one.fits()
        one.accessible()
        assert not one.complaints


def test_a_page_says_that_the_server_does_not_answer_and_goes_on_when_it_does(
    serve: Any, reader: Callable[..., Reader]
) -> None:
    server = serve()
    me = reader(server.url)
    me.page.goto("/")
    me.context.set_offline(True)
    me.page.wait_for_selector("#stale:visible")
    me.accessible()
    me.context.set_offline(False)
    me.page.wait_for_selector("#stale", state="hidden")
    with Client(server.url) as client:
        client.create_study(read_definition(STUDY, "the study"))
    me.page.wait_for_selector("#live-studies >> text=digits")
    me.page.goto("/studies/digits")
    me.context.set_offline(True)
    me.page.click("#pause")
    me.page.wait_for_selector("#message >> text=the server does not answer")


def test_one_signs_in_and_tabs_work_with_the_keyboard(
    serve: Any, reader: Callable[..., Reader]
) -> None:
    server = serve(token="correct horse")
    me = reader(server.url)
    page = me.page
    page.goto("/new")
    page.wait_for_url("**/sign-in")
    me.accessible()
    page.fill("#token", "wrong token")
    page.keyboard.press("Enter")
    page.wait_for_selector(".error:not([hidden])")
    me.complaints.clear()  # a browser complains of the 401
    page.fill("#token", "correct horse")
    page.keyboard.press("Enter")
    page.wait_for_url(server.url + "/")
    page.goto("/new")
    page.wait_for_selector("#create:enabled")
    page.focus("#create")
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/digits")
    assert "Nothing is running yet" in page.inner_text("#live-running")
    page.focus(".tabs >> text=Contour")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tab[data-kind=contour] .empty")
    assert "no trial is complete yet" in page.inner_text("#tab")
    page.go_back()
    page.wait_for_selector("#tab[data-kind=history]")
    me.accessible()
    page.goto("/docs")
    page.wait_for_selector("#swagger .opblock[id*=stream]")
    assert not me.complaints


def test_tokens_are_made_shown_once_and_revoked(
    serve: Any, reader: Callable[..., Reader], wait_for: Any
) -> None:
    server = serve()
    me = reader(server.url, permissions=["clipboard-read", "clipboard-write"])
    page = me.page
    page.goto("/tokens")
    assert "There are no tokens, so everybody on this machine" in page.inner_text("main")
    me.accessible()
    page.fill("input[name=name]", "me")
    page.keyboard.press("Enter")
    page.wait_for_selector("#made:not([hidden])")
    token = page.inner_text("#made-token")
    assert token.startswith("lehr_")
    page.click("#made button")
    page.wait_for_selector("#message >> text=copied")
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.wait_for_selector("#live-tokens .badge.valid")
    me.accessible()
    assert server.http.get("/v1/studies").status_code == 401, "the first token closes the server"
    page.goto("/tokens")  # who made it is signed in with it
    assert token not in page.content()
    page.fill("input[name=name]", "boxes")
    page.select_option("select[name=role]", "worker")
    page.select_option("select[name=expires_in]", "90d")
    page.click("text=Make a token")
    page.wait_for_selector("#live-tokens >> text=boxes")
    page.click("#live-tokens tr:has-text('boxes') button")
    page.wait_for_selector("#live-tokens .badge.revoked")
    me.complaints.clear()
    page.click("#live-tokens tr:has-text('me') button")
    page.wait_for_selector("#message >> text=the last admin")
    me.complaints.clear()  # a browser complains of the 409
    phone = reader(server.url, viewport=PHONE, color_scheme="dark")
    phone.page.goto("/tokens")
    phone.page.wait_for_url("**/sign-in")
    phone.page.fill("#token", token)
    phone.page.keyboard.press("Enter")
    phone.page.wait_for_url(server.url + "/")
    phone.page.goto("/tokens")
    phone.fits()
    phone.accessible()
    phone.page.click("#sign-out")
    phone.page.wait_for_url("**/sign-in")
    phone.page.goto("/")
    phone.page.wait_for_url("**/sign-in")
    assert not me.complaints
    assert not phone.complaints
