"""The compiled loop: events in order into features and windows, over arrays of account slots.

One event at a time in the order of the batch, so any split of a stream into batches gives the same numbers. When the room for
closed windows is used up the loop returns with the event it stopped at, and is called again.
"""

import math

import numba
import numpy as np

from pipeline.event.hashing import mix
from pipeline.features.behaviour import OPEN_HOURS, note_call, take_hour
from pipeline.features.layout import (
    BITMAP_SOURCES,
    BITMAPS,
    HOUR_LEVEL,
    LEVELS,
    MAXIMUM,
    NOVELTIES,
    NOVELTY_SOURCES,
    PROMPT_SOURCE,
    REGISTERS,
    SKETCHES,
    SUMS,
    WINDOW_MINUTES,
)
from pipeline.features.state import NOT_LISTED

_MINUTE = 60_000
_FIRST_GAP_S = 86_400.0
_BITMAP_SOURCES = np.array(BITMAP_SOURCES)
_NOVELTY_SOURCES = np.array(NOVELTY_SOURCES)
_MINUTES = np.array(WINDOW_MINUTES)
_ONE = np.uint64(1)
_SIX_BITS = np.uint64(63)
_REGISTER_BITS = np.uint64(6)
#: A family of near-equal prompts is the highest band of 16 bits of the simhash (one band of locality-sensitive hashing).
_BAND_SHIFT = np.uint64(48)
#: Events whose memory is read ahead at once.
_READ_AHEAD = 16
_HOUR_MINUTES = 60
_HLL_SCALE = 0.709 * REGISTERS * REGISTERS


