"""CITATION.cff: valid by the rules of the Citation File Format 1.2.0, and true of this package."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import bench

ROOT = Path(__file__).parents[2]
REQUIRED = {"authors", "cff-version", "message", "title"}
"""Of a file, by schema 1.2.0 (doi 10.5281/zenodo.5171937)."""
ALLOWED = REQUIRED | {
    *("abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url"),
    *("preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url"),
    "version",
}
ENTITY = {
    *("address", "alias", "city", "country", "date-end", "date-start", "email", "fax", "location", "name", "orcid"),
    *("post-code", "region", "tel", "website"),
}


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    """The file, with every number as text, as its rules want it."""
    return yaml.load((ROOT / "CITATION.cff").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def test_it_is_a_valid_file(citation: dict[str, Any]) -> None:
    """Catches a missing or misspelt key, an author without a name, keywords as one text, and a type that is none."""
    assert set(citation) >= REQUIRED
    assert set(citation) <= ALLOWED
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("dataset", "software")
    for key in ("message", "title", "abstract"):
        assert isinstance(citation[key], str)
        assert citation[key]
    assert citation["authors"]
    for author in citation["authors"]:
        assert author["name"]
        assert set(author) <= ENTITY
    assert len(citation["keywords"]) == len(set(citation["keywords"])) > 0


def test_it_is_true_of_the_package(citation: dict[str, Any]) -> None:
    """Catches a version or a licence that was raised in one place only."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"] == bench.__version__
    assert citation["license"] == project["license"]
    assert citation["title"].startswith(project["name"])
