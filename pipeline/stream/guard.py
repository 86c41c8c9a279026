"""Stops a worker that would reject nearly everything: then the deployment is wrong, not the events."""

from __future__ import annotations

from collections import deque


class RejectGuard:
    """Watches the share of rejects among the last `window` records; at least a tenth of them must have been seen."""

    def __init__(self, share_limit: float, window: int) -> None:
        self._share_limit = share_limit
        self._window = window
        self._recent: deque[tuple[int, int]] = deque()
        self._received = 0
        self._rejected = 0

    def add(self, received: int, rejected: int) -> None:
        """Count a batch."""
        self._recent.append((received, rejected))
        self._received += received
        self._rejected += rejected
        while self._received - self._recent[0][0] >= self._window:
            received, rejected = self._recent.popleft()
            self._received -= received
            self._rejected -= rejected

    @property
    def share(self) -> float:
        """Share of rejects among the recent records."""
        return self._rejected / self._received if self._received else 0.0

    @property
    def tripped(self) -> bool:
        """Whether the share is above the limit and enough records were seen to say so."""
        return self._received >= self._window / 10 and self.share > self._share_limit
