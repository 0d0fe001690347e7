"""The sentences of the verdict card: one for each statistic and standing, for a trader who has never heard of the statistic."""

from __future__ import annotations

MISSING = "missing"

HEADLINES = {
    "pass": "Believable: luck, the number of trials and the test days have all been accounted for, and it still earns.",
    "weak": "Not proven: it may be real, but this evidence would not convince anybody who does not want to be convinced.",
    "fail": "Do not trade this: the evidence speaks against it.",
    "too_little_data": "Too little data to tell skill from luck: it needs about {needed} trading days, and there are {days}.",
}

WORDS = {
    "days": {
        "pass": "{days} days are more than the {least} in which luck alone would show as good a result after {n} trials.",
        "too_little_data": "In {days} days the best of {n} trials looks this good by luck alone: it takes more than {least}.",
        "fail": "The winner did not earn on the days it was chosen on.",
    },
    "deflated_sharpe": {
        "pass": "It beats the luckiest of {n} trials ({effective} of them independent) with a probability of {value:.1%}.",
        "weak": "It beats the luckiest of {n} trials ({effective} of them independent) with {value:.1%} only; 95% is asked for.",
        "fail": "The winner did not earn on the days it was chosen on.",
    },
    "reality_check": {
        "pass": "If no trial had any skill, a best trial this good would turn up in {value:.1%} of searches.",
        "weak": "The winner does not stand out: {value:.0%} of searches without any skill find a best trial as good as here.",
        "fail": "This is what noise looks like: {value:.0%} of searches without any skill find a best trial as good as here.",
    },
    "pbo": {
        "pass": "What was best on half of the days held up on the other half: it fell behind most in {value:.0%} of cases.",
        "weak": "What was best on half of the days fell behind most others on the other half in {value:.0%} of cases.",
        "fail": "What was best on half of the days mostly lost on the other half, behind most others in {value:.0%} of cases.",
        MISSING: "Halves of the days could not be compared, which counts against it: {reason}.",
    },
    "out_of_sample": {
        "pass": "On days it had not seen it earned; luck does that in {value:.1%} of cases (looks at test days: {looks}).",
        "weak": "On days it had not seen it earned, but so does luck in {value:.0%} of cases (looks at test days: {looks}).",
        "fail": "On days it had not seen it lost money.",
        "too_little_data": "It was tried on {value:.0f} unseen days; fewer than {threshold} say nothing.",
        MISSING: "It was never tried on days it had not seen, which counts against it.",
    },
    "interval": {
        "pass": "Even at the low end of what the unseen days allow it earns (a daily Sharpe ratio of {value:.2f}).",
        "weak": "What the unseen days allow reaches down to a loss (a daily Sharpe ratio of {value:.2f}).",
        MISSING: "Without enough unseen days there is no range for what it will earn, which counts against it.",
    },
    "present": {
        "pass": "On unseen days it beat your present values; luck does that in {value:.1%} of cases.",
        "weak": "On unseen days it beat your present values, but so does luck in {value:.0%} of cases.",
        "fail": "On unseen days your present values earned as much or more: keep them.",
        MISSING: "It was not compared with your present values on unseen days, which counts against it.",
    },
    "random_entries": {
        "pass": "Buying at random moments on the same days and stocks earns as much in {value:.1%} of cases: its moments matter.",
        "weak": "Buying at random moments on the same days and stocks earns as much in {value:.0%} of cases.",
        "fail": "Buying at random moments on the same days and stocks mostly earns as much: its moments are worth nothing.",
        MISSING: "It was not compared with buying at random moments, which counts against it.",
    },
    "plateau": {
        "pass": "With every setting moved one step it typically keeps {value:.0%} of its result: it stands on a plateau.",
        "weak": "With a setting moved one step it typically keeps {value:.0%} of its result: it stands on a narrow spot.",
        "fail": "With a setting moved one step it typically earns nothing: it stands on a needle.",
        MISSING: "Nobody looked what its neighbouring settings earn, which counts against it.",
    },
    "stability": {
        "pass": "Without its best day or its best stock it keeps at least {value:.0%} of its profit.",
        "weak": "Without its best day or its best stock only {value:.0%} of its profit is left.",
        "fail": "Its best day made all of its profit: that day will not come again.",
        MISSING: "Nobody looked whether one stock or one day made the profit, which counts against it.",
    },
    "optimism": {
        "pass": "It earns under each of the worse assumptions about orders (later, smaller, fewer price levels).",
        "weak": "It earns under {value:.0%} of the worse assumptions about orders (later, smaller, fewer price levels).",
        "fail": "Under most of the worse assumptions about orders nothing is left: it lives off what the backtest grants.",
        MISSING: "It was not run under worse assumptions about orders, which counts against it.",
    },
    "cost_stress": {
        "pass": "It earns under each of the higher costs that were tried.",
        "weak": "It earns under {value:.0%} of the higher costs that were tried.",
        "fail": "Under most of the higher costs that were tried nothing is left.",
        MISSING: "It was not run under higher costs, which counts against it.",
    },
    "account": {
        "pass": "One account with limited cash and holdings keeps {value:.0%} of the profit.",
        "weak": "One account with limited cash and holdings keeps only {value:.0%} of the profit.",
        "fail": "One account with limited cash and holdings earns nothing.",
        MISSING: "Unlimited capital is assumed, as if every signal could be bought, which counts against it.",
    },
    "drawdown": {
        "pass": "With bad luck in the order of trades it would fall by {value:.0%} of its whole profit.",
        "weak": "With bad luck in the order of trades it would fall by {value:.0%} of its whole profit, more than it made.",
        MISSING: "Nobody looked how deep it falls when losses come together, which counts against it.",
    },
}


def plain_days(days: float) -> str:
    """Days for a sentence; inf when no length would do."""
    return "more than any number of" if days == float("inf") else f"{days:,.0f}"
