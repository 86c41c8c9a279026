"""The compiled loop of `ExtractionDetector`: hours in order, each seen before it is learnt."""

import math

import numba
import numpy as np

from pipeline.detectors.evidence import (
    EVIDENCE,
    HIGH,
    HOURS,
    LONGER,
    LOW,
    MORE,
    NO_GROUP,
    QUANTITY_NAMES,
    RHYTHM,
    SHARE_ABOVE,
    SHARE_BELOW,
)
from pipeline.features.behaviour import BINS, MIXES, SUM_NAMES

#: Values of each line that a new one is ranked among, and the number from which on a rank counts in full.
PEERS, ENOUGH_PEERS = 2000, 300
#: Or the days on which accounts were told, on average, from which on few peers will have to do.
_ENOUGH_DAYS = 10.0
#: An account is told to its peers once in so many hours at most, so that none counts for many.
TOLD_EVERY = 24

#: Half-lives: of the latest hours' sums, of the day's output, and of what is usual, in hours and in hours with calls.
_LATEST, _DAY, _USUAL = 0.5 ** (1 / 6), 0.5 ** (1 / 24), 1.0 - 0.5 ** (1 / 336)
#: Growth is that of the latest two days over the first five; the latter follow with a half-life of 90 days.
_LATELY, _FIRST_HOURS, _EARLY = 0.5 ** (1 / 48), 120, 0.5 ** (1 / 2160)
#: Hours of an account's own after which it weighs as much as its peers; the same for the usual mix, and for usual log-odds.
_PRIOR_HOURS, _PRIOR_MIX_HOURS = 24.0, 12.0
#: Calls that a mix rests on count as one less of these.
_PRIOR_CALLS = 3.0
#: Nats that one line may add, and the most that a group adds to the surprise; of rhythm less.
_MOST_NATS, _MOST_SURPRISE, _MOST_RHYTHM = 6.0, 5.0, 3.0
#: A surprise above this is learnt less, by the square; twice as much is not told to peers.
_SURPRISING = 4.0
#: A rank in the middle of all is worth nothing.
_MIDDLE = math.log(2.0)
#: Log-odds that count as usual for anybody, and above which an hour changes what is usual only slowly.
_USUAL_LOG_ODDS, _SUSPICIOUS = -3.0, 3.0
_HALF, _SLOWLY = 0.5, 0.1
#: Tokens that a call counts for, beside those it drew.
_TOKENS_A_CALL = 50.0
_PEERS_KEPT = 20_000.0
_FIRST_PEERS = 20.0
_WIDEST_SPREAD = 2.0
#: Decayed sums can fall below one call, and shares of nothing are nothing.
_ONE_CALL = 1e-6

_QUANTITY = np.array([QUANTITY_NAMES.index(one.quantity) for one in EVIDENCE])
_VIEW = np.array([one.view for one in EVIDENCE])
_GROUP = np.array([one.group for one in EVIDENCE])
_DEVIATIONS = np.array([one.deviations for one in EVIDENCE])
_FLOOR = np.array([one.floor for one in EVIDENCE])
_LEAST = np.array([one.least_spread for one in EVIDENCE])
_COMMON = np.array([one.common for one in EVIDENCE])
_GROWTH = QUANTITY_NAMES.index("log_growth")
_LINES, _QUANTITIES, _SUMS = len(EVIDENCE), len(QUANTITY_NAMES), len(SUM_NAMES)
_FIRST_SHIFT = QUANTITY_NAMES.index("system_prompt_shift")
_CALLS, _REPEATED, _OUTPUT, _INPUT, _REASONING, _LOGPROBS, _CACHED, _CACHED_CALLS, _TOOLS, _LONGEST = range(10)
_GAP, _GAP2, _GAPS, _FRESH = range(11, _SUMS)


@numba.njit(cache=True)
def _place(ordered, count, value, right):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Of the first `count` values, ascending, how many lie below `value`, or with `right` not above it.
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value or (right and ordered[middle] == value):
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True)
def _remember(latest, ordered, status, values):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Put a value of each line into its ring and its sorted row; the oldest leaves when the ring is full.
    count, at = status[0], status[1]
    for line in range(values.size):
        kept = count
        row = ordered[line]
        if count == PEERS:
            place = _place(row, kept, latest[line, at], False)
            for j in range(place, kept - 1):
                row[j] = row[j + 1]
            kept -= 1
        place = _place(row, kept, values[line], False)
        for j in range(kept, place, -1):
            row[j] = row[j - 1]
        row[place] = values[line]
        latest[line, at] = values[line]
    status[0] = min(count + 1, PEERS)
    status[1] = (at + 1) % PEERS


