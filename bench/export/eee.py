"""Every Eval Ever: one JSON record per method, with the signature beside every score.

Files lie as the datastore keeps them, data/COLLECTION/DEVELOPER/MODEL/UUID.json. The UUID follows from the content, so
exporting the same numbers twice gives one file.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.api import MethodSpec, RequestError, RunManifest, ScalePair, format_scale
from bench.api.paths import safe_name
from bench.export.eee_models import (
    ConfidenceInterval,
    EvalLibrary,
    EvaluationRecord,
    EvaluationResult,
    MetricConfig,
    ModelInfo,
    Relationship,
    ScoreDetails,
    SourceData,
    SourceMetadata,
    Uncertainty,
)
from bench.export.numbers import Number
from bench.registry import METHODS

COLLECTION = "assr-bench"
UNKNOWN = "unknown"
_INTERVAL = "Student's t over images"


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who exports; nothing in a run folder says it.

    Attributes:
        organisation: Who vouches for the numbers.
        relationship: To the makers of the method.
    """

    organisation: str
    relationship: Relationship


def eee_file(
    numbers: Sequence[Number],
    *,
    model: str,
    datasets: Mapping[str, str],
    sender: Sender,
    manifests: Sequence[RunManifest],
    now: float,
) -> tuple[str, str]:
    """The record of one method.

    Args:
        numbers: Of one method, at least one.
        model: DEVELOPER/NAME; "" where nobody says.
        datasets: Set of the run -> its Hub id, where it has one.
        sender: Who exports.
        manifests: run.json of the folders, for versions.
        now: Seconds since 1970, when the record is made.
    Returns:
        (path below the datastore, text).
    """
    first = numbers[0]
    variant = f"-{first.card.variant}" if first.card.variant else ""
    identity = model or f"{UNKNOWN}/{safe_name(first.card.method + variant)}"
    developer, _, name = identity.partition("/")
    stamp = f"{now:.0f}"
    record = EvaluationRecord(
        evaluation_id=f"{COLLECTION}/{identity}/{stamp}",
        retrieved_timestamp=stamp,
        source_metadata=SourceMetadata(
            source_name="assr-bench run",
            source_organization_name=sender.organisation,
            evaluator_relationship=sender.relationship,
        ),
        eval_library=_library(manifests),
        model_info=_model(first, identity, developer if model else None),
        evaluation_results=tuple(_result(number, datasets.get(number.entry.dataset)) for number in numbers),
    )
    content = record.model_dump(mode="json", exclude_none=True)
    place = f"data/{COLLECTION}/{safe_name(developer)}/{safe_name(name)}/{_content_uuid(content)}.json"
    return place, json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _result(number: Number, hub_id: str | None) -> EvaluationResult:
    entry, scale = number.entry, format_scale(number.scale)
    interval = None
    if entry.low is not None and entry.high is not None:
        bounds = ConfidenceInterval(lower=entry.low, upper=entry.high, confidence_level=0.95, method=_INTERVAL)
        interval = Uncertainty(confidence_interval=bounds, num_samples=entry.n)
    images = {"images": f"{entry.n} of {entry.expected}", "image_set": entry.images}
    score = {"signature": entry.signature, "seeds": str(entry.seeds)}
    if entry.sd is not None:
        score["sd_between_seeds"] = repr(entry.sd)
    if entry.seconds is not None:
        score["seconds_per_image"] = repr(entry.seconds)
    if entry.contaminated:
        score["training_data"] = entry.contaminated
    return EvaluationResult(
        evaluation_result_id=f"{entry.dataset}/x{scale}/{entry.signature}",
        evaluation_name=f"{entry.dataset} x{scale}",
        source_data=SourceData(
            dataset_name=entry.dataset,
            source_type="hf_dataset" if hub_id else "other",
            hf_repo=hub_id,
            samples_number=entry.n if hub_id else None,
            additional_details={key: text for key, text in images.items() if text},
        ),
        metric_config=MetricConfig(
            evaluation_description=f"super-resolution by {scale}: {number.info.summary}",
            metric_id=entry.metric,
            metric_name=number.info.display,
            metric_parameters={
                "scale": scale if isinstance(number.scale, ScalePair) else number.scale,
                "protocol": entry.protocol,
                "signature": entry.signature,
            },
            lower_is_better=number.lower_is_better,
        ),
        score_details=ScoreDetails(score=number.value, details=score, uncertainty=interval),
    )


def _library(manifests: Sequence[RunManifest]) -> EvalLibrary:
    """The version that measured, and what it measured with."""
    packages = [manifest.environment.get("packages") or {} for manifest in manifests]
    commits = [_commit(manifest.environment.get("git") or {}) for manifest in manifests]
    details = {
        "python": _joined(manifest.environment.get("python") for manifest in manifests),
        "torch": _joined(package.get("torch") for package in packages),
        "git_commit": _joined(commits),
    }
    return EvalLibrary(
        version=_joined(package.get("assr-bench") for package in packages) or UNKNOWN,
        additional_details={key: text for key, text in details.items() if text},
    )


def _commit(git: Mapping[str, Any]) -> str:
    return f"{git['commit']}{' with changes' if git.get('dirty') else ''}" if git.get("commit") else ""


def _model(number: Number, identity: str, developer: str | None) -> ModelInfo:
    card = number.card
    facts: dict[str, str] = {
        "deployment_type": UNKNOWN if _made_elsewhere(card.method) else "self_deployed",
        # a run folder does not say under what terms the weights can be had
        "model_availability": UNKNOWN,
        "method": card.method,
        "variant": card.variant,
        "parameters": "" if card.parameters is None else str(card.parameters),
        "training_sets": UNKNOWN if card.train_sets is None else ", ".join(card.train_sets),
        "minimised_metrics": ", ".join(card.minimised),
        "hardware": card.hardware,
        **{heading.lower().replace(" ", "_"): text for heading, text in card.weights.items()},
    }
    return ModelInfo(
        name=card.display,
        id=identity,
        developer=developer,
        additional_details={key: text for key, text in facts.items() if text},
    )


def _made_elsewhere(method: str) -> bool:
    """Whether other software made the images, on nobody knows what."""
    try:
        spec: MethodSpec = METHODS.get(method)
    except RequestError:
        return True
    return spec.elsewhere or spec.looks_up


def _joined(texts: Any) -> str:
    return ", ".join(dict.fromkeys(str(text) for text in texts if text))


def _content_uuid(content: Mapping[str, Any]) -> str:
    """A UUID (version 4 by its form, which the datastore asks for) of the content without its time."""
    timeless = {key: part for key, part in content.items() if key not in ("evaluation_id", "retrieved_timestamp")}
    text = json.dumps(timeless, sort_keys=True, ensure_ascii=False)
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
