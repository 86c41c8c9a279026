"""What the tests of `pipeline.sources` share."""

import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.event import ApiCall, Rejected
from pipeline.sources import SourceOptions, read_calls

RECEIVED_AT = 1_735_689_600_000  # 2025-01-01
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
CSV_MAP = {
    "ts": "TIMESTAMP",
    "account_id": "customer",
    "input_tokens": "ContextTokens",
    "output_tokens": "GeneratedTokens",
    "prompt_text": "prompt",
}


def options(**choices) -> SourceOptions:
    return SourceOptions(**{"received_at": RECEIVED_AT, **choices})


def read(*paths, format="auto", progress=None, **choices) -> list[ApiCall | Rejected]:  # noqa: A002
    return list(read_calls([str(path) for path in paths], format=format, options=options(**choices), progress=progress))


def write(folder: Path, content: bytes | str | Iterable[object], name: str = "input.jsonl") -> Path:
    """A file of bytes, of text, or of objects as JSON lines."""
    if not isinstance(content, (bytes, str)):
        content = "".join(json.dumps(record) + "\n" for record in content)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read_records(folder: Path, records: Iterable[object], **choices) -> list[ApiCall | Rejected]:
    return read(write(folder, records), **choices)


def calls(results) -> list[ApiCall]:
    return [result for result in results if isinstance(result, ApiCall)]


def rejects(results) -> list[Rejected]:
    return [result for result in results if isinstance(result, Rejected)]


def reasons(results) -> list[str]:
    return [reject.reason.value for reject in rejects(results)]
