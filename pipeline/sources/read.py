"""From log files to events: the one way in for `ingest` and for replays from files."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import chain
from typing import Final, cast

import msgspec

from pipeline.event import ApiCall, CallLine, Rejected, RejectReason, from_mapping, rejected
from pipeline.event.pseudonym import address_key, without_addresses
from pipeline.sources import detect
from pipeline.sources.apigateway import ApiGateway
from pipeline.sources.cloudtrail import CloudTrail
from pipeline.sources.delimited import Columns, check_map, rows
from pipeline.sources.framing import Piece, Read, blocks_of_documents, blocks_of_lines, lines
from pipeline.sources.inputs import STANDARD_INPUT, Input, UnreadableError, check_paths
from pipeline.sources.litellm import LiteLLM
from pipeline.sources.mapped import Mapped
from pipeline.sources.native import native_calls
from pipeline.sources.options import SourceOptionError, SourceOptions
from pipeline.sources.otel import OpenTelemetry
from pipeline.sources.reader import Fields, NotACallError, Reader, encoded
from pipeline.sources.timestamps import zone_named

AUTO: Final = "auto"
FORMATS: Final = ("native", "litellm", "otel", "cloudtrail", "apigateway", "json", "csv")
_READERS: Final[dict[str, Callable[[tzinfo, str | None], Reader]]] = {
    "litellm": LiteLLM,
    "otel": OpenTelemetry,
    "cloudtrail": CloudTrail,
    "apigateway": ApiGateway,
}
#: Longest event_id that is taken over; of a longer one, its hash is.
_EVENT_ID: Final = 128

_decoder = msgspec.json.Decoder()

Results = Iterator[ApiCall | Rejected]
#: The same, where calls may come in their own bytes.
Lines = Iterator[ApiCall | CallLine | Rejected]


def read_calls(
    paths: Sequence[str],
    *,
    format: str = AUTO,  # noqa: A002 - the name that the command line gives it
    options: SourceOptions,
    progress: Callable[[int], None] | None = None,
) -> Results:
    """The events of log files, in order, and what could not be used with the reason.

    `paths` are files, or "-" for standard input; plain, gzip or Zstandard by their first bytes. `format` is one of
    FORMATS, or "auto" to recognise each input by its first records. `progress` is told of every read: the number of
    bytes as they lie in the file. Memory is bounded by the longest record that the options allow.

    Where the limits say so, hashes stand in the place of addresses.

    Raises SourceError, before anything is read, for a path that is no readable file and for options that cannot work.
    A damaged or unknown input is no error: it yields what could be read, then a Rejected, and the next input follows.
    """
    zone = _checked_zone(paths, format, options)
    results = cast(Results, _read_all(paths, format, options, zone, progress, as_lines=False))
    if not options.limits.hash_addresses:
        return results
    key = address_key(options.limits.address_key_file)
    return (without_addresses(result, key) for result in results)


def read_lines(
    paths: Sequence[str],
    *,
    format: str = AUTO,  # noqa: A002 - as above
    options: SourceOptions,
    progress: Callable[[int], None] | None = None,
) -> Lines:
    """As `read_calls`, for who sends them on: a native event stays in its own bytes where they decode to the same call."""
    if options.limits.hash_addresses:
        return read_calls(paths, format=format, options=options, progress=progress)
    zone = _checked_zone(paths, format, options)
    return _read_all(paths, format, options, zone, progress, as_lines=True)


def _checked_zone(paths: Sequence[str], format_name: str, options: SourceOptions) -> tzinfo:
    # The zone, once all that was asked for can work.
    if format_name != AUTO and format_name not in FORMATS:
        raise SourceOptionError(f"format {format_name!r} is not known, use {AUTO} or one of {', '.join(FORMATS)}")
    zone = zone_named(options.zone)
    if format_name in ("csv", "json") or options.csv_map:
        check_map(options)
    if list(paths).count(STANDARD_INPUT) > 1:
        raise SourceOptionError("-: standard input can be read once, give it once")
    check_paths(paths)
    return zone


def _read_all(
    paths: Sequence[str],
    format_name: str,
    options: SourceOptions,
    zone: tzinfo,
    progress: Callable[[int], None] | None,
    *,
    as_lines: bool,
) -> Lines:
    for path in paths:
        with Input(path, progress) as source:
            nothing = True
            try:
                for result in _read(source, path, format_name, options, zone, as_lines=as_lines):
                    nothing = False
                    yield result
            except UnreadableError as error:
                nothing = False
                yield rejected(RejectReason.UNREADABLE_INPUT, str(error), b"", options.received_at, path)
            if nothing:
                yield rejected(RejectReason.EMPTY_INPUT, "no record in it", b"", options.received_at, path)


def _read(source: Input, path: str, format_name: str, options: SourceOptions, zone: tzinfo, *, as_lines: bool) -> Lines:
    head = source.look_ahead(detect.enough)
    if not head.strip():
        yield from _nothing(source.read)
        return
    if source.foreign or b"\0" in head:
        detail = source.foreign or "binary data, neither text nor a compression that is known"
        yield rejected(RejectReason.UNREADABLE_INPUT, detail, b"", options.received_at, path)
        return
    recognised: str | None = format_name
    if format_name == AUTO:
        recognised = detect.recognise(head, csv_mapped=bool(options.csv_map))
        if recognised is None and not detect.is_json(head):
            yield _unknown(head, path, options)
            return
    if recognised == "csv":
        yield from _csv_calls(_text(source), options, zone, path)
        return
    by_lines = detect.is_by_lines(head) or not detect.is_json(head)
    blocks = _json_blocks(source, head, options, by_lines=by_lines)
    if recognised is None or recognised == "native":
        yield from native_calls(blocks, options, path, as_lines=as_lines and by_lines)
    elif recognised == "json":
        yield from _reader_calls(chain.from_iterable(blocks), Mapped(zone, options.csv_map), options, path)
    else:
        reader = _READERS[recognised](zone, options.account_attribute)
        yield from _reader_calls(chain.from_iterable(blocks), reader, options, path)


def _nothing(read: Read) -> Results:
    # White space alone; an input that breaks off is to be told all the same.
    while read():
        pass
    yield from ()


def _unknown(head: bytes, path: str, options: SourceOptions) -> Rejected:
    if not detect.is_text(head):
        detail = "neither UTF-8 text nor a compression that is known"
        return rejected(RejectReason.UNREADABLE_INPUT, detail, b"", options.received_at, path)
    detail = "text of no known format: give the format (--format), or for a CSV the map of its columns (--map)"
    return rejected(RejectReason.UNKNOWN_FORMAT, detail, b"", options.received_at, path)


def _json_blocks(source: Input, head: bytes, options: SourceOptions, *, by_lines: bool) -> Iterator[list[Piece]]:
    if not by_lines:
        return blocks_of_documents(_text(source), options.max_line_bytes, options.max_document_bytes)
    # A line may be a whole CloudTrail file or OTLP batch.
    limit = options.max_document_bytes if detect.batches_on_lines(head) else options.max_line_bytes
    return blocks_of_lines(_text(source), limit)


def _text(source: Input) -> Read:
    """`source.read` without a byte order mark at the start."""
    started = False

    def read() -> bytes:
        nonlocal started
        data = source.read()
        if started:
            return data
        started = True
        return detect.without_bom(data)

    return read


def _reader_calls(pieces: Iterable[Piece], reader: Reader, options: SourceOptions, path: str) -> Results:
    received_at = options.received_at
    for line, raw, fault in pieces:
        place = f"{path}:{line}"
        if fault is not None:
            yield rejected(fault.reason, fault.detail, reader.kept_unread(raw), received_at, place)
            continue
        document: object = reader.line(raw) if isinstance(reader, ApiGateway) else None
        if document is None:
            try:
                document = _decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                kept = reader.kept_unread(raw)
                yield rejected(RejectReason.MALFORMED_JSON, str(error), kept, received_at, place)
                continue
        for index, record in enumerate(reader.records(document)):
            yield call_of_record(record, reader, options, place, index)


def call_of_record(
    record: object, reader: Reader, options: SourceOptions, place: str, index: int = 0
) -> ApiCall | Rejected:
    """The event of one record, which stands at `place` (file:line, or the sender's name) as the `index`th, or why it is none."""
    if not isinstance(record, dict):
        kept = reader.kept(record)
        return rejected(RejectReason.NOT_AN_OBJECT, f"a {type(record).__name__}", kept, options.received_at, place)
    try:
        fields = reader.fields(record)
    except NotACallError as error:
        return rejected(RejectReason.NOT_A_CALL, str(error), reader.kept(record), options.received_at, place)
    return _checked(fields, lambda: reader.kept(record), lambda: encoded(record), options, place, index)


def _csv_calls(read: Read, options: SourceOptions, zone: tzinfo, path: str) -> Results:
    received_at = options.received_at
    columns: Columns | None = None
    for line, cells, raw, fault in rows(
        lines(read, options.max_line_bytes), options.csv_delimiter, options.max_line_bytes
    ):
        place = f"{path}:{line}"
        if fault is None and columns is None:
            columns = Columns(cells, options.csv_map, zone)
            if columns.missing:
                detail = (
                    f"no column {', '.join(columns.missing)} in the first line, which names the columns: check --map"
                )
                yield rejected(RejectReason.UNKNOWN_FORMAT, detail, raw, received_at, place)
                return
            continue
        kept = columns.kept(cells, raw) if columns is not None else b""
        if fault is not None:
            yield rejected(fault.reason, fault.detail, kept, received_at, place)
        elif columns is not None and len(cells) != len(columns):
            detail = f"{len(cells)} cells, the first line names {len(columns)} columns"
            yield rejected(RejectReason.UNKNOWN_FORMAT, detail, kept, received_at, place)
        elif columns is not None:
            yield _checked(columns.fields(cells), lambda kept=kept: kept, lambda raw=raw: raw, options, place, 0)  # type: ignore[misc]


def _checked(
    fields: Fields,
    kept: Callable[[], bytes],
    content: Callable[[], bytes],
    options: SourceOptions,
    place: str,
    index: int,
) -> ApiCall | Rejected:
    """The event of `fields`, which get the account and the id that their record does not have."""
    if fields.get("account_id") is None:
        if options.account is None:
            detail = "the record names no caller: give --account, or --account-attribute with the place that holds it"
            return rejected(RejectReason.NO_ACCOUNT, detail, kept(), options.received_at, place)
        fields["account_id"] = options.account
    event_id = fields.get("event_id")
    if event_id is None:
        fields["event_id"] = _derived_id(place, index, content())
    elif isinstance(event_id, str) and len(event_id) > _EVENT_ID:
        fields["event_id"] = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()
    call = from_mapping(fields, b"", received_at=options.received_at, limits=options.limits)
    if isinstance(call, Rejected):
        return rejected(call.reason, call.detail, kept(), options.received_at, place)
    return call


def _derived_id(place: str, index: int, content: bytes) -> str:
    """The id of a record without one: from the file's name (not its folder), the line, the place in it and the content.

    Reading a file again gives the same ids, so nothing counts twice; equal rows of one file stay apart.
    """
    name = place.replace("\\", "/").rpartition("/")[2]
    return hashlib.sha256(b"%s\0%d\0%s" % (name.encode("utf-8", "surrogateescape"), index, content)).hexdigest()[:32]
