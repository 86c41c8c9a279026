"""Pages that are made from the code are as the code is now."""

from pathlib import Path

from pipeline.stream import metrics_reference
from pipeline.stream.metrics import METRICS
from replay.command_line import reference as commands_reference

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_of_metrics_is_current() -> None:
    page = (DOCS / "metrics.md").read_text()
    assert page == metrics_reference.reference(), "run: python -m pipeline.stream.metrics_reference > docs/metrics.md"
    assert all(f"| `{metric.name}` |" in page for metric in METRICS)


def test_the_reference_of_commands_is_current() -> None:
    page = (DOCS / "commands.md").read_text()
    assert page == commands_reference.reference(), "run: python -m replay.command_line.reference > docs/commands.md"


def test_the_reference_of_commands_has_every_command_with_its_options_and_defaults() -> None:
    page = (DOCS / "commands.md").read_text()
    for text in (
        "## `stillwatch worker`",
        "## `stillwatch replay what-if`",
        "## `stillwatch alerts test`",
        "| `--broker` |  | Kafka: kafka://host:9092, or embedded. |",
        "| `--run-id` | `live` | The run_id of the rows written. |",
        "| `--query` | required |",
    ):
        assert text in page, text
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == [], "an option without a text"
