"""What in a table of numbers cannot be right, or does not show what is claimed of it: one registry of checks."""

from bench.analysis.audit.battery import Audit, audit
from bench.analysis.audit.evidence import Evidence, Number
from bench.analysis.audit.finding import CHECKS, Check, Finding, Severity, check
from bench.analysis.audit.reading import read_evidence

__all__ = ["CHECKS", "Audit", "Check", "Evidence", "Finding", "Number", "Severity", "audit", "check", "read_evidence"]
