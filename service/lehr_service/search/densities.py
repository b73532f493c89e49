"""The densities of Optuna's TPE, for less.

Half of the time of a suggestion went into what hundreds of trials say of 24 points. A normal
density's logarithm is a polynomial of the point, so those of all kernels at all points are one
product of matrices. The values are Optuna's to rounding.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from scipy.special import ndtr

Numbers = np.ndarray

_NARROW = 1e-3  # share of its range under which a kernel's polynomial loses digits
_SMALLEST = np.finfo(float).tiny


class Density(_ParzenEstimator):  # type: ignore[misc]
    """A mixture of products, whose kernels are taken apart when it is first asked."""

    def log_pdf(self, samples_dict: dict[str, Numbers]) -> Numbers:
        """Logarithm of the density [points] at points given by parameter, each [points]."""
        if not self._kernels.are_wide:
            return super().log_pdf(samples_dict)  # type: ignore[no-any-return]
        logs = self._kernels.log_densities(self._transform(samples_dict))
        top = logs.max(axis=1)
        top[np.isneginf(top)] = 0.0
        sums: Numbers = _log(np.exp(logs - top[:, None]).sum(axis=1)) + top
        return sums

    @cached_property
    def _kernels(self) -> _Kernels:
        return _Kernels(*self._mixture_distribution)


class _Kernels:
    """What the kernels of a mixture say of each parameter."""

    def __init__(self, weights: Numbers, distributions: list[Any]) -> None:
        """``weights`` [kernels]; a distribution of all kernels for each parameter."""
        self._constant = _log(weights)
        # Whether the prior is one of them, and none is narrow: then far tails are never all there
        # is, and no digit is lost.
        self.are_wide = bool(weights[-1] > 0)
        self._choices: list[tuple[int, Numbers]] = []  # parameter, logarithms [choices, kernels]
        self._grids: list[tuple[int, Any]] = []
        self._lines: list[tuple[int, Any]] = []
        factors: list[Numbers] = []
        for index, of in enumerate(distributions):
            if not hasattr(of, "mu"):
                self._choices.append((index, _log(of.weights).T))
                continue
            self.are_wide &= bool(of.sigma.min() >= _NARROW * (of.adapted_high - of.adapted_low))
            if of.step:
                self._grids.append((index, of))
                self._constant = self._constant - _log_mass(*_ends(of))
            else:
                self._lines.append((index, of))
                factors += self._polynomial(of)
        self._factors = np.array(factors)  # [2 a line, kernels]

    def _polynomial(self, of: Any) -> tuple[Numbers, Numbers]:
        """The factors of x squared and x, with x from -1/2 to 1/2 over the range."""
        width = of.adapted_high - of.adapted_low
        mean, sigma = _within(of, of.mu), of.sigma / width
        square, line = -0.5 / sigma**2, mean / sigma**2
        height = square * mean**2 - np.log(of.sigma * math.sqrt(2.0 * math.pi))
        self._constant = self._constant + height - _log_mass(*_ends(of))
        return square, line

    def log_densities(self, points: Numbers) -> Numbers:
        """Of each kernel at each point [points, kernels], weights included; points: [points, n]."""
        logs = np.broadcast_to(self._constant, (len(points), len(self._constant)))
        if self._lines:
            x = [_within(of, _scaled(of, points[:, index])) for index, of in self._lines]
            powers = np.array([power for each in x for power in (each * each, each)])
            logs = logs + powers.T @ self._factors
        for index, known in self._choices:
            logs = logs + known[points[:, index].astype(int)]
        for index, of in self._grids:
            values, places = np.unique(points[:, index], return_inverse=True)
            low, high = (_scaled(of, values + by)[:, None] for by in (-of.step / 2, of.step / 2))
            logs = logs + _log_mass((low - of.mu) / of.sigma, (high - of.mu) / of.sigma)[places]
        return logs


def _log(values: Numbers) -> Numbers:
    """Minus infinity for 0: what nobody has tried, where there is no prior."""
    with np.errstate(divide="ignore"):
        logs: Numbers = np.log(values)
    return logs


def _scaled(of: Any, values: Numbers) -> Numbers:
    scaled: Numbers = np.log(values) if of.is_log else values
    return scaled


def _within(of: Any, values: Numbers) -> Numbers:
    """Where values lie in their range, its middle being 0 and its ends -1/2 and 1/2."""
    low, high = float(of.adapted_low), float(of.adapted_high)
    return (values - 0.5 * (low + high)) / (high - low)


def _ends(of: Any) -> tuple[Numbers, Numbers]:
    """Of the range, in standard deviations of each kernel from its mean."""
    return (of.adapted_low - of.mu) / of.sigma, (of.adapted_high - of.mu) / of.sigma


def _log_mass(low: Numbers, high: Numbers) -> Numbers:
    """Logarithm of the standard normal's mass between two ends, as exact in either tail."""
    right = low > 0
    mass = ndtr(np.where(right, -low, high)) - ndtr(np.where(right, -high, low))
    logs: Numbers = np.log(np.maximum(mass, _SMALLEST))
    return logs
