"""The pages whose code a reader will copy: it has to run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_footguns_are_as_the_page_says() -> None:
    text = (ROOT / "docs" / "footguns.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    exec(compile("\n".join(blocks), "docs/footguns.md", "exec"), {"__name__": "footguns"})


def test_the_metric_of_the_page_scores_and_is_averaged_as_it_says() -> None:
    """Catches an example that no longer fits the contract."""
    from dataclasses import replace

    import numpy as np
    import pandas as pd

    from bench.analysis.averaging import means
    from bench.api import get_protocol
    from bench.metrics import Scorer, choose_metrics
    from bench.registry import METRICS

    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    exec(compile(block, "docs/metrics.md", "exec"), {"__name__": "a_metric_of_your_own"})
    try:
        scorer = Scorer(choose_metrics(["mae"]), replace(get_protocol("sample"), aggregate="median"))
        hr = np.zeros((20, 20, 3), np.uint8)
        values = [scorer.score(hr + error, hr, None, 2.0, "a")["mae"].value for error in (1, 2, 9)]
        group = pd.DataFrame({"metric": ["mae"], "signature": [scorer.signatures(2.0)["mae"]]})
        (mean,) = means(group, np.zeros(3, np.intp), np.array(values), np.array(["a", "b", "c"]))
    finally:
        METRICS.forget("mae")
    assert values == [1.0, 2.0, 9.0]
    assert mean == 2.0


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_names_only_commands_and_options_that_exist() -> None:
    import typer.main

    from bench.cli.app import app

    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"^bench .*$|(?<=&& )bench .*$", text, re.MULTILINE):
        words = line.split()
        command = commands[words[1]]
        if hasattr(command, "commands"):
            command = command.get_command(None, words[2])
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
