"""The reference of commands, made from the program itself.

``python -m replay.command_line.reference > docs/commands.md`` writes it anew; a test tells when it is stale.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from cyclopts import App
from cyclopts.argument import Argument

from pipeline.command_line.options import Common
from replay.command_line import build_full_app

_INTRODUCTION = """# Commands

`stillwatch COMMAND --help` says the same. `--debug` with any command shows a traceback where something fails. Exit codes: 0
done, 1 failed, 2 wrong use. What `--config` and `--set` can say is in [settings](settings.md).

This page is made from the program by `python -m replay.command_line.reference`.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    common = list(App(default_command=_common).assemble_argument_collection(parse_docstring=True))
    names = {argument.name for argument in common if argument.show}
    parts = [_INTRODUCTION, "## Options of most commands\n", *_table(common), ""]
    for title, app in _commands(build_full_app(), "stillwatch"):
        parts += [f"## `{title}`\n", *_described(app)]
        arguments = list(app.assemble_argument_collection(parse_docstring=True))
        own = [argument for argument in arguments if argument.name not in names]
        if any(argument.show for argument in own):
            parts += [*_table(own), ""]
        if len(own) < len(arguments):
            parts.append("And the options of most commands.\n")
    return "\n".join(parts).rstrip() + "\n"


def _common(*, common: Common | None = None) -> None:
    """A command that has these options and no others."""


def _commands(app: App, path: str) -> Iterator[tuple[str, App]]:
    """Commands that do something, with their full names, in the order in which they were added."""
    for name in app:
        if not name.startswith("-"):
            title = f"{path} {name}"
            found = app[name]
            if found.default_command is None:
                yield from _commands(found, title)
            else:
                yield title, found


def _described(app: App) -> Iterator[str]:
    """What a command does: its line in the list of commands, and what its own text says beyond it."""
    text = inspect.cleandoc(app.default_command.__doc__ or "") if app.default_command else ""
    summary, _, rest = text.partition("\n\nParameters\n---")[0].partition("\n\n")
    yield f"{app.help or ' '.join(summary.split())}\n"
    for paragraph in filter(None, rest.split("\n\n")):
        yield f"{' '.join(paragraph.split())}\n"


def _table(arguments: list[Argument]) -> Iterator[str]:
    yield "| option | default | meaning |"
    yield "| --- | --- | --- |"
    for argument in arguments:
        if argument.show:
            meaning = " ".join((argument.parameter.help or "").split()).replace("|", "\\|")
            yield f"| `{', '.join(argument.names)}` | {_default(argument)} | {meaning} |"


def _default(argument: Argument) -> str:
    if argument.required:
        return "required"
    value = argument.field_info.default
    if value is argument.field_info.empty or value is None or value is False or value == ():
        return ""
    return f"`{value}`"


if __name__ == "__main__":
    print(reference(), end="")
