"""A YAML text as a typed model: cards of datasets and of weights, the papers' claims; one answer to damaged ones."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bench.api.errors import RequestError
from bench.api.record import first_fault
from bench.api.yaml_text import YamlError, load_yaml

M = TypeVar("M", bound=BaseModel)


def read_yaml(text: str | bytes, model: type[M], *, where: str, what: str) -> M:
    """Parse a text strictly.

    Args:
        text: YAML, as `load_yaml` takes it.
        model: What it must be.
        where: File name, for the message.
        what: What the file is, such as "a dataset card".
    Raises:
        RequestError: not YAML, or other fields or values than the model's (names the file and the field).
    """
    try:
        return model.model_validate(load_yaml(text))
    except ValidationError as fault:
        said = first_fault(fault)
    except (YamlError, RecursionError) as fault:
        said = str(fault)
    raise RequestError(f"{where} is not {what}: {said}; mend that file, or install the package again")
