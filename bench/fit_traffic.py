"""Fits the scenarios' traffic to real traces: reads ServeGen, Azure and Mooncake, writes `replay/scenarios/fitted/traffic.json`.

Run as `python bench/fit_traffic.py DATA_FOLDER`; the same data give the same file.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import sys
import tarfile
from pathlib import Path

import numpy as np

GRID = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0]
OUTPUT = Path(__file__).parents[1] / "replay" / "scenarios" / "fitted" / "traffic.json"
SOURCES = {
    "servegen": "alibaba/ServeGen f891d118, data/, Apache-2.0",
    "azure": "Azure/AzurePublicDataset b469a113, AzureLLMInferenceTrace, CC-BY-4.0",
    "mooncake": "kvcache-ai/Mooncake 3b5a5941, FAST25-release/traces, Apache-2.0",
}


def weighted_quantiles(weights: dict[float, float]) -> list[int]:
    """Quantiles on GRID of a distribution given as value -> weight."""
    values = np.array(sorted(weights))
    cumulative = np.cumsum([weights[v] for v in values])
    return [int(values[min(np.searchsorted(cumulative, q * cumulative[-1]), len(values) - 1)]) for q in GRID]


def quantiles(values: object, digits: int = 4) -> list[float]:
    return [round(float(q), digits) for q in np.quantile(np.asarray(values, float), GRID)]


def fit_client(trace: list[list[str]], dataset: dict[str, dict[str, str]]) -> dict[str, object] | None:
    """One ServeGen client: tokens, mean rate, burstiness and profile over the day; None when it is silent."""
    start = np.array([float(r[0]) for r in trace])
    rate = np.array([float(r[1]) for r in trace])
    cv = np.array([float(r[2] or 0) for r in trace])
    if rate.sum() == 0:
        return None
    tokens: dict[str, dict[float, float]] = {"input_tokens": {}, "output_tokens": {}, "reason_ratio": {}}
    for begin, window in dataset.items():
        inside = (start >= float(begin)) & (start < float(begin) + 21600)
        for name, sums in tokens.items():
            for value, share in ast.literal_eval(window.get(name) or "{}").items():
                sums[value] = sums.get(value, 0.0) + share * float(rate[inside].sum())
    if sum(tokens["input_tokens"].values()) == 0 or sum(tokens["output_tokens"].values()) == 0:
        return None
    hour = (start // 3600 % 24).astype(int)
    profile = np.array([rate[hour == h].mean() if (hour == h).any() else 0.0 for h in range(24)])
    busy = (rate > 0) & (cv > 0)
    families = [r[3] for r, b in zip(trace, busy, strict=True) if b]
    reason = tokens["reason_ratio"]
    return {
        "rate": round(float(rate.mean()), 7),
        "cv": round(float(np.average(cv[busy], weights=rate[busy])) if busy.any() else 1.0, 4),
        "weibull": round(families.count("Weibull") / len(families), 3) if families else 0.0,
        "profile": [round(float(p), 3) for p in profile / profile.mean()],
        "input": weighted_quantiles(tokens["input_tokens"]),
        "output": weighted_quantiles(tokens["output_tokens"]),
        "reasoning": round(sum(v * w for v, w in reason.items()) / (sum(reason.values()) or 1.0), 3),
    }


def fit_servegen(folder: Path) -> dict[str, list[dict[str, object]]]:
    members: dict[str, bytes] = {}
    for name in ("servegen_traces.tar.xz", "servegen_token_pdfs.tar.xz"):
        with tarfile.open(folder / name) as archive:
            for member in archive:
                if (content := archive.extractfile(member) if member.isfile() else None) is not None:
                    members[member.name.removeprefix("./")] = content.read()
    clients: dict[str, list[dict[str, object]]] = {}
    for name in sorted(n for n in members if n.endswith("-trace.csv")):
        dataset = members.get(name.replace("-trace.csv", "-dataset.json"))
        trace = list(csv.reader(members[name].decode().splitlines()))
        if dataset is not None and (client := fit_client(trace, json.loads(dataset))) is not None:
            clients.setdefault(Path(name).parent.name, []).append(client)
    return clients


def fit_azure(path: Path) -> dict[str, list[float]]:
    with gzip.open(path, "rt") as lines:
        rows = list(csv.DictReader(lines))
    return {
        "input": quantiles([r["ContextTokens"] for r in rows], 0),
        "output": quantiles([r["GeneratedTokens"] for r in rows], 0),
    }


def fit_mooncake(path: Path) -> dict[str, list[float]]:
    """Tokens, and of conversations (a request whose blocks continue an earlier one's): growth, gaps, turns."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    last: dict[int, tuple[int, int, int]] = {}
    growth, gaps, turns = [], [], []
    for row in rows:
        blocks, turn = row["hash_ids"], 1
        for block in reversed(blocks[1:]):
            if block in last:
                stamp, length, turn = last.pop(block)
                turn += 1
                if row["input_length"] > length and row["timestamp"] > stamp:
                    growth.append(row["input_length"] - length)
                    gaps.append((row["timestamp"] - stamp) / 1000)
                break
        turns.append(turn)
        if len(blocks) > 1:
            # The last block is rarely full, so a continuation shares the one before it.
            last[blocks[-2]] = (row["timestamp"], row["input_length"], turn)
    return {
        "input": quantiles([r["input_length"] for r in rows], 0),
        "output": quantiles([r["output_length"] for r in rows], 0),
        "turn_growth": quantiles(growth, 0),
        "turn_gap_s": quantiles(gaps, 1),
        "turns_mean": [round(len(turns) / turns.count(1), 3)],
    }


def fit(data: Path) -> dict[str, object]:
    """All fitted parameters."""
    traces = data / "llm_traces"
    return {
        "sources": SOURCES,
        "grid": GRID,
        "servegen": fit_servegen(data / "servegen"),
        "azure_code": fit_azure(traces / "AzureLLMInferenceTrace_code.csv.gz"),
        "azure_conv": fit_azure(traces / "AzureLLMInferenceTrace_conv.csv.gz"),
        "mooncake": fit_mooncake(traces / "mooncake_conversation_trace.jsonl.gz"),
    }


if __name__ == "__main__":
    OUTPUT.write_text(json.dumps(fit(Path(sys.argv[1])), separators=(",", ":")).replace("},{", "},\n{") + "\n")
