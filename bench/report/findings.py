"""An audit for people and programs: plain text of 79 columns, Markdown, JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict

from bench.analysis.audit import CHECKS, Audit, Finding, Severity
from bench.api import RequestError
from bench.report.escape import markdown

_WIDTH = 79
_HEAD = 9
"""Columns of the severity."""


def render_audit(audit: Audit, output: str = "text") -> str:
    """The findings, the most serious first; those of one check and severity together, with why they matter.

    Args:
        audit: What was found.
        output: One of OUTPUTS.
    Raises:
        RequestError: an unknown output.
    """
    if output not in OUTPUTS:
        raise RequestError(f"unknown format '{output}'; choose --format {', '.join(OUTPUTS)}")
    return OUTPUTS[output](audit)


def render_checks() -> str:
    """The checks that there are, with why."""
    lines = []
    for check in CHECKS:
        lines += [_fill(f"{check.name:<21}{check.about}", 21), _fill(" " * 21 + check.why, 21), ""]
    return "\n".join(lines).rstrip() + "\n"


def summary_line(audit: Audit) -> str:
    """How many findings there are of each severity."""
    counts = [(len(audit.of_severity(severity)), severity) for severity in Severity]
    listed = ", ".join(f"{number} {severity}{'s' * (number != 1)}" for number, severity in counts)
    return f"{audit.of}: {audit.numbers} values, {len(audit.checks)} checks: {listed}"


def _text(audit: Audit) -> str:
    lines = []
    for severity, name, findings in _together(audit):
        why = next(check.why for check in audit.checks if check.name == name)
        lines += [f"{severity.upper():<{_HEAD}}{name}", _fill(" " * _HEAD + why, _HEAD)]
        for finding in findings:
            lines.append(_fill(f"  - {finding.where or audit.of}", 4))
            lines.append(_fill(f"    {finding.message}", 4))
            lines += [_fill(f"      {line}", 8) for line in finding.evidence]
        lines.append("")
    return "\n".join([*lines, _fill(summary_line(audit), 2)]) + "\n"


def _markdown(audit: Audit) -> str:
    lines = [f"# Audit of {markdown(audit.of)}", "", f"{markdown(summary_line(audit))}.", ""]
    for severity, name, findings in _together(audit):
        why = next(check.why for check in audit.checks if check.name == name)
        lines += [f"## {severity.capitalize()}: {name}", "", markdown(why), ""]
        for finding in findings:
            lines.append(f"- **{markdown(finding.where or audit.of)}**: {markdown(finding.message)}")
            lines += [f"  - {markdown(line)}" for line in finding.evidence]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _json(audit: Audit) -> str:
    whys = {check.name: check.why for check in audit.checks}
    content = {
        "of": audit.of,
        "values": audit.numbers,
        "checks": [check.name for check in audit.checks],
        "findings": [{**asdict(finding), "why": whys[finding.check]} for finding in audit.findings],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _together(audit: Audit) -> list[tuple[Severity, str, list[Finding]]]:
    groups: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in audit.findings:
        groups.setdefault((finding.severity, finding.check), []).append(finding)
    return [(severity, name, findings) for (severity, name), findings in groups.items()]


def _fill(text: str, indent: int) -> str:
    own = len(text) - len(text.lstrip())
    return textwrap.fill(
        text.strip(),
        _WIDTH,
        initial_indent=" " * own,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


OUTPUTS: Mapping[str, Callable[[Audit], str]] = {"text": _text, "md": _markdown, "json": _json}
"""Name -> the whole text."""
