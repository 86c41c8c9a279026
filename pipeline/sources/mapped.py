"""JSON logs of any gateway, by a map from ApiCall's fields to places in a record."""

from collections.abc import Iterator, Mapping
from datetime import tzinfo

from pipeline.sources.content import fingerprints, texts_of, withheld_bytes, withhold
from pipeline.sources.delimited import TEXT_COLUMNS
from pipeline.sources.field_map import FieldMap
from pipeline.sources.reader import Fields, Record, alone_or_listed
from pipeline.sources.timestamps import parse_time

_ATTRIBUTE = "attributes."


class Mapped:
    """Reads objects whose fields stand where the command line says; what is not mapped is dropped.

    `places` has a dotted path for each field, as `csv_map` has columns; those of `prompt_text` and `system_prompt_text` are
    messages or text, which are hashed and forgotten.
    """

    def __init__(self, zone: tzinfo, places: Mapping[str, str]) -> None:
        self._zone = zone
        plain = {name: [place] for name, place in places.items() if name not in TEXT_COLUMNS}
        attributes = {
            name.removeprefix(_ATTRIBUTE): found for name, found in plain.items() if name.startswith(_ATTRIBUTE)
        }
        fields = {name: found for name, found in plain.items() if not name.startswith(_ATTRIBUTE)}
        self._map = FieldMap({"addressing": "path", "fields": fields, "attributes": attributes})
        self._texts = tuple(places.get(name, "") for name in TEXT_COLUMNS)

    def records(self, document: object) -> Iterator[object]:
        """The objects of a document."""
        yield from alone_or_listed(document, "Records")

    def fields(self, record: Record) -> Fields:
        """The call of one object."""
        fields = self._map.read(record)
        for name in ("ts", "signup_ts"):
            if name in fields:
                fields[name] = parse_time(fields[name], self._zone)
        prompt, system = (texts_of(self._map.get(record, place)) if place else (None, None) for place in self._texts)
        fields.update(fingerprints(prompt[0], system[0] or prompt[1]))
        return fields

    def kept(self, record: object) -> bytes:
        """The mapped fields, and of other texts their length."""
        return withhold(record, self._map.known)

    def kept_unread(self, raw: bytes) -> bytes:
        """Nothing but the length, since the bytes may be of a prompt."""
        return withheld_bytes(raw)
