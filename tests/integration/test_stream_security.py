"""TLS and SASL to Apache Kafka itself: what is secured works from end to end, what is wrong is refused in one line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "apache_kafka"))
from server import ApacheKafka, free_port

from pipeline.settings import StreamSettings
from pipeline.stream.consume import read_topic
from pipeline.stream.security import PASSWORD, SecurityError, security_of
from pipeline.stream.topics import ensure_topics, topic_specs

NAME, SECRET = "stillwatch", "s3cret word; with signs/+%"
PLAIN_USER, PLAIN_SECRET = "plain", "plain-s3cret"
PROGRAM = Path(sys.executable).parent / "stillwatch"


@dataclass(frozen=True)
class Secured:
    """A broker with a listener for SASL over TLS and one for mutual TLS, and the files that clients need."""

    folder: Path
    open: str
    sasl: str
    tls: str

    def settings(self, security: str, **changes: object) -> StreamSettings:
        address = self.sasl if security == "sasl_ssl" else self.tls
        settings = StreamSettings(broker=address, security=security, ssl_ca_file=str(self.folder / "ca.pem"))  # type: ignore[arg-type]
        if security == "sasl_ssl":
            settings = replace(settings, sasl_username=NAME, sasl_password_file=str(self.folder / "password"))
        else:
            settings = replace(settings, ssl_certificate_file=str(self.folder / "client.pem"))
        return replace(settings, **changes)


def for_java(certificate: trustme.LeafCert) -> bytes:
    """Key and chain in one file; Kafka reads keys in the form of PKCS #8 only."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form) + b"".join(one.bytes() for one in certificate.cert_chain_pems)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "broker.pem").write_bytes(for_java(authority.issue_cert("127.0.0.1")))
    for name, issuer in (("client", authority), ("stranger", trustme.CA())):
        issuer.issue_cert("worker@stillwatch.example").private_key_and_cert_chain_pem.write_to_path(
            folder / f"{name}.pem"
        )
    trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
    (folder / "password").write_text(SECRET + "\n", encoding="utf-8")
    sasl, tls = free_port(), free_port()
    login = "org.apache.kafka.common.security"
    kafka = ApacheKafka(
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(folder / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(folder / "ca.pem"),
            "listener.name.ssl.ssl.client.auth": "required",
            "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'{login}.plain.PlainLoginModule required user_{PLAIN_USER}="{PLAIN_SECRET}";'
            ),
        },
        listeners=[f"SASL_SSL://127.0.0.1:{sasl}", f"SSL://127.0.0.1:{tls}"],
        scram={NAME: SECRET},
    )
    with kafka:
        yield Secured(folder, kafka.address, f"kafka://127.0.0.1:{sasl}", f"kafka://127.0.0.1:{tls}")


def servers(settings: StreamSettings) -> list[str]:
    return [settings.broker.removeprefix("kafka://")]


def topics(settings: StreamSettings, environ: dict[str, str] | None = None) -> list[str]:
    return ensure_topics(servers(settings), topic_specs(settings), security_of(settings, environ))


@pytest.mark.kafka_only
@pytest.mark.broker
@pytest.mark.parametrize("security", ["sasl_ssl", "ssl"])
def test_events_go_in_and_incidents_come_out_over_a_secured_broker(secured: Secured, security: str, tmp_path: Path):
    stream = secured.settings(security)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH_")},
        "STILLWATCH_STORE": f"chdb:{tmp_path / 'store'}",
        "STILLWATCH_BROKER": stream.broker,
        **{
            f"STILLWATCH_STREAM__{name.upper()}": str(getattr(stream, name))
            for name in ("security", "ssl_ca_file", "ssl_certificate_file", "sasl_username", "sasl_password_file")
            if getattr(stream, name)
        },
        "STILLWATCH_STREAM__GROUP": f"group-{security}",
        "STILLWATCH_STREAM__API_CALLS_TOPIC": f"calls-{security}",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(PROGRAM), *arguments]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=90, check=True, cwd=tmp_path
        )

    events = tmp_path / "events.jsonl"
    run("simulate", "late-2024", "-o", str(events), "--accounts", "10", "--days", "1")
    run("ingest", str(events))
    run("worker", "--web-port", "0", "--until-idle", "3")
    assert '"broker"' in (doctor := run("doctor", "--json").stdout)
    assert SECRET not in doctor
    stored = run("sql", "SELECT count() AS n FROM call_scores", "--format", "JSONEachRow").stdout
    lines = sum(1 for _ in events.open())
    assert stored.strip() == f'{{"n":{lines}}}'
    if security == "sasl_ssl":
        again = run("replay", "run", "--run-id", "again", "--source", "kafka", "--json").stdout
        assert json.loads(again)["events"] == lines


