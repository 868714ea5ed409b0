"""Residual shifting: the schedule, the forward process, the posterior and the prior sample.

Source: ResShift (Yue, Wang, Loy, NeurIPS 2023), Eq. 1, 2, 6, 7 and its "exponential" schedule, which CasArbi (arXiv
2506.07813, section III-A) applies to residuals r0 and l0 against a pretrained network's image. Steps count 1..T.
"""

from __future__ import annotations

import math

import torch


class EtaSchedule:
    """eta_t, the share of the way from the HR residual to the LR residual, and its increments alpha_t.

    Attributes:
        steps: T.
        kappa: Noise level; the marginal's variance is kappa^2 eta_t.
        eta: (T + 1,) float64; eta[t] for t = 1..T, eta[0] = 0.
        alpha: (T + 1,) float64; alpha[t] = eta[t] - eta[t - 1], alpha[0] = 0.
    """

    def __init__(self, steps: int, *, p: float, kappa: float, m: float, end: float = 0.99) -> None:
        """The exponential schedule.

        Args:
            steps: T, at least 2.
            p: Exponent of the step's share; below 1 rises early.
            kappa: Noise level.
            m: Least noise: sqrt(eta_1) = min(m / kappa, m).
            end: sqrt(eta_T), as ResShift's code has it (its paper says that eta_T is near 1).
        Raises:
            ValueError: fewer than 2 steps, or values that do not rise from above 0 to below 1.
        """
        first = min(m / kappa, m) if kappa > 0 else m
        if steps < 2 or p <= 0 or kappa < 0 or not 0 < first < end < 1:
            raise ValueError(
                "expected at least 2 steps, p > 0, kappa >= 0 and 0 < min(m / kappa, m) < end < 1, "
                f"got {steps}, {p}, {kappa}, {first} and {end}"
            )
        self.steps, self.kappa = steps, kappa
        share = torch.arange(steps, dtype=torch.float64) / (steps - 1)
        roots = first * (end / first) ** (share**p)
        self.eta = torch.cat((torch.zeros(1, dtype=torch.float64), roots**2))
        self.alpha = torch.diff(self.eta, prepend=self.eta[:1])

    def noise(self, t: int) -> float:
        """Standard deviation of the marginal at t: kappa sqrt(eta_t)."""
        return self.kappa * math.sqrt(float(self.eta[t]))


class ResidualShift:
    """The chain between the HR residual r0 and the LR residual l0."""

    def __init__(self, schedule: EtaSchedule) -> None:
        self.schedule = schedule

    def q_sample(self, r0: torch.Tensor, l0: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """r_t of the marginal (Eq. 1's closed form): r0 + eta_t (l0 - r0) + kappa sqrt(eta_t) noise.

        Args:
            r0, l0, noise: (B, C, H, W).
            t: (B,) int64 in 1..T.
        """
        eta = self.schedule.eta.to(r0.device)[t].reshape(-1, *[1] * (r0.ndim - 1))
        spread = (self.schedule.kappa * eta.sqrt()).to(r0.dtype)
        return r0 + eta.to(r0.dtype) * (l0 - r0) + spread * noise

    def posterior(self, t: int) -> tuple[float, float, float]:
        """What r_{t-1} is made of, given r_t and r0 (Eq. 2).

        Returns:
            The factor of r_t, the factor of r0, and the standard deviation, which is 0 at t = 1.
        """
        eta, before = float(self.schedule.eta[t]), float(self.schedule.eta[t - 1])
        alpha = float(self.schedule.alpha[t])
        return before / eta, alpha / eta, self.schedule.kappa * math.sqrt(before / eta * alpha)

    def prior(self, l0: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """r_T as sampling begins: l0 + kappa sqrt(eta_T) noise. r0 is unknown: 0.02 (r0 - l0) are left out."""
        return l0 + self.schedule.noise(self.schedule.steps) * noise

    def normalised(self, r: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """r_t divided by sqrt(kappa^2 eta_t + 1), its spread where residuals have unit variance; t: (B,) int64."""
        variance = self.schedule.kappa**2 * self.schedule.eta.to(r.device)[t] + 1
        return r / variance.sqrt().to(r.dtype).reshape(-1, *[1] * (r.ndim - 1))
