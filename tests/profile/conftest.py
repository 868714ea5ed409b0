"""A profile whose every number is known."""

from __future__ import annotations

import pytest

from bench.profile.measured import Loading, Machine, Measured, MethodProfile, Operations, Profile, Stage

MACHINE = Machine(
    processor="Made-up CPU 9000",
    cores=4,
    threads=2,
    memory_gb=16.0,
    device="cpu",
    torch="2.9.0",
    python="3.11.0",
    platform="Linux",
)


def made_loading(parameters: int | None, *, frozen: int | None = 0) -> Loading:
    """Of a method that holds 600 MB."""
    return Loading(
        torch=3.0,
        code=1.0,
        reading=0.25,
        memory=600_000_000,
        memory_kind="resident memory of a process of its own",
        parameters=parameters,
        frozen=frozen,
    )


@pytest.fixture
def made_profile() -> Profile:
    """A cascade of two stages, a method that runs outside torch, and one that failed at its second scale."""
    cascade = MethodProfile(
        method="casr",
        variant="lite",
        display="CASR (lite)",
        loading=made_loading(4_221_712, frozen=204_032),
        measured=(
            Measured(
                lr=(128, 96),
                size=(512, 384),
                scale=4.0,
                seconds=(2.0, 1.0, 3.0, 10.0),
                stages=(Stage(size=(256, 192), seconds=(0.5, 0.5)), Stage(size=(512, 384), seconds=(1.5, 1.5))),
                operations=Operations(flops=3_000_000_000, unknown={"aten.silu": 7, "aten.add_": 2}),
                peak=750_000_000,
            ),
        ),
    )
    outside = MethodProfile(
        method="bicubic",
        variant="",
        display="Bicubic",
        loading=made_loading(0, frozen=None),
        measured=(
            Measured(
                lr=(128, 96),
                size=(512, 384),
                scale=4.0,
                seconds=(0.001, 0.001, 0.001, 0.001),
                operations=Operations(flops=None, reason="it runs outside torch"),
                peak=610_000_000,
            ),
        ),
    )
    broken = MethodProfile(
        method="up",
        variant="",
        display="Up_50%",
        loading=made_loading(None, frozen=None),
        failure="its process was ended by signal 9",
    )
    return Profile(machine=MACHINE, repeats=4, warmup=1, methods=(cascade, outside, broken))
