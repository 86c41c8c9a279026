"""CSV files, by a map from ApiCall's fields to columns."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Final

from pipeline.event import FIELDS, RejectReason
from pipeline.sources.content import fingerprints, withheld_bytes
from pipeline.sources.field_map import ABSENT, TIMES, coerce
from pipeline.sources.framing import Fault, Piece
from pipeline.sources.options import SourceOptionError, SourceOptions
from pipeline.sources.reader import Fields, encoded
from pipeline.sources.timestamps import parse_time

#: Names in a map that are no fields: their columns are fingerprinted and forgotten.
TEXT_COLUMNS: Final = ("prompt_text", "system_prompt_text")
_ATTRIBUTE: Final = "attributes."
_MAPPABLE: Final = frozenset(FIELDS) - {"attributes", "schema_version"}

#: A row: the line it starts on, its cells, and its bytes; or the bytes and what is wrong.
Row = tuple[int, list[str], bytes, Fault | None]


def check_map(options: SourceOptions) -> None:
    """Raise SourceError where the map cannot make events of rows."""
    csv_map = options.csv_map
    if not csv_map:
        raise SourceOptionError(
            "a CSV, or JSON of no known format, needs a map of its columns: give --map FIELD=COLUMN for each, "
            "for example --map ts=TIMESTAMP"
        )
    for name in csv_map:
        if name not in _MAPPABLE and name not in TEXT_COLUMNS and not name.startswith(_ATTRIBUTE):
            raise SourceOptionError(
                f"--map: {name!r} is no field of an event, use one of {', '.join(sorted(_MAPPABLE))}"
            )
    if "ts" not in csv_map:
        raise SourceOptionError("--map: ts has no column, every event needs its time")
    if "account_id" not in csv_map and options.account is None:
        raise SourceOptionError("--map: account_id has no column, map one or give the account of all rows (--account)")
    if len(options.csv_delimiter) != 1 or options.csv_delimiter in '"\r\n':
        raise SourceOptionError(f"--delimiter: {options.csv_delimiter!r} is not one character between cells")


class Columns:
    """What the header of one file and the map say about each column."""

    def __init__(self, header: list[str], csv_map: Mapping[str, str], zone: tzinfo) -> None:
        self._zone = zone
        self._names = [name.strip() for name in header]
        places = {name: index for index, name in reversed(list(enumerate(self._names)))}
        self.missing = sorted({column for column in csv_map.values() if column not in places})
        self._places = {field: places[column] for field, column in csv_map.items() if column in places}
        # A row may be kept as it is where every column is mapped and none holds text.
        mapped = {index for field, index in self._places.items() if field not in TEXT_COLUMNS}
        self._keeps_rows = mapped == set(range(len(header)))
        self._mapped = sorted(mapped)

    def __len__(self) -> int:
        return len(self._names)

    def fields(self, cells: list[str]) -> Fields:
        """The call of one row, which must have as many cells as the header."""
        fields: Fields = {}
        attributes: dict[str, object] = {}
        for field, index in self._places.items():
            text = cells[index].strip()
            if text in ABSENT or field in TEXT_COLUMNS:
                continue
            if field.startswith(_ATTRIBUTE):
                attributes[field.removeprefix(_ATTRIBUTE)] = text
            else:
                fields[field] = parse_time(text, self._zone) if field in TIMES else coerce(field, text)
        fields["attributes"] = attributes
        texts = (cells[self._places[name]] if name in self._places else None for name in TEXT_COLUMNS)
        fields.update(fingerprints(*texts))
        return fields

    def kept(self, cells: list[str], raw: bytes) -> bytes:
        """What a rejected event keeps of its row: all of it, or the mapped columns where others may hold text."""
        if self._keeps_rows:
            return raw
        if len(cells) != len(self._names):
            return withheld_bytes(raw)
        return encoded({self._names[index]: cells[index] for index in self._mapped})


def rows(pieces: Iterable[Piece], delimiter: str, limit: int) -> Iterator[Row]:
    """The rows of a CSV, over several lines where quotes say so; a quote that is never closed costs `limit` bytes at most."""
    taken: deque[tuple[int, bytes]] = deque()
    faults: deque[Row] = deque()

    def texts() -> Iterator[str]:
        held = 0
        for line, raw, fault in pieces:
            if fault is None:
                try:
                    text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    fault = Fault(RejectReason.TEXT_INVALID, f"not UTF-8: {error.reason} at byte {error.start}")
            if fault is not None:
                faults.append((line, [], raw, fault))
                continue
            held = held + len(raw) if taken else len(raw)
            taken.append((line, raw))
            if held > limit:
                # Ends the row for the parser, which then fails on it.
                yield text.replace('"', "") + '"\n'
                continue
            yield text + "\n"

    csv.field_size_limit(max(2 * limit, 131_072))  # a longer row is ended below, and told as oversized
    parser = csv.reader(texts(), delimiter=delimiter, strict=False)
    while True:
        try:
            cells = next(parser)
            fault = None
        except StopIteration:
            break
        except csv.Error as error:
            cells, fault = [], Fault(RejectReason.UNKNOWN_FORMAT, f"no CSV row: {error}")
        while faults:
            yield faults.popleft()
        raw = b"\n".join(raw for _, raw in taken)
        line = taken[0][0] if taken else 0
        taken.clear()
        if fault is None and len(raw) > limit:
            fault = Fault(RejectReason.OVERSIZED, f"a row of {len(raw)} bytes, the limit is {limit}")
        if cells or fault is not None:
            yield line, cells, raw, fault
    yield from faults