@pytest.mark.kafka_only
@pytest.mark.broker
def test_plain_passwords_work_over_tls(secured: Secured):
    settings = secured.settings("sasl_ssl", sasl_mechanism="PLAIN", sasl_username=PLAIN_USER, sasl_password_file="")
    assert topics(settings, {PASSWORD: PLAIN_SECRET}) == []


@pytest.mark.kafka_only
@pytest.mark.broker
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("password", "refuses stillwatch by SCRAM-SHA-512"),
        ("authority", "certificate is not trusted"),
        ("stranger", "a certificate that it trusts"),
        ("no certificate", "a certificate that it trusts"),
        ("protocol", "is stream.security right"),
    ],
)
def test_what_does_not_fit_is_refused_at_once_in_one_line(secured: Secured, wrong: str, message: str):
    environ = {}
    if wrong == "password":
        settings, environ = secured.settings("sasl_ssl", sasl_password_file=""), {PASSWORD: "not it"}
    elif wrong == "authority":
        settings = secured.settings("sasl_ssl", ssl_ca_file=str(secured.folder / "other-ca.pem"))
    elif wrong == "stranger":
        settings = secured.settings("ssl", ssl_certificate_file=str(secured.folder / "stranger.pem"))
    elif wrong == "no certificate":
        settings = secured.settings("ssl", ssl_certificate_file="")
    else:
        settings = secured.settings("ssl", broker=secured.open)
    for attempt in (
        lambda: topics(settings, environ),
        lambda: list(read_topic(servers(settings), "api-calls", security=security_of(settings, environ))),
    ):
        with pytest.raises(SecurityError, match=message) as refused:
            attempt()
        assert "\n" not in str(refused.value)
        assert "not it" not in str(refused.value)


def test_files_that_cannot_be_used_are_told_in_one_line(tmp_path: Path):
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no PEM at all")
    base = StreamSettings(broker="kafka://127.0.0.1:9092", security="ssl")
    cases = [
        (replace(base, ssl_ca_file=str(tmp_path / "gone")), "ssl_ca_file.*cannot be read"),
        (replace(base, ssl_ca_file=str(nothing)), "ssl_ca_file.*no usable PEM"),
        (replace(base, ssl_certificate_file=str(nothing)), "ssl_certificate_file.*no usable PEM"),
        (replace(base, security="sasl_ssl", sasl_username="u"), "wants a password"),
        (
            replace(base, security="sasl_ssl", sasl_username="u", sasl_password_file=str(tmp_path / "gone")),
            "cannot be read",
        ),
    ]
    for settings, message in cases:
        with pytest.raises(SecurityError, match=message) as told:
            security_of(settings, {})
        assert "\n" not in str(told.value)


def test_a_password_is_in_no_repr(tmp_path: Path):
    (tmp_path / "password").write_text("hush\n")
    settings = StreamSettings(
        security="sasl_plaintext", sasl_username="u", sasl_password_file=str(tmp_path / "password")
    )
    security = security_of(settings, {})
    assert security.options()["sasl_plain_password"] == "hush"
    assert "hush" not in repr(security) + repr(security.credentials())