@numba.njit(cache=True)
def _measure(sums, mixes, day, usual_mix, weight, hours, x):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # The quantities, in the order of QUANTITIES.
    calls, output = max(sums[_CALLS], _ONE_CALL), sums[_OUTPUT]
    x[0] = math.log1p(day)
    x[1] = math.log1p(sums[_REASONING])
    x[2] = math.log1p(sums[_LOGPROBS])
    x[3] = sums[_REPEATED] / calls
    x[4] = math.log1p(output / calls)
    x[5] = sums[_LOGPROBS] / calls
    active = 0
    while hours != 0:
        hours &= hours - 1
        active += 1
    x[6] = active
    trust = weight / (weight + _PRIOR_MIX_HOURS) * calls / (calls + _PRIOR_CALLS)
    for m in range(MIXES):
        total = 0.0
        for k in range(BINS):
            total += mixes[m, k]
        # Total variation distance: the share of the present mix that is beyond the usual one.
        shift = 0.0
        if weight > 0.0 and total > 0.0:
            for k in range(BINS):
                shift += max(0.0, mixes[m, k] / total - usual_mix[m, k] / weight)
        x[_FIRST_SHIFT + m] = shift * trust
    after = _FIRST_SHIFT + MIXES
    x[after] = _WIDEST_SPREAD
    if sums[_GAPS] > 0.0:
        mean = sums[_GAP] / sums[_GAPS]
        x[after] = math.sqrt(max(0.0, sums[_GAP2] / sums[_GAPS] - mean * mean))
    x[after + 1] = sums[_TOOLS] / calls
    x[after + 2] = output / (output + sums[_INPUT] + 1.0)
    x[after + 3] = sums[_CACHED] / (sums[_INPUT] + 1.0)
    x[after + 4] = sums[_CACHED_CALLS] / calls
    x[after + 5] = sums[_LONGEST] / calls
    x[after + 6] = sums[_FRESH] / calls


@numba.njit(cache=True)
def _beyond(line, x, location, spread, amount):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # What is ranked: ln(1 + tokens drawn beyond the usual), or the quantity itself with its sign.
    view, wide = _VIEW[line], _DEVIATIONS[line] * max(spread, _LEAST[line])
    if view == HIGH:
        return x
    if view == LOW:
        return -x
    if view == MORE:
        return math.log1p(max(0.0, math.expm1(min(x, 50.0)) - math.expm1(min(location + wide, 50.0))))
    if view == SHARE_ABOVE:
        part = x - location - wide - _FLOOR[line]
    elif view == SHARE_BELOW:
        part = location - wide - _FLOOR[line] - x
    elif view == LONGER:
        part = 1.0 - math.exp(min(location + wide - x, 50.0))
    elif view == HOURS:
        part = (x - location - wide) / 24.0
    else:
        part = 1.0 - x / max(location - wide, 0.01)
    return math.log1p(amount * max(0.0, part))


@numba.njit(cache=True)
def _nats(line, value, ordered, status):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # -ln of the conformal p-value of `value` among peers.
    count = status[0]
    if count == 0:
        return 0.0
    row = ordered[line]
    below = _place(row, count, value, False)
    if _VIEW[line] == HIGH or _VIEW[line] == LOW:
        # Ties count half, and the middle is worth nothing.
        equal = _place(row, count, value, True) - below
        nats = -math.log((count - below - 0.5 * equal + 1.0) / (count + 1.0)) - max(_MIDDLE, _COMMON[line])
    else:
        nats = -math.log((count - below + 1.0) / (count + 1.0)) if value > 0.0 else 0.0
    days = count / max(status[2], 1)
    return min(max(nats, 0.0) * min(1.0, max(count / ENOUGH_PEERS, days / _ENOUGH_DAYS)), _MOST_NATS)


