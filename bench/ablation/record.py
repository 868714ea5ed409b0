"""What a run folder remembers of its ablation: which rows are which variants, and where in a sweep they lie."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.api import RequestError
from bench.api.record import first_fault
from bench.imaging.regular import read_regular

ABLATION_FILE = "ablation.json"


class VariantRecord(BaseModel):
    """One row.

    Attributes:
        name: Of its row in the run.
        label: What tables call it.
        method: Registered name.
        of: The file's variant behind it; "" without a file.
        settings: Option -> value, as typed behind `--sweep`.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    label: str
    method: str
    of: str = ""
    settings: dict[str, str] = {}


class AblationRecord(BaseModel):
    """The ablation that was run last in a folder."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    default: str
    variants: tuple[VariantRecord, ...]

    def to_json(self) -> str:
        """The text of the file."""
        return self.model_dump_json(indent=2) + "\n"


def read_record(folder: Path) -> AblationRecord:
    """Read what a run folder remembers.

    Raises:
        RequestError: it holds no ablation, or the file is damaged.
    """
    path = folder / ABLATION_FILE
    try:
        return AblationRecord.model_validate_json(read_regular(path))
    except OSError:
        raise RequestError(f"{folder} holds no ablation: it has no {ABLATION_FILE}; run 'bench ablate' first") from None
    except ValidationError as fault:
        raise RequestError(f"{path} is damaged: {first_fault(fault)}; repeat the 'bench ablate'") from None
