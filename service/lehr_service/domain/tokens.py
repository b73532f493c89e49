"""What a token is, and when it is valid. Pure; no I/O.

A token is ``lehr_ID_SECRET``. Its secret has 192 random bits, which nobody can guess or find from
a hash by trying, so what is stored is one plain SHA-256 (slow, salted hashes are for passwords that
people choose). It is looked up by its id, and its hash is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from lehr.wire.tokens import Role

_ID_BYTES = 8
_SECRET_BYTES = 24
_FORM: Final = re.compile(r"lehr_([0-9a-f]{16})_[0-9a-f]{48}")


@dataclass(frozen=True)
class Token:
    """A token as it is stored; moments in seconds since 1970."""

    id: str
    name: str
    role: Role
    digest: str  # SHA-256 of the whole token, in hexadecimal digits
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def fits(self, given: str) -> bool:
        """Whether this is the token that someone gives."""
        return hmac.compare_digest(self.digest, digest(given))


def new_token(name: str, role: Role, now: float, seconds: float | None) -> tuple[Token, str]:
    """A token that lives for so many seconds (None: until it is revoked), and its text."""
    token_id = secrets.token_hex(_ID_BYTES)
    text = f"lehr_{token_id}_{secrets.token_hex(_SECRET_BYTES)}"
    expires_at = None if seconds is None else now + seconds
    return Token(token_id, name, role, digest(text), now, expires_at), text


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def id_of(text: str) -> str | None:
    """The id in a token's text; None if it has not the form of one."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None