@numba.njit(cache=True)
def judge_hours(slots, values, empty_before, columns, peers, ranks, weights, prior, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Judge rows of `BEHAVIOURS` values in order; `columns` are those of `extraction.ACCOUNT`."""
    sums, mixes, day, usual_mix, means, variances, weight_of, usual, usual_weight, hours, told = columns[:11]
    early, lately, age = columns[11:]
    peer_weight, peer_mean, peer_variance = peers
    latest, ordered, status = ranks
    raw, observed, expected, shares, all_nats = out
    x, ranked = np.zeros(_QUANTITIES), np.zeros(_LINES, np.float32)
    surprises = np.zeros(NO_GROUP)
    for i in range(slots.size):
        slot, hour = slots[i], values[i]
        own_sums, own_mix, own_usual_mix = sums[slot], mixes[slot], usual_mix[slot]
        mean, variance, weight = means[slot], variances[slot], np.float64(weight_of[slot])
        passed = 0
        if told[slot] >= 0:
            passed = empty_before[i] + 1
            decay, day_decay = _LATEST**passed, _DAY**passed
            for k in range(_SUMS):
                own_sums[k] *= decay
            for m in range(MIXES):
                for k in range(BINS):
                    own_mix[m, k] *= decay
            day[slot] *= day_decay
            hours[slot] = (hours[slot] << np.uint32(passed)) & np.uint32(0xFFFFFF) if passed < 24 else np.uint32(0)
        hours[slot] |= np.uint32(1)
        for k in range(_SUMS):
            own_sums[k] += hour[k]
        for m in range(MIXES):
            for k in range(BINS):
                own_mix[m, k] += hour[_SUMS + m * BINS + k]
        fresh = min(own_sums[_FRESH] / max(own_sums[_CALLS], _ONE_CALL), 1.0)
        day[slot] += hour[_OUTPUT] * hour[_FRESH] / max(hour[_CALLS], 1.0)
        log_day = math.log1p(day[slot])
        if told[slot] < 0:
            early[slot], lately[slot], age[slot] = log_day, log_day, 0
        age[slot] += passed
        kept = _LATELY**passed
        lately[slot] = kept * lately[slot] + (1.0 - kept) * log_day
        kept = _EARLY**passed if age[slot] >= _FIRST_HOURS else (age[slot] - passed + 1.0) / (age[slot] + 1.0)
        early[slot] = kept * early[slot] + (1.0 - kept) * log_day
        x[_GROWTH] = max(0.0, lately[slot] - early[slot]) if age[slot] >= _FIRST_HOURS else 0.0
        _measure(own_sums, own_mix, day[slot], own_usual_mix, weight, np.int64(hours[slot]), x)
        amount = fresh * (own_sums[_OUTPUT] + _TOKENS_A_CALL * own_sums[_CALLS])
        share = weight / (weight + _PRIOR_HOURS)
        nats = all_nats[i]
        surprises[:] = 0.0
        log_odds = prior
        for k in range(_QUANTITIES):
            observed[i, k] = x[k]
            expected[i, k] = x[k]
            if peer_weight[0] >= _FIRST_PEERS:
                expected[i, k] = share * mean[k] + (1.0 - share) * peer_mean[k]
        for line in range(_LINES):
            k = _QUANTITY[line]
            spread = 1.0
            if peer_weight[0] >= _FIRST_PEERS:
                spread = math.sqrt(share * variance[k] + (1.0 - share) * peer_variance[k])
            ranked[line] = _beyond(line, x[k], expected[i, k], spread, amount)
            nats[line] = _nats(line, ranked[line], ordered, status)
            if _VIEW[line] == HIGH or _VIEW[line] == LOW:
                # A test that sends its prompts again and again learns nothing from the answers.
                nats[line] *= fresh
            if _GROUP[line] != NO_GROUP:
                surprises[_GROUP[line]] = max(surprises[_GROUP[line]], nats[line])
            log_odds += weights[line] * nats[line]
            shares[i, k] += max(0.0, weights[line]) * nats[line]
        surprise = 0.0
        for g in range(NO_GROUP):
            surprise += min(surprises[g], _MOST_RHYTHM if g == RHYTHM else _MOST_SURPRISE)
        # What is usual for this account counts half.
        known = np.float64(usual_weight[slot])
        level = (usual[slot] * known + _USUAL_LOG_ODDS * _PRIOR_HOURS) / (known + _PRIOR_HOURS)
        beyond_usual = log_odds - _HALF * max(level - _USUAL_LOG_ODDS, 0.0)
        raw[i] = math.log1p(math.exp(beyond_usual)) if beyond_usual < 30.0 else beyond_usual
        learnt = 1.0 if beyond_usual < _SUSPICIOUS else _SLOWLY
        kept = known * (1.0 - learnt * _USUAL)
        usual[slot] += (log_odds - usual[slot]) * learnt / (kept + learnt)
        usual_weight[slot] = kept + learnt
        # Peers hear of ordinary hours, of each account a few times a day.
        first = told[slot] < 0
        tell = first or told[slot] + passed >= TOLD_EVERY
        told[slot] = 0 if tell else told[slot] + passed
        if tell and surprise < 2.0 * _SURPRISING:
            if first:
                status[2] += 1
            _remember(latest, ordered, status, ranked)
            part = 1.0 / (min(peer_weight[0], _PEERS_KEPT) + 1.0)
            for k in range(_QUANTITIES):
                delta = x[k] - peer_mean[k]
                peer_mean[k] += delta * part
                peer_variance[k] = (1.0 - part) * (peer_variance[k] + part * delta * delta)
            peer_weight[0] += 1.0
        learnt = 1.0 if surprise < _SURPRISING else (_SURPRISING / surprise) ** 2
        kept = weight * (1.0 - learnt * _USUAL)
        part = learnt / (kept + learnt)
        for k in range(_QUANTITIES):
            delta = x[k] - mean[k]
            mean[k] += delta * part
            variance[k] = (1.0 - part) * (variance[k] + part * delta * delta)
        keep = 1.0 - learnt * _USUAL
        for m in range(MIXES):
            total = 0.0
            for k in range(BINS):
                total += hour[_SUMS + m * BINS + k]
            for k in range(BINS):
                part_of = hour[_SUMS + m * BINS + k] / total if total > 0.0 else 0.0
                own_usual_mix[m, k] = own_usual_mix[m, k] * keep + learnt * part_of
        weight_of[slot] = kept + learnt