@numba.njit(cache=True, inline="always")
def _register(registers, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # HyperLogLog (Flajolet et al. 2007): the low bits choose the register, the rest gives the rank of its first one.
    hashed = mix(value)
    index = hashed & _SIX_BITS
    rest = hashed >> _REGISTER_BITS
    rank = 1
    while rank < 58 and rest & _ONE == 0:
        rank += 1
        rest >>= _ONE
    if rank > registers[index]:
        registers[index] = rank


@numba.njit(cache=True)
def count_registers(registers):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Estimate the number of distinct values behind HyperLogLog registers, with linear counting while it is small."""
    total = 0.0
    empty = 0
    for register in registers:
        total += 2.0 ** -float(register)
        if register == 0:
            empty += 1
    estimate = _HLL_SCALE / total
    if estimate <= 2.5 * REGISTERS and empty > 0:
        estimate = REGISTERS * math.log(REGISTERS / empty)
    return estimate


@numba.njit(cache=True)
def count_bits(bits):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Estimate the number of distinct values behind a bitmap of 64 bits (linear counting, Whang et al. 1990)."""
    ones = 0
    while bits != 0:
        bits &= bits - _ONE
        ones += 1
    if ones == 64:
        return 64.0 * math.log(64.0)
    return 64.0 * math.log(64.0 / (64 - ones))


@numba.njit(cache=True, inline="always")
def _merge(sums, bits, registers, to_sums, to_bits, to_registers):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for k in range(SUMS):
        if k == MAXIMUM:
            to_sums[k] = max(to_sums[k], sums[k])
        else:
            to_sums[k] += sums[k]
    for b in range(BITMAPS):
        to_bits[b] |= bits[b]
    for s in range(SKETCHES):
        for m in range(REGISTERS):
            if registers[s, m] > to_registers[s, m]:
                to_registers[s, m] = registers[s, m]


@numba.njit(cache=True)
def _close_list(level, minute, at_event, heads, h, nexts, column, sums, bits, registers, account, upper, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Emit every slot of one list, merge it into the level above and empty it. False when `out` is full.
    out_rows, out_sums, out_distinct, out_behaviour, filled = out
    level_sums, level_bits, level_registers, level_next, level_head = upper
    number = minute // _MINUTES[level]
    _, calls, _, last_window, hour_sums, hour_mix, hour_prompts, _ = account
    while heads[h] >= 0:
        row = filled[0]
        if row == out_rows.shape[0] or (level == HOUR_LEVEL and filled[2] == out_behaviour.shape[0]):
            return False
        slot = heads[h]
        heads[h] = nexts[slot, column]
        nexts[slot, column] = NOT_LISTED
        previous = last_window[slot, level]
        last_window[slot, level] = number
        out_rows[row, 0] = slot
        out_rows[row, 1] = level
        out_rows[row, 2] = number
        out_rows[row, 3] = 0 if previous < 0 else number - previous - 1
        out_rows[row, 4] = at_event
        out_rows[row, 5] = calls[slot]
        out_sums[row] = sums[slot, column]
        for s in range(SKETCHES):
            out_distinct[row, s] = round(count_registers(registers[slot, column, s]))
        for b in range(BITMAPS):
            out_distinct[row, SKETCHES + b] = round(count_bits(bits[slot, column, b]))
        if level == HOUR_LEVEL:
            place = number % OPEN_HOURS
            take_hour(
                hour_sums[slot, place], hour_mix[slot, place], hour_prompts[slot, place], out_behaviour[filled[2]]
            )
            filled[2] += 1
        filled[0] = row + 1
        if level < LEVELS - 1:
            _merge(
                sums[slot, column],
                bits[slot, column],
                registers[slot, column],
                level_sums[slot, level],
                level_bits[slot, level],
                level_registers[slot, level],
            )
            if level_next[slot, level] == NOT_LISTED:
                level_next[slot, level] = level_head[level]
                level_head[level] = slot
        sums[slot, column] = 0.0
        bits[slot, column] = 0
        registers[slot, column] = 0
    return True


@numba.njit(cache=True)
def close_until(target, at_event, clock, account, panes, upper, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Close every window that ends at or before the minute `target`; False when `out` is full (call again)."""
    pane_sums, pane_bits, pane_registers, pane_next, pane_head = panes
    level_sums, level_bits, level_registers, level_next, level_head = upper
    ring = pane_head.size
    while clock[1] < target:
        minute = clock[1]
        idle = True
        for r in range(ring):
            idle = idle and pane_head[r] < 0
        for level in range(LEVELS - 1):
            idle = idle and level_head[level] < 0
        if idle:
            clock[1] = target
            return True
        r = minute % ring
        if not _close_list(
            0,
            minute,
            at_event,
            pane_head,
            r,
            pane_next,
            r,
            pane_sums,
            pane_bits,
            pane_registers,
            account,
            upper,
            out,
        ):
            return False
        for level in range(1, LEVELS):
            if (minute + 1) % _MINUTES[level] != 0:
                break
            if not _close_list(
                level,
                minute,
                at_event,
                level_head,
                level - 1,
                level_next,
                level - 1,
                level_sums,
                level_bits,
                level_registers,
                account,
                upper,
                out,
            ):
                return False
        clock[1] = minute + 1
    return True


@numba.njit(cache=True)
def _read_ahead(begin, end, slots, ts, account, panes):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Reads a bit of each piece of memory that the next events need. None of these reads waits for another, so the processor
    # fetches all at once what it would else wait for piece by piece, which counts when accounts fill more than its caches.
    last_ts, _, _, _, hour_sums, hour_mix, _, bands = account
    sums, _, registers, following, head = panes
    met = np.int64(0)
    for i in range(begin, end):
        slot, r = slots[i], ts[i] // _MINUTE % head.size
        met += last_ts[slot] + following[slot, r] + np.int64(sums[slot, r, 0] + sums[slot, r, sums.shape[2] - 2])
        for sketch in range(registers.shape[2]):
            met += registers[slot, r, sketch, 0]
        hour = ts[i] // (_HOUR_MINUTES * _MINUTE) % OPEN_HOURS
        met += np.int64(hour_sums[slot, hour, 0]) + bands[slot, 0, 0]
        for k in range(hour_mix.shape[2]):
            met += np.int64(hour_mix[slot, hour, k, 0])
    return met


@numba.njit(cache=True)
def process_events(  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    begin, slots, ts, numbers, hashes, simhash, skip, lateness, clock, account, panes, upper, out, event_out
):
    """Apply the events from `begin` on; returns the event to go on with, the number of events when all are done.

    `skip` marks duplicates. `lateness` is in milliseconds. Writes features and the late flag of each event, and the windows
    that its time lets close.
    """
    last_ts, calls, seen, _, hour_sums, hour_mix, hour_prompts, bands = account
    pane_sums, pane_bits, pane_registers, pane_next, pane_head = panes
    features, late = event_out
    ring = pane_head.size
    near = begin
    for i in range(begin, slots.size):
        if i == near:
            near = min(i + _READ_AHEAD, slots.size)
            out[4][1] = _read_ahead(i, near, slots, ts, account, panes)
        if skip[i]:
            continue
        slot = slots[i]
        now = ts[i]
        if now > clock[0]:
            watermark = (now - lateness) // _MINUTE
            if clock[1] < 0:
                clock[1] = max(watermark, 0)
            if not close_until(watermark, i, clock, account, panes, upper, out):
                return i
            clock[0] = now
        status = numbers[i, 4]
        input_tokens = numbers[i, 0]
        output_tokens = numbers[i, 1]
        gap_s = _FIRST_GAP_S
        if last_ts[slot] >= 0:
            gap_s = max(0.0, (now - last_ts[slot]) / 1000.0)
        features[i, 0] = math.log1p(input_tokens)
        features[i, 1] = math.log1p(output_tokens)
        features[i, 2] = math.log1p(numbers[i, 3])
        features[i, 3] = output_tokens / (input_tokens + output_tokens + 1.0)
        features[i, 4] = math.log1p(gap_s)
        features[i, 5] = 1.0 if status >= 400 else 0.0
        features[i, 6] = 1.0 if status == 429 else 0.0
        features[i, 7] = numbers[i, 5]
        for v in range(NOVELTIES):
            value = hashes[i, _NOVELTY_SOURCES[v]]
            features[i, 8 + v] = 0.0
            if value != 0:
                bit = _ONE << (mix(value) & _SIX_BITS)
                if seen[slot, v] & bit == 0:
                    seen[slot, v] |= bit
                    features[i, 8 + v] = 1.0
        calls_before = calls[slot]
        last_ts[slot] = max(now, last_ts[slot])
        calls[slot] += 1
        minute = now // _MINUTE
        if minute < clock[1]:
            late[i] = True
            continue
        late[i] = False
        hour = minute // _HOUR_MINUTES % OPEN_HOURS
        note_call(
            hour_sums[slot, hour],
            hour_mix[slot, hour],
            hour_prompts[slot, hour],
            bands[slot],
            calls_before,
            gap_s,
            numbers[i],
            hashes[i],
            simhash[i],
        )
        r = minute % ring
        if pane_next[slot, r] == NOT_LISTED:
            pane_next[slot, r] = pane_head[r]
            pane_head[r] = slot
        sums = pane_sums[slot, r]
        sums[0] += 1.0
        sums[1] += input_tokens
        sums[2] += output_tokens
        sums[3] += numbers[i, 2]
        sums[4] += numbers[i, 3]
        sums[5] += features[i, 5]
        sums[6] += features[i, 6]
        sums[7] += numbers[i, 5]
        sums[8] += numbers[i, 6]
        sums[9] = max(sums[9], output_tokens)
        for b in range(BITMAPS):
            value = hashes[i, _BITMAP_SOURCES[b]]
            if value != 0:
                pane_bits[slot, r, b] |= _ONE << (mix(value) & _SIX_BITS)
        if hashes[i, PROMPT_SOURCE] != 0:
            _register(pane_registers[slot, r, 0], hashes[i, PROMPT_SOURCE])
        if simhash[i] != 0:
            _register(pane_registers[slot, r, 1], (simhash[i] >> _BAND_SHIFT) + _ONE)
    return slots.size
