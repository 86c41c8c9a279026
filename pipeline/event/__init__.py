"""The event that everything is about, how it is decoded, and why it may be rejected."""

from pipeline.event.api_call import FIELDS, REQUIRED_FIELDS, SCHEMA_VERSION, ApiCall, epoch_milliseconds
from pipeline.event.decode import CallLine, EventLimits, decode, decode_lines, decode_many, encode, from_mapping
from pipeline.event.partition import partition_of
from pipeline.event.reject import RAW_LIMIT, Rejected, RejectReason, rejected

__all__ = [
    "FIELDS",
    "RAW_LIMIT",
    "REQUIRED_FIELDS",
    "SCHEMA_VERSION",
    "ApiCall",
    "CallLine",
    "EventLimits",
    "RejectReason",
    "Rejected",
    "decode",
    "decode_lines",
    "decode_many",
    "encode",
    "epoch_milliseconds",
    "from_mapping",
    "partition_of",
    "rejected",
]
