"""How often one may ask, and guess."""

import httpx
import pytest

from lehr_service.api.rates import GUESS_SECONDS, GUESSES, Guesses, Rates, address_of
from lehr_service.settings import Settings


class Time:
    """Seconds that tests move."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_a_bucket_holds_a_burst_and_fills_again():
    time = Time()
    rates = Rates(2.0, 4.0, time)
    assert [rates.take("a") for _ in range(4)] == [0.0] * 4
    assert rates.take("a") == pytest.approx(0.5)
    assert rates.take("b") == 0.0, "another sender has its own"
    time.now += 0.5
    assert (rates.take("a"), rates.take("a") > 0) == (0.0, True)
    time.now += 1e6
    assert [rates.take("a") == 0.0 for _ in range(5)] == [True] * 4 + [False]


def test_memory_is_bounded_whoever_asks():
    rates, guesses = Rates(1.0, 1.0, Time()), Guesses(Time())
    for number in range(20_000):
        rates.take(str(number))
        guesses.note(str(number), "wrong")
        guesses.note("one", str(number))
    assert len(rates._left) <= 10_000
    assert len(guesses._known) <= 10_000
    assert max(map(len, guesses._known.values())) <= 20


def test_guesses_are_limited_and_a_repeated_mistake_is_none():
    time = Time()
    guesses = Guesses(time)
    for _ in range(1000):
        assert guesses.wait("here", "misspelt") == 0.0
        guesses.note("here", "misspelt")
    for number in range(GUESSES - 1):
        assert guesses.wait("here", f"guess {number}") == 0.0
        guesses.note("here", f"guess {number}")
    assert 0 < guesses.wait("here", "the right one") <= GUESS_SECONDS
    assert guesses.wait("here", "misspelt") == 0.0
    assert guesses.wait("elsewhere", "the right one") == 0.0
    time.now += GUESS_SECONDS
    assert guesses.wait("here", "the right one") == 0.0


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_counted_by_its_network(host, counted):
    assert address_of((host, 1)) == counted
    assert address_of(None) == ""


def test_too_many_requests_are_told_when_to_come_again(serve):
    server = serve(requests_per_second=1, token="by environment")
    mine = {"Authorization": "Bearer by environment"}
    answers = [server.http.get("/v1/studies", headers=mine) for _ in range(20)]
    refused = [a for a in answers if a.status_code != 200]
    assert len(refused) >= 10
    for answer in refused:
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
        assert int(answer.headers["retry-after"]) >= 1
    assert server.http.get("/healthz").status_code == 200
    assert server.http.get("/static/style.css").status_code == 200


def test_each_token_has_its_own_share(serve):
    server = serve(requests_per_second=4, token="by environment")
    mine = {"Authorization": "Bearer by environment"}
    body = {"name": "other", "role": "viewer"}
    other = server.http.post("/v1/tokens", json=body, headers=mine).json()["token"]
    for _ in range(30):
        server.http.get("/v1/studies", headers=mine)
    theirs = {"Authorization": f"Bearer {other}"}
    assert server.http.get("/v1/studies", headers=theirs).status_code == 200


def test_a_thousand_workers_behind_one_token_are_not_limited():
    """Heartbeats, claims and a report a second of each."""
    settings = Settings()
    a_second = 1000 * (1 / settings.heartbeat_seconds + 1 / 20 + 1)
    assert settings.requests_per_second > 3 * a_second


def test_who_guesses_must_wait_and_disturbs_nobody_with_a_real_token(serve):
    server = serve(token="by environment")
    http, right = server.http, {"Authorization": "Bearer by environment"}
    made = http.post("/v1/tokens", json={"name": "x", "role": "viewer"}, headers=right).json()

    def given(token):
        return http.get("/v1/studies", headers={"Authorization": f"Bearer {token}"})

    for _ in range(50):
        assert given("the same mistake").status_code == 401
    said = [given(f"guess {number}").status_code for number in range(20)]
    assert said == [401] * 9 + [429] * 11
    assert int(given("guess").headers["retry-after"]) >= 1
    assert given("by environment").status_code == 429, "it is not told which guess is right"
    assert http.post("/sign-in", json={"token": "by environment"}).status_code == 429
    assert given(made["token"]).status_code == 200, "nobody can have guessed this one"
    assert given(f"lehr_{'0' * 16}_{'0' * 48}").status_code == 429
    assert given("the same mistake").status_code == 401
    assert httpx.get(f"{server.url}/v1/studies").status_code == 401, "no token is no guess"
