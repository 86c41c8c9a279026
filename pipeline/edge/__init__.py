"""Inside a gateway: calls become events where they are made, so that no text of a prompt leaves the process.

>>> from pipeline.edge import Reporter
>>> reporter = Reporter(StreamSettings(broker="kafka://kafka:9092"))  # doctest: +SKIP
>>> reporter.report(request, response, account_id="acct-1", status=200)  # doctest: +SKIP
"""

from pipeline.edge.exchange import call_of_exchange
from pipeline.edge.reporter import Counts, Reporter

__all__ = ["Counts", "Reporter", "call_of_exchange"]
