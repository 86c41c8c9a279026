"""Log files of gateways and clouds, read as events.

>>> from pipeline.sources import SourceOptions, read_calls
>>> for result in read_calls(["gateway.jsonl.gz", "-"], options=SourceOptions(received_at=1733134567000)):  # doctest: +SKIP
...     print(result)
"""

from pipeline.sources.options import SourceError, SourceOptions
from pipeline.sources.read import AUTO, FORMATS, read_calls, read_lines

__all__ = ["AUTO", "FORMATS", "SourceError", "SourceOptions", "read_calls", "read_lines"]
