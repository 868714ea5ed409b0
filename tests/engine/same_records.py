"""What two runs must have in common, whoever computed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def records_of(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """(record file, image) -> its newest record, without what differs from run to run: seconds, and the line's sum."""
    return {(file, record["image"]): record for file, record in _records(out)}


def images_of(out: Path) -> dict[str, str]:
    """Stored image -> hash of the file."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "images").rglob("*.png"))
    }


def _records(out: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((out / "records").rglob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            del record["check"]
            if record["output"] is not None:
                del record["output"]["seconds"]
            yield path.relative_to(out).as_posix(), record
