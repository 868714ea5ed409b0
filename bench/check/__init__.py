"""One battery of checks over any method: what the contract asks, tried out and told in words."""

from bench.check.battery import CHECKS, Report, run_battery
from bench.check.cases import CASES, Case
from bench.check.check import Check, Result, Status

__all__ = ["CASES", "CHECKS", "Case", "Check", "Report", "Result", "Status", "run_battery"]
