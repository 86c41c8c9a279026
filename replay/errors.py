"""What can go wrong with a replay, each in one line."""


class ReplayError(Exception):
    """A replay, an evaluation or a comparison cannot be done; the text is one line."""
