"""Every Eval Ever's aggregate record, as far as measured images need it: strict models of the published JSON schema.

Source: `eval.schema.json` 0.3.0 of the package every-eval-ever 0.3.0 (EvalEval coalition, MIT). The schema allows more
(prompts, judges, samples of conversations); nothing here is beyond it, which a test holds against the schema itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "0.3.0"
Finite = Annotated[float, Field(allow_inf_nan=False)]
Details = dict[str, str]
"""Further facts; the schema takes text alone."""
Relationship = Literal["first_party", "third_party", "collaborative", "other"]
"""Between who measured and who made the method."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceMetadata(_Part):
    """Who vouches for the numbers."""

    source_name: str
    source_type: Literal["evaluation_run"] = "evaluation_run"
    source_organization_name: Annotated[str, Field(min_length=1)]
    evaluator_relationship: Relationship


class EvalLibrary(_Part):
    """What measured."""

    name: Literal["assr-bench"] = "assr-bench"
    version: str
    additional_details: Details


class ModelInfo(_Part):
    """What was measured; `additional_details` must say deployment_type and model_availability."""

    name: str
    id: Annotated[str, Field(pattern=r"^[^/]+/[^/]+$")]
    developer: str | None = None
    additional_details: Details


class SourceData(_Part):
    """The images: a data set of the Hub, or any other."""

    dataset_name: str
    source_type: Literal["hf_dataset", "other"]
    hf_repo: str | None = None
    samples_number: int | None = None
    additional_details: Details


class MetricConfig(_Part):
    """The metric; without `score_type`, which would ask for bounds that PSNR does not have."""

    evaluation_description: str
    metric_id: str
    metric_name: str
    metric_parameters: dict[str, str | float]
    lower_is_better: bool


class ConfidenceInterval(_Part):
    """Of the mean."""

    lower: Finite
    upper: Finite
    confidence_level: Finite
    method: str


class Uncertainty(_Part):
    """How far the mean may be off."""

    confidence_interval: ConfidenceInterval
    num_samples: int


class ScoreDetails(_Part):
    """The number."""

    score: Finite
    details: Details
    uncertainty: Uncertainty | None = None


class EvaluationResult(_Part):
    """One number with all that says how it was made."""

    evaluation_result_id: str
    evaluation_name: str
    source_data: SourceData
    metric_config: MetricConfig
    score_details: ScoreDetails


class EvaluationRecord(_Part):
    """One file: the numbers of one method."""

    schema_version: Literal["0.3.0"] = SCHEMA_VERSION
    evaluation_id: str
    retrieved_timestamp: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
    source_metadata: SourceMetadata
    eval_library: EvalLibrary
    model_info: ModelInfo
    evaluation_results: Annotated[tuple[EvaluationResult, ...], Field(min_length=1)]
