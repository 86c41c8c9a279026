"""Every command and every SQL query of the README and the docs runs as it stands there.

A block marked `bash` is run as a script, the blocks of a page in their order and in one folder; a block marked `sql` is run on
the store that the README's commands have made. Blocks marked `sh` need what a test cannot have (a Docker engine, an
installed service) and are only checked for commands and options that exist.
"""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from backports import zstd

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST_S = 240
ASK_ALL = """
import json, sys
from pipeline.command_line import build_app
from pipeline.command_line.run import run
for query in json.load(open(sys.argv[1])):
    if run(build_app(), ["sql", query, "--format", "JSONEachRow"]):
        sys.exit(query)
"""


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page.read_text()) if found == language]


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")}
    environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


@pytest.mark.documentation
def test_the_commands_of_the_readme_and_the_queries_of_every_page_run(tmp_path: Path) -> None:
    # One test, so that the commands, which take a minute, are run once however tests are spread over processes.
    for script in blocks(ROOT / "README.md", "bash"):
        done = run(script, tmp_path)
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    asked = [(page, query) for page in PAGES for query in blocks(page, "sql")]
    assert {page.name for page, _ in asked} >= {"README.md", "sql.md"}
    # In one process, since each takes a second to start.
    (tmp_path / "queries.json").write_text(json.dumps([query for _, query in asked]))
    done = run(f"python -c '{ASK_ALL}' queries.json", tmp_path)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.documentation
@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page, "bash")], ids=lambda page: page.name)
def test_the_commands_of_the_docs_run(page: Path, tmp_path: Path) -> None:
    for script in blocks(page, "bash"):
        done = run(script, tmp_path)
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


EXAMPLES = ROOT / "schemas" / "examples"


def put_logs(folder: Path) -> None:
    """The files that docs/sources.md reads, made from the examples of each format."""
    texts = {path.name: path.read_text() for path in EXAMPLES.iterdir() if path.suffix in (".json", ".jsonl", ".csv")}
    (folder / "events.jsonl.zst").write_bytes(zstd.compress(texts["native.jsonl"].encode()))
    for name in ("spend.jsonl", "payloads.json"):
        (folder / name).write_text(texts["litellm.jsonl"])
    (folder / "spans.json").write_text(texts["otel_spans.json"].replace("deployment.environment.name", "tenant.id"))
    (folder / "CloudTrail").mkdir()
    (folder / "CloudTrail" / "one.json.gz").write_bytes(gzip.compress(texts["cloudtrail.json"].encode()))
    (folder / "trail.json").write_text(texts["cloudtrail.json"])
    tenant = '{"authorizer":{"tenantId":"t-1"},"requestId"'
    (folder / "access.jsonl").write_text(texts["apigateway.jsonl"].replace('{"requestId"', tenant, 1))
    (folder / "gateway.jsonl").write_text((EXAMPLES.parent / "gateway_logs" / "bedrock.jsonl").read_text())
    (folder / "AzureLLMInferenceTrace_conv.csv.gz").write_bytes(gzip.compress(texts["traces.csv"].encode()))


def test_the_commands_of_the_page_on_sources_run_on_the_examples(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sources.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^    (stillwatch ingest .*)$", page, re.MULTILINE)
    assert len(commands) > 6
    put_logs(tmp_path)
    start = "stillwatch worker --web-port 0 2> worker.log & until grep -q ready worker.log; do sleep 0.1; done"
    done = run("\n".join([start, "set -x", *commands, "kill -TERM %1", "wait %1"]), tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_every_command_that_the_pages_name_exists() -> None:
    named = {
        match
        for page in PAGES
        for language in ("bash", "sh")
        for block in blocks(page, language)
        for match in re.findall(r"\bstillwatch (replay [\w-]+|[a-z]+)", block)
    }
    assert named
    for command in sorted(named):
        done = run(f"stillwatch {command} --help", ROOT)
        assert done.returncode == 0, f"stillwatch {command}: {done.stderr}"
