"""``lehr token``: at a server, and in the database where no token is known yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from lehr import Client
from lehr.errors import Conflict, Unauthorized

Run = Callable[..., Result]


def test_the_first_token_comes_from_the_database_itself(
    lehr_at: Run, serve: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"

    def local(*arguments: str) -> Result:
        return lehr_at("http://127.0.0.1:1", "token", *arguments, "--local", "--home", str(home))

    assert local("list").stdout.startswith("no tokens; make the first with: lehr token create")
    made = local("create", "me", "--role", "admin")
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    assert made.stdout == f"{token}\n", "nothing else, so that a shell can keep it"
    assert made.stderr == "admin token of me; it is not shown again\n"
    server = serve()  # in the same home
    assert server.http.get("/v1/studies").status_code == 401
    listed = lehr_at(server.url, "token", "list", "--token", token)
    assert "me" in listed.stdout
    assert token not in listed.output
    second = json.loads(local("create", "boxes", "--role", "worker", "--json").stdout)
    assert second["role"] == "worker"
    assert [t["name"] for t in json.loads(local("list", "--json").stdout)] == ["boxes", "me"]
    revoked = local("revoke", "me")
    assert "admin token of me" in revoked.stdout
    assert "is revoked" in revoked.stdout
    assert local("revoke", "me").stderr.startswith("no token has the id or name 'me'")


def test_tokens_at_a_server(lehr_at: Run, serve: Any) -> None:
    url = serve(token="by environment").url

    def at(*arguments: str) -> Result:
        return lehr_at(url, "token", *arguments, "--token", "by environment")

    made = json.loads(at("create", "ann", "--role", "viewer", "--expires", "90d", "--json").stdout)
    assert made["token"].startswith(f"lehr_{made['id']}_")
    seconds = at("create", "ann", "--role", "viewer", "--expires", "soon")
    assert (seconds.exit_code, "expires_in" in seconds.stderr) == (1, True)
    at("create", "ann", "--role", "viewer")
    assert "2 tokens are named 'ann'; give an id" in at("revoke", "ann").stderr
    gone = json.loads(at("revoke", made["id"], "--json").stdout)
    assert gone["revoked_at"] is not None
    table = at("list").stdout
    assert ("revoked" in table, "valid" in table, "never" in table) == (True, True, True)
    refused = lehr_at(url, "study", "list", "--token", made["token"])
    assert (refused.exit_code, "'ann' was revoked" in refused.stderr) == (1, True)


def test_what_a_role_lacks_is_said_without_asking_for_a_token(lehr_at: Run, serve: Any) -> None:
    url = serve(token="by environment").url
    with Client(url, "by environment") as admin:
        viewer = admin.create_token("ann", "viewer").token
    refused = lehr_at(url, "token", "list", "--token", viewer)
    assert refused.exit_code == 1
    assert refused.stderr == "this needs the role admin; the token 'ann' has viewer\n"


def test_the_client_makes_lists_and_revokes(serve: Any) -> None:
    url = serve().url
    with Client(url, retry_seconds=0) as anybody:
        made = anybody.create_token("me", "admin", expires_in=3600)
        with pytest.raises(Unauthorized):
            list(anybody.tokens())
    with Client(url, made.token, retry_seconds=0) as me:
        assert [token.id for token in me.tokens()] == [made.id]
        with pytest.raises(Conflict, match="the last admin"):
            me.revoke_token(made.id)
        other = me.create_token("you", "viewer")
        me.revoke_token(other.id)
        me.revoke_token(other.id)
        assert [token.revoked_at is None for token in me.tokens()] == [False, True]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://lehr:hunter2@127.0.0.1:1/lehr", "the database cannot be used"),
        ("postgresql://lehr:hunter2@127.0.0.1:hunter2/lehr", "no database URL"),
        ("postgresql//lehr:hunter2@127.0.0.1/lehr", "no database URL"),
        ("sqlite:////no/such/folder/hunter2.db", "the database cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_no_reason_to_tell_its_password(
    lehr_at: Run, url: str, said: str
) -> None:
    refused = lehr_at("", "token", "list", "--database-url", url)
    assert refused.exit_code in (1, 2)
    assert said in " ".join(refused.stderr.replace("│", "").split())
    assert "hunter2" not in refused.output
    assert isinstance(refused.exception, SystemExit)


def test_the_doctor_says_that_a_workers_token_is_enough_to_train(lehr_at: Run, serve: Any) -> None:
    url = serve(token="by environment").url
    with Client(url, "by environment") as admin:
        worker = admin.create_token("boxes", "worker").token
    said = lehr_at(url, "doctor", "--token", worker).stdout
    assert "server: answers, but this needs the role viewer; the token 'boxes' has worker" in said
    assert "a worker's token is enough to train" in said
    assert "set LEHR_TOKEN" in lehr_at(url, "doctor", "--token", "wrong").stdout
