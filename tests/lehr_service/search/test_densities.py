"""TPE's densities by products of matrices: what Optuna's own say, to rounding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights

from lehr_service.search.densities import Density

KINDS = (
    FloatDistribution(-3.0, 5.0),
    FloatDistribution(1e-6, 1e-1, log=True),
    FloatDistribution(1e6, 1e6 + 1.0),
    FloatDistribution(0.0, 1.0, step=0.05),
    IntDistribution(0, 2),
    IntDistribution(1, 10_000, log=True),
    IntDistribution(8, 256, step=8),
    CategoricalDistribution(["a", "b", "c"]),
)


def drawn(luck, space, count):
    """Points of a space as Optuna's densities take them, some of them at the ends of a range."""
    return {name: np.array([one(luck, of) for _ in range(count)]) for name, of in space.items()}


def one(luck, of):
    if isinstance(of, CategoricalDistribution):
        return float(luck.integers(len(of.choices)))
    share = luck.choice([0.0, 1.0, luck.random()], p=[0.1, 0.1, 0.8])
    if of.log:
        value = float(np.exp(np.log(of.low) + share * np.log(of.high / of.low)))
    else:
        value = of.low + share * (of.high - of.low)
    if of.step is not None:
        value = of.low + round((value - of.low) / of.step) * of.step
    return min(max(value, of.low), of.high)


@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    observed=st.integers(0, 60),
    clip=st.booleans(),
    endpoints=st.booleans(),
    prior=st.sampled_from([0.0, 1.0, 3.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_density_is_optunas_to_rounding(kinds, observed, clip, endpoints, prior, seed):
    space, luck = {f"x{i}": kind for i, kind in enumerate(kinds)}, np.random.default_rng(seed)
    told = drawn(luck, space, observed)
    options = _ParzenEstimatorParameters(prior, clip, endpoints, default_weights, True)
    ours, theirs = (of(told, space, options) for of in (Density, _ParzenEstimator))
    points = drawn(luck, space, 24)
    with np.errstate(divide="ignore"):  # Optuna's warns where there is no prior
        found, expected = ours.log_pdf(points), theirs.log_pdf(points)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
