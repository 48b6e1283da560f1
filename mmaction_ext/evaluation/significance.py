"""Whether two models differ on the samples they were both tested on. Torch-free.

What is said is of these two models and samples like these. Another training of either would give
another model: what that changes, only seeds tell.
"""

from dataclasses import dataclass

import numpy as np

#: bootstrap samples (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13)
RESAMPLES = 9999
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedSamples:
    """Two models on the same samples.

    Attributes:
        samples: number of samples.
        first_alone: how many the first recognizes and the second does not.
        second_alone: the other way round.
        difference: accuracy of the first less that of the second, in [-1, 1].
        interval: its 95 % bootstrap interval over the samples.
        p_value: of the exact McNemar test, two-sided.
    """

    samples: int
    first_alone: int
    second_alone: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare(
    first: np.ndarray, second: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> PairedSamples:
    """Compare which samples two models recognize.

    The test is exact: of the samples that one alone recognizes, each model has its half by chance
    (McNemar, Psychometrika 12, 1947; for classifiers Dietterich, Neural Computation 10, 1998). The
    interval is of bootstrap percentiles. A sample adds -1, 0 or 1 to the difference, so that the
    counts of a bootstrap sample are multinomial, and are drawn as such.

    Args:
        first, second: whether each recognizes a sample, ``(N,)`` of bool, N at least 1.
        resamples: number of bootstrap samples.
        seed: of these.
    """
    from scipy.stats import binomtest

    samples = len(first)
    alone = int((first & ~second).sum()), int((second & ~first).sum())
    apart = sum(alone)
    shares = np.array([*alone, samples - apart]) / samples
    drawn = np.random.default_rng(seed).multinomial(samples, shares, resamples)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / samples, (tail, 1 - tail))
    return PairedSamples(
        samples,
        *alone,
        (alone[0] - alone[1]) / samples,
        (float(low), float(high)),
        float(binomtest(alone[0], apart).pvalue) if apart else 1.0,
    )
