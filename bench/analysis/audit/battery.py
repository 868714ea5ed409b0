"""All checks over one piece of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from bench.analysis.audit.evidence import Evidence
from bench.analysis.audit.finding import CHECKS, Check, Finding, Severity
from bench.api import unknown_name

for _subject in ("copies", "values", "scales", "claims", "protocol", "training"):
    import_module(f"bench.analysis.audit.{_subject}")

_RANK = {severity: position for position, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        of: What was looked at.
        numbers: How many values it holds.
        checks: The checks that were made.
        findings: The most serious first, then in the order of the checks.
    """

    of: str
    numbers: int
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]

    def of_severity(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [finding for finding in self.findings if finding.severity is severity]


def audit(of: str, evidence: Evidence, *, only: Sequence[str] = ()) -> Audit:
    """Make the checks.

    Args:
        of: What the evidence is of, for the heading.
        evidence: Numbers, and what is known of them.
        only: Names of checks; empty: all.
    Raises:
        RequestError: there is no check of such a name.
    """
    known = {item.name: item for item in CHECKS}
    for name in only:
        if name not in known:
            raise unknown_name("check", name, known, "bench audit --list")
    made = tuple(item for item in CHECKS if not only or item.name in only)
    findings = [finding for item in made for finding in item.run(evidence)]
    findings.sort(key=lambda finding: _RANK[finding.severity])
    return Audit(of, len(evidence.present), made, tuple(findings))
