"""Who is signed in: one token, sessions that end, and few attempts. Pure of I/O; the clock is passed in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

SESSION_S = 12 * 3600.0
#: Wrong tokens that an address may send within the time below, and addresses that are remembered.
ATTEMPTS, ATTEMPTS_WITHIN_S = 5, 60.0
_MOST_ADDRESSES = 1024
#: When there are more sessions than this the oldest ends.
_MOST_SESSIONS = 256
#: The shortest token that is taken from a file or the environment.
SHORTEST_TOKEN = 16


class TooManyAttemptsError(Exception):
    """An address has sent too many wrong tokens; `wait_s` is how long until it may try again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong tokens: try again in {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has signed in; `csrf` must come with every request that writes."""

    csrf: str
    ends_at: float


def new_token() -> str:
    """A token that cannot be guessed: 256 bits."""
    return secrets.token_urlsafe(32)


class SignIn:
    """Checks tokens and remembers sessions, in memory only: a restart signs everybody out."""

    def __init__(self, token: str, clock: Callable[[], float], session_s: float = SESSION_S) -> None:
        self._token = _digest(token)
        self._clock = clock
        self._session_s = session_s
        self._sessions: dict[bytes, Session] = {}
        self._wrong: dict[str, list[float]] = {}

    def is_token(self, given: str, address: str) -> bool:
        """Whether `given` is the token, in constant time. Raises `TooManyAttemptsError` before it looks."""
        now = self._clock()
        recent = [at for at in self._wrong.get(address, ()) if now - at < ATTEMPTS_WITHIN_S]
        if len(recent) >= ATTEMPTS:
            raise TooManyAttemptsError(ATTEMPTS_WITHIN_S - (now - recent[0]))
        if hmac.compare_digest(_digest(given), self._token):
            self._wrong.pop(address, None)
            return True
        self._wrong.pop(address, None)
        self._wrong[address] = [*recent, now]
        while len(self._wrong) > _MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
        return False

    def begin(self) -> tuple[str, Session]:
        """A new session and its secret, which only the browser keeps: here is its digest."""
        secret = secrets.token_urlsafe(32)
        session = Session(csrf=secrets.token_urlsafe(24), ends_at=self._clock() + self._session_s)
        self._sessions[_digest(secret)] = session
        while len(self._sessions) > _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return secret, session

    def session(self, secret: str | None) -> Session | None:
        """The session of a cookie, or None when there is none or it has ended."""
        if not secret:
            return None
        key = _digest(secret)
        session = self._sessions.get(key)
        if session is not None and self._clock() >= session.ends_at:
            del self._sessions[key]
            return None
        return session

    def end(self, secret: str | None) -> None:
        """Sign out."""
        if secret:
            self._sessions.pop(_digest(secret), None)


def same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
