from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_murmur2

from pipeline.event.partition import murmur2, partition_of


@given(st.binary(max_size=64))
def test_murmur2_is_that_of_the_kafka_client(data: bytes) -> None:
    assert murmur2(data) == kafka_murmur2(data) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=256).filter(lambda text: text.isprintable()), st.integers(1, 64))
def test_partition_is_one_of_the_partitions(account_id: str, partitions: int) -> None:
    assert 0 <= partition_of(account_id, partitions) < partitions


def test_known_partitions() -> None:
    # As the Java client's Utils.murmur2 gives them (KafkaProducer's tests use these keys).
    assert [murmur2(key) for key in (b"21", b"foobar", b"a-little-bit-long-string")] == [
        -973932308 & 0xFFFFFFFF,
        -790332482 & 0xFFFFFFFF,
        -985981536 & 0xFFFFFFFF,
    ]
