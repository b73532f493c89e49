"""The pages as a browser gets them: what they show, what is escaped, who may see and change."""

import re

import httpx
import pytest

from lehr_service.web import render

HTML = {"Accept": "text/html,application/xhtml+xml"}
TABS = (
    *("history", "curves", "intermediate", "parallel", "slice", "contour", "importances", "edf"),
    *("timeline", "table", "definition"),
)


@pytest.fixture
def http(serve):
    return serve().http


def text_of(answer, status=200):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    return answer.text


@pytest.fixture
def study(http, create, simulated):
    """A study with a complete trial, one that failed with markup in its error, one that runs."""
    create(http, limits={"max_trials": 10}, labels={"team": "vision"})
    worker = simulated(http, name="<b>worker</b>")
    lease = worker.claim()
    worker.report(lease, 0, 0.25)
    worker.complete(lease, metrics={"val_loss": 0.5})
    error = {"message": "<script>alert(1)</script>", "traceback": "</pre><img src=x>"}
    worker.send(worker.claim(), "fail", outcome="error", **error)
    worker.report(worker.claim(), 0, 0.75)
    return http


def test_a_new_server_says_what_to_do_next(http):
    page = text_of(http.get("/"))
    assert "There are no studies yet" in page
    assert "lehr work" in page
    assert "No worker is here" in text_of(http.get("/workers"))


def test_studies_are_searched_and_filtered(http, create):
    create(http, name="first", labels={"team": "vision"})
    create(http, name="second", task="other_task")
    http.post("/v1/studies/second/pause")

    def shown(**query):
        found = re.findall(r'<a href="/studies/([a-z]+)">', text_of(http.get("/", params=query)))
        return set(found)

    assert shown() == {"first", "second"}
    assert shown(q="VISION") == {"first"}
    assert shown(q="other_task") == {"second"}
    assert shown(state="paused") == {"second"}
    assert shown(state="nothing") == {"first", "second"}
    assert shown(q="100%") == set()


def test_more_studies_than_fit_are_on_the_next_page(http, create, monkeypatch):
    from lehr_service.web import views

    monkeypatch.setattr(views, "PAGE", 2)
    for name in ("a", "b", "c"):
        create(http, name=name)
    first = text_of(http.get("/"))
    assert 'href="/studies/a"' not in first
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    assert 'href="/studies/a"' in text_of(http.get(following))


def test_a_study_is_shown_in_every_view(study):
    for tab in TABS:
        page = text_of(study.get("/studies/study", params={"tab": tab}))
        for said in ("0.25", "1 complete", "1 running", "1 failed", "2 of 10 trials", "Pause"):
            assert said in page, (tab, said)
        plot = re.search(r'data-plot="([^"]+)"', page)
        if plot:
            assert study.get(plot[1]).json().keys() >= {"data", "layout"}
        else:
            assert tab in ("table", "definition")


def test_a_study_without_trials_and_a_finished_one(http, create):
    create(http)
    assert "Nothing is running yet" in text_of(http.get("/studies/study"))
    http.post("/v1/studies/study/cancel")
    page = text_of(http.get("/studies/study"))
    assert "Delete" in page
    assert "Pause" not in page


