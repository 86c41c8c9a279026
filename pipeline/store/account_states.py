"""What is remembered of accounts that left memory: written as rows of `account_states`, read again by account.

A row has what each part of the engine remembers of the account, as bytes, and says how these are laid out, under which settings.
Nothing in it is code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pipeline.state import StateError
from pipeline.state.encoding import dtype_of
from pipeline.state.saved import Array
from pipeline.store.client import Store
from pipeline.store.queries import query

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    import pyarrow as pa

#: Of each part its settings and a row per account.
Parts = Mapping[str, tuple[str, Array]]
#: Accounts asked for at once.
_AT_ONCE = 2000
_FAST = 1


class _Layout(msgspec.Struct, array_like=True):
    name: str
    settings: str
    dtype: Any
    """As numpy describes it; `bytes` for rows of any length."""
    shape: tuple[int, ...]
    """Of one row."""


def account_states_table(
    accounts: Sequence[str], parts: Parts, *, run_id: str, partition: int, version: int, as_of: int
) -> pa.Table:
    """Rows of `account_states`, one for each account."""
    import pyarrow as pa

    layouts, columns = [], []
    for name, (settings, rows) in parts.items():
        if rows.dtype.hasobject:
            layouts.append(_Layout(name, settings, "bytes", ()))
            columns.append([bytes(row) for row in rows.tolist()])
        else:
            layouts.append(_Layout(name, settings, np.lib.format.dtype_to_descr(rows.dtype), rows.shape[1:]))
            whole, size = np.ascontiguousarray(rows).tobytes(), rows.nbytes // len(accounts)
            columns.append([whole[begin : begin + size] for begin in range(0, len(accounts) * size, size)])
    layout = msgspec.json.encode(layouts).decode()
    encode = msgspec.msgpack.Encoder().encode
    states = [zstd.compress(encode(row), level=_FAST) for row in zip(*columns, strict=True)]
    count = len(accounts)
    return pa.table(
        {
            "run_id": pa.array([run_id] * count, pa.string()),
            "partition": pa.array([partition] * count, pa.int32()),
            "account_id": pa.array(accounts, pa.string()),
            "version": pa.array([version] * count, pa.uint64()),
            "as_of": pa.array([max(as_of, 0)] * count, pa.timestamp("ms", "UTC")),
            "layout": pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([layout])),
            "state": pa.array(states, pa.binary()),
        }
    )


class AccountStates:
    """The accounts of one partition that are in the store. Raises the errors of the store."""

    def __init__(self, store: Store, run_id: str, partition: int) -> None:
        self._store = store
        self._where = {"run_id": run_id, "partition": partition}

    def accounts(self) -> list[str]:
        """All that ever left memory; what is remembered of some may be in a state of the engine again."""
        found = self._store.query_arrow(query("account_states_list"), self._where)
        return [str(account) for account in found["account_id"].to_pylist()]

    def read(self, accounts: Sequence[str]) -> list[tuple[list[str], Parts]]:
        """What is remembered of `accounts`, those together that are laid out alike. Raises `StateError` when some is missing."""
        import pyarrow as pa

        alike: dict[str, tuple[list[str], list[bytes]]] = {}
        for begin in range(0, len(accounts), _AT_ONCE):
            some = list(accounts[begin : begin + _AT_ONCE])
            found = self._store.query_arrow(query("account_states"), self._where | {"accounts": some})
            if found.num_rows != len(some):
                raise StateError(
                    f"account_states lacks {len(some) - found.num_rows} of {len(some)} accounts of partition "
                    f"{self._where['partition']} that left memory, as {some[0]} did: were rows deleted? After a restart they "
                    "begin anew"
                )
            columns = (found["account_id"], found["layout"], found["state"].cast(pa.binary()))
            for account, layout, state in zip(*(column.to_pylist() for column in columns), strict=True):
                names, states = alike.setdefault(layout, ([], []))
                names.append(account)
                states.append(state)
        return [(names, dict(_parts(layout, states))) for layout, (names, states) in alike.items()]

    def forget(self) -> None:
        """Delete all: the partition's engine begins anew, without them."""
        self._store.command(query("account_states_forget"), self._where)


def _parts(layout: str, states: list[bytes]) -> Iterator[tuple[str, tuple[str, Array]]]:
    try:
        decode = msgspec.msgpack.Decoder(list[bytes]).decode
        columns = zip(*(decode(zstd.decompress(state)) for state in states), strict=True)
        for one, column in zip(msgspec.json.decode(layout, type=list[_Layout]), columns, strict=True):
            if one.dtype == "bytes":
                rows: Array = np.empty(len(states), object)
                rows[:] = column
            else:
                rows = np.frombuffer(b"".join(column), dtype_of(one.dtype)).reshape(len(states), *one.shape)
            yield one.name, (one.settings, rows)
    except (zstd.ZstdError, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise StateError(f"a damaged state in account_states: {error}") from error
