"""How well scores of accounts order those that extract before those that do not, whatever the threshold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True, slots=True)
class Ranking:
    """Areas under curves, 1 being perfect."""

    roc_auc: float
    """Chance that an account that extracts scores higher than one that does not; ties count half."""
    pr_auc: float
    """Average precision; of scores that say nothing it is the share of accounts that extract."""


def rank(scores: Mapping[str, float], extracting: Collection[str]) -> Ranking | None:
    """Areas under the curves of accounts' scores; None where all or none extract."""
    values = np.array(list(scores.values()))
    truth = np.array([account in extracting for account in scores])
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    roc = (rankdata(values)[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    order = np.argsort(-values, kind="stable")
    # Accounts of one score come into the curve together.
    ordered = values[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), values.size - 1)
    found = np.cumsum(truth[order])[ends]
    precision = found / (ends + 1)
    recall_gained = np.diff(np.concatenate([[0], found])) / positives
    return Ranking(float(roc), float(np.sum(precision * recall_gained)))
