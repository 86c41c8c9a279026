"""AWS CloudTrail records."""

import ipaddress
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from pipeline.sources.field_map import field_map
from pipeline.sources.reader import Fields, Record, alone_or_listed, encoded
from pipeline.sources.timestamps import parse_time


class CloudTrail:
    """Reads CloudTrail records, with `eventTime` or, as log shippers rewrite it, `@timestamp`.

    The account is the principal: `userIdentity.arn`, or a name made from what an identity without an ARN has.
    """

    def __init__(self, zone: tzinfo, account_attribute: str | None) -> None:
        self._zone = zone
        self._map = field_map("cloudtrail").with_account(account_attribute)
        self._by_principal = account_attribute is None
        bedrock = self._map.tables["bedrock"]
        self._bedrock_sources = frozenset(bedrock["sources"])
        self._streaming = frozenset(bedrock["streaming"])

    def records(self, document: object) -> Iterator[object]:
        """The records of a file or of an EventBridge event."""
        for record in alone_or_listed(document, "Records"):
            detail = record.get("detail") if isinstance(record, dict) else None
            yield detail if isinstance(detail, dict) and "eventName" in detail else record

    def fields(self, record: Record) -> Fields:
        """The call of one record."""
        fields = self._map.read(record)
        fields["ts"] = parse_time(fields.get("ts"), self._zone)
        if self._by_principal and "account_id" not in fields:
            fields["account_id"] = _principal(record.get("userIdentity"), record)
        source, name = record.get("eventSource"), record.get("eventName")
        if isinstance(source, str) and isinstance(name, str):
            fields["endpoint"] = f"{source}/{name}"[:1024]
        fields["provider"] = "aws"
        if isinstance(source, str) and source in self._bedrock_sources:
            fields.update(self._bedrock(name, fields))
        code = fields.get("error_type")
        fields["status"] = self._status(code) if isinstance(code, str) else 200
        address = record.get("sourceIPAddress")
        if isinstance(address, str):
            if _is_address(address):
                fields["client_ip"] = address
            else:
                attributes: Any = fields["attributes"]
                attributes["source_service"] = address
        return fields

    def kept(self, record: object) -> bytes:
        """The whole record: CloudTrail holds no prompts."""
        return encoded(record)

    def kept_unread(self, raw: bytes) -> bytes:
        """The bytes."""
        return raw

    def _bedrock(self, name: object, fields: Fields) -> Fields:
        found: Fields = {"provider": "aws.bedrock"}
        if isinstance(name, str) and fields.get("operation") != name:  # the map knew it: a call of a model
            found["stream"] = name in self._streaming
            model = fields.get("model")
            if isinstance(model, str) and "embed" in model:
                found["operation"] = "embeddings"
        return found

    def _status(self, code: str) -> int:
        folded = code.casefold()
        rows: list[dict[str, Any]] = self._map.tables["error_status"]
        return int(next((row["status"] for row in rows if any(part in folded for part in row["contains"])), 400))


def _principal(identity: object, record: Record) -> str | None:
    """A name for an identity without an ARN; one that would have an ARN elsewhere gets that ARN."""
    if not isinstance(identity, dict):
        return None
    kind, account = _text(identity, "type"), _text(identity, "accountId")
    principal, user, service = _text(identity, "principalId"), _text(identity, "userName"), _text(identity, "invokedBy")
    if kind == "Root" and account:
        return f"arn:aws:iam::{account}:root"
    if kind == "IAMUser" and account and user and not user.startswith("HIDDEN_DUE_TO"):
        return f"arn:aws:iam::{account}:user/{user}"
    if kind in ("SAMLUser", "WebIdentityUser") and (principal or user):
        # The principal of a web identity is provider:application:user, that of SAML the key of the name and the subject.
        return f"{kind}:{_text(identity, 'identityProvider') or ''}:{principal or user}"
    if kind == "IdentityCenterUser":
        on_behalf = identity.get("onBehalfOf")
        center_user = _text(on_behalf, "userId") if isinstance(on_behalf, dict) else principal
        return f"IdentityCenterUser:{center_user}" if center_user else None
    if service and kind in (None, "AWSService"):
        return f"service:{service}"
    if kind in ("AWSAccount", "Unknown", None) and (principal or account):
        # Calls from other accounts; S3 marks a caller without credentials as ANONYMOUS_PRINCIPAL.
        if "anonymous" in (principal or account or "").casefold():
            address = record.get("sourceIPAddress")
            return f"anonymous:{address}" if isinstance(address, str) and address else "anonymous"
        return f"account:{account}:{principal}" if account and principal else f"account:{account or principal}"
    return principal or (f"service:{service}" if service else None)


def _text(mapping: Record, key: str) -> str | None:
    value = mapping.get(key)
    return value if isinstance(value, str) and value else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
