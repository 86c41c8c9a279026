"""The one way a command says that it failed."""


class Failure(Exception):
    """A command could not do its work; the text is one line: what is wrong, where, and what to do. Exit code 1."""


class Misuse(Exception):
    """A command was called wrongly; the text is one line. Exit code 2."""
