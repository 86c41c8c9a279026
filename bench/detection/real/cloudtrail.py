"""Two sets of CloudTrail records with emulated attacks on AWS accounts; a principal is an account."""

from __future__ import annotations

import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from bench.detection.real.watch import Seen, needed, watch
from pipeline.event import ApiCall
from pipeline.sources import SourceOptions, read_calls

#: What the emulator of the first set writes into its user agent, or into the name of a role that it makes: the truth, which the
#: engine is not given.
_MARK = "stratus-red-team"
_ROLE = "MordorNginxStack-BankingWAFRole"


def stratus(root: Path) -> Seen:
    """invictus-ir/aws_dataset (MIT): an hour of an AWS account under the attacks of Stratus Red Team."""
    with tarfile.open(needed(root, "cloudtrail/invictus_cloudtrail.tar.xz")) as archive:
        calls = _unpacked(lambda folder: archive.extractall(folder, filter="data"))
    attacks = _first_calls(calls, lambda call: _MARK in (call.user_agent or "") or _MARK in call.account_id)
    unmarked = [call if _MARK not in (call.user_agent or "") else _without_agent(call) for call in calls]
    return watch("CloudTrail, Stratus Red Team", unmarked, _note(attacks), attacks=attacks)


def banking_session(root: Path) -> Seen:
    """OTRF/Security-Datasets (MIT): a stolen session that copies a bucket."""
    with zipfile.ZipFile(needed(root, "cloudtrail/otrf_ec2_proxy_s3_exfiltration.zip")) as archive:
        calls = _unpacked(archive.extractall)
    attacks = _first_calls(calls, lambda call: _ROLE in call.account_id)
    return watch("CloudTrail, S3 exfiltration", calls, _note(attacks), attacks=attacks)


def _unpacked(extract: Callable[[str], None]) -> list[ApiCall]:
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        extract(folder)
        paths = sorted(map(str, Path(folder).rglob("*.json")))
        results = list(read_calls(paths, options=SourceOptions(received_at=time.time_ns() // 1_000_000)))
    return sorted((one for one in results if isinstance(one, ApiCall)), key=lambda call: call.ts)


def _first_calls(calls: list[ApiCall], attacking: Callable[[ApiCall], bool]) -> dict[str, int]:
    first: dict[str, int] = {}
    for call in calls:
        if attacking(call):
            first.setdefault(call.account_id, call.ts)
    return first


def _without_agent(call: ApiCall) -> ApiCall:
    from msgspec.structs import replace

    return replace(call, user_agent="emulated")


def _note(attacks: dict[str, int]) -> str:
    names = ", ".join(sorted(account.rsplit("/", 1)[-1] for account in attacks))
    return f"attackers are {names}; control calls of minutes to an hour, with no tokens to draw"