def test_what_workers_send_is_escaped(study):
    page = text_of(study.get("/studies/study/trials/1"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;/pre&gt;&lt;img src=x&gt;" in page
    for url in ("/workers", "/studies/study", "/studies/study?tab=table"):
        page = text_of(study.get(url))
        assert "&lt;b&gt;worker&lt;/b&gt;" in page
        assert "<b>worker" not in page


def test_a_study_says_what_failed_last(study):
    page = text_of(study.get("/studies/study"))
    assert 'href="/studies/study/trials/1">1</a> failed: &lt;script&gt;alert(1)' in page


def test_trials_are_compared(study):
    page = text_of(study.get("/studies/study/compare?trials=0&trials=2"))
    assert "trials=0,2" in page
    assert "val_loss" in page
    assert "Mark trials" in text_of(study.get("/studies/study/compare"))
    text_of(study.get("/studies/study/compare?trials=99"), 404)
    many = "&".join(f"trials={n}" for n in range(9))
    text_of(study.get(f"/studies/study/compare?{many}"), 422)
    text_of(study.get("/studies/study/compare?trials=99999999999"), 422)


def test_the_table_is_sorted_filtered_and_paged(study, monkeypatch):
    from lehr_service.web import views

    def numbers(**query):
        page = text_of(study.get("/studies/study", params={"tab": "table", **query}))
        return [int(n) for n in re.findall(r'name="trials" value="(\d+)"', page)]

    assert numbers() == [2, 1, 0]
    assert numbers(order="number") == [0, 1, 2]
    assert numbers(state="fail") == [1]
    monkeypatch.setattr(views, "PAGE", 2)
    page = text_of(study.get("/studies/study?tab=table"))
    following = re.search(r'rel="next" data-tab href="([^"]+)"', page)[1].replace("&amp;", "&")
    assert 'name="trials" value="0"' in text_of(study.get(following))


def test_what_is_not_there_is_a_page_that_says_so(study):
    for url in (
        "/studies/no",
        "/studies/study/trials/99",
        "/studies/study?tab=no",
        "/new?example=no",
    ):
        assert "Not found" in text_of(study.get(url), 404), url


def test_an_address_where_nothing_is_is_a_page_to_a_browser_and_json_to_others(http):
    page = text_of(http.get("/nothing/here", headers=HTML), 404)
    assert "there is nothing at /nothing/here" in page
    assert 'href="/"' in page
    answer = http.get("/v1/nothing")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("not_found", "there is nothing at /v1/nothing")


def test_a_study_of_several_objectives_leads_to_its_front(http, create, several):
    create(http, **several)
    assert "2 objectives" in text_of(http.get("/"))
    page = text_of(http.get("/studies/study"))
    assert 'href="/studies/study?tab=pareto">several objectives' in page
    assert "none yet" in page, "and not five zeros"


def test_the_editor_reads_yaml_and_every_example_is_valid(http):
    page = text_of(http.get("/new"))
    for name in re.findall(r'href="/new\?example=([a-z-]+)"', page):
        shown = text_of(http.get("/new", params={"example": name}))
        written = re.search(r"<textarea[^>]*>(.*?)</textarea>", shown, re.DOTALL)[1]
        for entity, sign in (("&gt;", ">"), ("&lt;", "<"), ("&#39;", "'"), ("&amp;", "&")):
            written = written.replace(entity, sign)
        read = http.post("/pages/definition", json={"text": written})
        assert read.status_code == 200, read.text
        checked = http.post("/v1/studies?validate_only=true", json=read.json())
        assert checked.status_code == 200, checked.text
    wrong = http.post("/pages/definition", json={"text": "name: a\nname: b\n"})
    assert wrong.status_code == 422
    assert "line:2: the key 'name' is given twice" in wrong.json()["error"]["message"]
    for number in (".inf", ".nan", "1e999"):
        wrong = http.post("/pages/definition", json={"text": f"name: {number}"})
        assert wrong.status_code == 422
        assert "must be finite" in wrong.json()["error"]["message"]


def test_scripts_and_styles_come_from_here_and_stay_in_caches(http):
    page = text_of(http.get("/studies/study"), 404)
    urls = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(urls) >= 3
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    urls += re.findall(r'(?:src|href)="(/static/[^"]+)"', text_of(http.get("/docs")))
    assert any("swagger" in url for url in urls)
    for url in [*urls, "/static/plotly.min.js?v=1"]:
        answer = http.get(url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    for name in ("no.js", "..%2Fpages.py"):
        assert http.get(f"/static/{name}").status_code == 404


@pytest.fixture
def guarded(serve):
    return serve(token="correct horse")


def test_with_a_token_pages_lead_to_where_one_signs_in(guarded):
    http = guarded.http
    answer = http.get("/studies/study?tab=table", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert http.get("/", headers={"Accept": "application/json"}).status_code == 401
    assert http.get("/v1/studies").status_code == 401
    text_of(http.get("/sign-in"))
    assert http.get("/static/style.css").status_code == 200
    assert http.post("/sign-in", json={"token": "wrong"}).status_code == 401
    signed = http.post("/sign-in", json={"token": "correct horse"})
    assert signed.status_code == 204
    cookie = signed.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert part in cookie
    text_of(http.get("/", headers=HTML))
    assert http.get("/v1/studies").status_code == 200
    bearer = {"Authorization": "Bearer wrong"}
    assert http.get("/v1/studies", headers=bearer).status_code == 401, "a header goes first"
    http.post("/sign-out")
    assert http.get("/v1/studies").status_code == 401


def test_a_page_of_another_site_changes_nothing(serve, create):
    server = serve()
    create(server.http)
    host = server.url.removeprefix("http://")
    for headers, allowed in (
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Origin": f"http://{host}"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.a.proxy"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({}, True),
    ):
        answer = httpx.post(f"{server.url}/v1/studies/study/pause", headers=headers)
        assert answer.status_code == (200 if allowed else 403), headers
        if not allowed:
            assert answer.json()["error"]["code"] == "forbidden"
            assert server.http.get("/v1/studies/study").json()["state"] == "active"
        server.http.post("/v1/studies/study/resume")


def test_a_study_says_what_pruning_saved(http, create, simulated):
    create(http, pruner={"name": "threshold", "lower": 0.5})
    assert "by pruning" not in text_of(http.get("/studies/study", headers=HTML))
    worker = simulated(http)
    worker.report(worker.claim(), 0, 0.1)
    assert "3 epochs (75%) by pruning 1 trial<" in text_of(http.get("/studies/study", headers=HTML))


def test_a_worker_that_tests_learning_rates_is_said_to_do_so(http, create, simulated):
    tested = {"learning_rate": {"range_test": {}}}
    create(http, search_space={"optimizer": {"sgd": tested}})
    http.post("/v1/studies/study/trials", json={"params": {}})
    assert simulated(http, abilities=["range_test"]).claim()["optimizer"]["name"] == "sgd"
    page = text_of(http.get("/workers"))
    assert '<a href="/studies/study/range-tests">study range test of sgd</a>' in page
    assert "study trial" not in page
    page = text_of(http.get("/studies/study"))
    assert 'No trial is running: <a href="/studies/study/range-tests">range tests</a>' in page


def test_who_may_only_read_is_shown_no_button_that_writes(serve, create, simulated):
    server = serve()
    create(server.http)
    simulated(server.http).claim()
    tokens = {}
    for role in ("admin", "researcher", "viewer"):
        wanted = {"name": role, "role": role}
        tokens[role] = server.http.post("/v1/tokens", json=wanted).json()["token"]
        server.http.headers["Authorization"] = f"Bearer {tokens['admin']}"

    def offered(role):
        bearer = {"Authorization": f"Bearer {tokens[role]}"}
        urls = ("/", "/workers", "/studies/study", "/studies/study/trials/0")
        pages = "".join(text_of(server.http.get(url, headers=bearer)) for url in urls)
        found = re.findall(r'data-(?:post|enqueue)="([^"]+)"|(?:button.*)href="(/new)"', pages)
        return {(one or other).rpartition("/")[2] for one, other in found} - {"sign-out"}

    written = {"new", "pause", "stop", "cancel", "trials"}
    assert offered("viewer") == set()
    assert offered("researcher") == written
    assert offered("admin") == written | {"drain"}


def test_labels_are_shown_and_escaped(http, create):
    create(http, labels={"team": "<i>ours</i>"})
    assert "&lt;i&gt;ours&lt;/i&gt;" in text_of(http.get("/studies/study"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (0.043, "0.04 s"), (7.26, "7.3 s"), (61, "1 min 1 s"), (7380, "2 h 3 min")],
)
def test_times_have_their_unit(seconds, text):
    assert render.seconds(seconds) == text


def test_one_is_not_several():
    assert [render.counted(n, "trial") for n in (0, 1, 2000)] == [
        "0 trials",
        "1 trial",
        "2,000 trials",
    ]
