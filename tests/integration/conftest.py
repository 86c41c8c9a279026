"""The broker of the integration tests: the embedded one, or Apache Kafka where STILLWATCH_TEST_BROKER names it."""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from pipeline.settings import StreamSettings
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.embedded import EmbeddedBroker
from pipeline.stream.topics import ensure_topics, topic_specs


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running broker, shared by all tests; each uses topics and a group of its own."""
    address = os.environ.get("STILLWATCH_TEST_BROKER")
    if address:
        yield address
        return
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as embedded:
        yield embedded.address


@pytest.fixture
def fresh_topics(broker: str) -> Callable[..., StreamSettings]:
    """Makes topics that no other test uses, and settings that name them."""

    def make(**changes: object) -> StreamSettings:
        name = uuid.uuid4().hex[:12]
        names = {
            "api_calls_topic": f"calls-{name}",
            "rejected_topic": f"rejected-{name}",
            "signals_topic": f"signals-{name}",
            "incidents_topic": f"incidents-{name}",
        }
        settings = StreamSettings(**{"broker": broker, "group": f"group-{name}", **names, **changes})  # type: ignore[arg-type]
        assert ensure_topics(bootstrap_servers(broker), topic_specs(settings)) == []
        return settings

    return make
