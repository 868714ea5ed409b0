"""Hugging Face's `.eval_results/*.yaml`: what a model's repository says of its scores on benchmarks.

The format as the Hub documents it (docs/hub/eval-results.md and eval_results.yaml of its hub-docs repository, and
`EvalResultEntry` of huggingface_hub): a list of entries with the data set's Hub id, the task of its `eval.yaml` and a
value. It has no field for how a number was made, so the signature stands in `notes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from bench import __version__
from bench.api import RequestError, format_scale
from bench.api.paths import safe_name
from bench.export.numbers import Number

FOLDER = ".eval_results"
TASK = "{metric}-x{scale}"
"""How a task is called unless somebody says otherwise."""
HUB_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"
"""OWNER/NAME."""
URL = r"^https?://\S+$"
_NOTES_LIMIT = 2000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HubDataset(_Part):
    """Which benchmark, and which task of it."""

    id: Annotated[str, Field(pattern=HUB_ID)]
    task_id: Annotated[str, Field(min_length=1)]


class HubSource(_Part):
    """Where the numbers can be checked."""

    url: Annotated[str, Field(pattern=URL)]
    name: str


class HubResult(_Part):
    """One entry of a file."""

    dataset: HubDataset
    value: Annotated[float, Field(allow_inf_nan=False)]
    source: HubSource | None = None
    notes: Annotated[str, Field(min_length=1, max_length=_NOTES_LIMIT)]


def hub_files(
    numbers: Iterable[Number], *, datasets: Mapping[str, str], task: str = TASK, source_url: str = ""
) -> tuple[dict[str, str], list[str]]:
    """The files of one model's repository.

    Args:
        numbers: Of one method.
        datasets: Set of the run -> its Hub id.
        task: How a task is called: text with {metric}, {scale}, {dataset}, {protocol}.
        source_url: Where the run can be looked at; "" for no source.
    Returns:
        Path below the repository -> text; and a sentence on every set that has no Hub id.
    Raises:
        RequestError: two numbers would be of one task, or `task` or `source_url` has another form.
    """
    files: dict[str, list[HubResult]] = {}
    missing: dict[str, None] = {}
    for number in numbers:
        name = number.entry.dataset
        if name not in datasets:
            missing[f"{name}: no Hub id; give --hub-dataset {name}=OWNER/DATASET to export its numbers"] = None
            continue
        files.setdefault(name, []).append(_result(number, datasets[name], task, source_url))
    for name, results in files.items():
        _check_tasks(name, results)
    texts = {f"{FOLDER}/assr-bench-{safe_name(name)}.yaml": _text(results) for name, results in files.items()}
    return texts, list(missing)


def _result(number: Number, dataset: str, task: str, source_url: str) -> HubResult:
    source = HubSource(url=source_url, name=f"assr-bench {__version__}") if source_url else None
    return HubResult(
        dataset=HubDataset(id=dataset, task_id=_task(task, number)),
        value=number.value,
        source=source,
        notes=_notes(number),
    )


def _notes(number: Number) -> str:
    """How the number was made, which the format has no field for."""
    entry = number.entry
    parts = [
        f"{number.card.display}, {number.info.display} at x{format_scale(number.scale)} on {entry.dataset}",
        f"protocol {entry.protocol}" if entry.protocol else "",
        f"signature {entry.signature}",
        f"{entry.n} of {entry.expected} images" + (f" (set {entry.images})" if entry.images else ""),
        f"{entry.seeds} seeds" if entry.seeds > 1 else "",
        f"{'lower' if number.lower_is_better else 'higher'} is better",
        f"assr-bench {__version__}",
    ]
    return "; ".join(part for part in parts if part)


def _task(template: str, number: Number) -> str:
    values = {
        "metric": number.entry.metric,
        "scale": format_scale(number.scale),
        "dataset": number.entry.dataset,
        "protocol": number.entry.protocol,
    }
    try:
        return template.format_map(values)
    except (KeyError, ValueError, IndexError, AttributeError):
        known = ", ".join(f"{{{name}}}" for name in values)
        raise RequestError(f"--task {template}: expected text with {known}, such as {TASK}") from None


def _check_tasks(name: str, results: Iterable[HubResult]) -> None:
    counts = Counter(result.dataset.task_id for result in results)
    twice = next((task for task, count in counts.items() if count > 1), None)
    if twice is not None:
        raise RequestError(
            f"{counts[twice]} numbers of {name} would be of the task '{twice}', and a reader could not tell which is "
            "which; choose --protocol, or name tasks by {protocol} with --task"
        )


def _text(results: Iterable[HubResult]) -> str:
    entries = [result.model_dump(exclude_none=True) for result in results]
    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=120)
