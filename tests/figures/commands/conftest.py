"""`bench figure` as a person types it: the fixtures of the command line's tests, and weights of a blind method."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.weights.card import METADATA_KEY
from tests.cli.conftest import bench, newcomer, photos

__all__ = ["bench", "newcomer", "photos", "weights"]


@pytest.fixture
def weights(newcomer: Path) -> Path:
    """Two small untrained files of stage 1 in the working folder: kl.safetensors and kh.safetensors."""
    import torch
    from safetensors.torch import save_file

    from methods.blind_assr.architecture import BlindArchitecture
    from methods.blind_assr.network import RepresentationNetwork

    architecture = BlindArchitecture(encoder=(4, 6, 8), head=8, estimator=(6, 4))
    for seed, name in enumerate(("kl", "kh")):
        torch.manual_seed(seed)
        network = RepresentationNetwork(architecture)
        said = {"method": "blind_assr", "architecture": architecture.model_dump(mode="json"), "stage": "representation"}
        save_file(network.state_dict(), newcomer / f"{name}.safetensors", {METADATA_KEY: json.dumps(said)})
    return newcomer / "kl.safetensors"
