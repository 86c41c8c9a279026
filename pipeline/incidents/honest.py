"""Kinds of labels that say an account did nothing wrong."""

#: Honest accounts that look like extraction, by what makes them: the kinds that `stillwatch simulate --label-benign` writes.
LOOK_ALIKES = frozenset(
    {
        "around_the_clock",
        "company",
        "early_adopter",
        "heavy_newcomer",
        "holiday",
        "honest_logprobs",
        "honest_reasoning",
        "honest_sampling",
        "launch_day",
        "load_test",
        "month_end",
        "newcomer",
        "popular_template",
        "price_change",
        "time_zone",
    }
)
#: Kinds that say an account did nothing wrong: an alert on it is a false one.
HONEST_KINDS = frozenset({"benign", "honest"}) | LOOK_ALIKES
