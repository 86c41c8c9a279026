"""The reference of settings, made from the sections and the text below each field.

``python -m pipeline.settings.reference > docs/settings.md`` writes it anew; a test tells when it is stale.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from pipeline.settings.alerts import AlertTarget
from pipeline.settings.load import SHORTCUTS
from pipeline.settings.sections import DetectorSettings, IncidentSettings, Settings, SuppressionSettings

_INTRODUCTION = """# Settings

A TOML file (`stillwatch.toml` in the working folder, or `--config FILE`, or `STILLWATCH_CONFIG`), then the environment,
then `--set key=value`; the later wins. In the environment a key is `STILLWATCH_`, the key in capitals, and two
underscores for each dot: `STILLWATCH_ENGINE__ALLOWED_LATENESS_S=300`. Lists and tables are given as JSON there.
{shortcuts}
The store's password comes from `STILLWATCH_STORE_PASSWORD` or from the file that `store.password_file` or
`STILLWATCH_STORE_PASSWORD_FILE` names, never from the address; the broker's
from `STILLWATCH_BROKER_PASSWORD`, or from the file that `stream.sasl_password_file` or `STILLWATCH_BROKER_PASSWORD_FILE` names.

This page is made from `pipeline/settings/sections.py` by `python -m pipeline.settings.reference`.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    short = " ".join(f"`{name}` is short for `{key}`." for name, key in SHORTCUTS.items())
    parts = [_INTRODUCTION.format(shortcuts=short)]
    root = Settings()
    parts.extend(_table(f"`[{name}]`", f"{name}.", getattr(root, name)) for name in Settings.__struct_fields__)
    parts.append(_table("`[engine.incident]`", "engine.incident.", IncidentSettings()))
    suppression = SuppressionSettings(account="example", until=datetime(2025, 1, 1, tzinfo=UTC))
    parts.append(_table("`[[engine.incident.suppressions]]`", "", suppression))
    parts.append(_table("`[[engine.detectors]]`", "", DetectorSettings(name="example")))
    parts.append(
        _table(
            "`[[alerts.targets]]`", "", AlertTarget(name="example", kind="webhook", address="https://example.org/hook")
        )
    )
    parts.append("## The detectors by default\n")
    parts.extend(_detectors(root.engine.detectors))
    return "\n".join(parts) + "\n"


def _table(title: str, prefix: str, section: msgspec.Struct) -> str:
    documents = _documents(type(section))
    lines = [f"## {title}\n", documents[""] + "\n", "| key | default | meaning |", "| --- | --- | --- |"]
    required = {field.name for field in msgspec.structs.fields(section) if field.required}
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, msgspec.Struct) or name in ("detectors", "targets"):
            continue
        default = "" if name in required else f"`{msgspec.json.encode(value).decode()}`"
        lines.append(f"| `{prefix}{name}` | {default} | {documents[name]} |")
    return "\n".join(lines) + "\n"


def _detectors(detectors: tuple[DetectorSettings, ...]) -> Iterator[str]:
    yield "| name | model | on | features | parameters |"
    yield "| --- | --- | --- | --- | --- |"
    for one in detectors:
        seen = "events" if one.on == "event" else f"windows of {one.window_s} s"
        parameters = ", ".join(f"{key} = {value}" for key, value in one.parameters.items())
        yield f"| `{one.name}` | `{one.model}` | {seen} | {', '.join(one.features)} | {parameters} |"


def _documents(section: type[msgspec.Struct]) -> dict[str, str]:
    """The text below each field of a section, and its own under the empty name."""
    source = inspect.getsource(sys.modules[section.__module__])
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == section.__name__:
            texts = {"": " ".join((ast.get_docstring(node) or "").split())}
            for field, text in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    texts[field.target.id] = " ".join(str(text.value.value).split())
            return texts
    raise LookupError(section.__name__)


if __name__ == "__main__":
    print(reference(), end="")
