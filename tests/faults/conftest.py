"""The broker of the fault tests: the embedded one, or Apache Kafka where STILLWATCH_TEST_BROKER names it."""

import os
from collections.abc import Iterator

import pytest

from pipeline.stream.embedded import EmbeddedBroker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running broker, shared by all tests; each uses topics and a group of its own."""
    address = os.environ.get("STILLWATCH_TEST_BROKER")
    if address:
        yield address
        return
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as embedded:
        yield embedded.address
