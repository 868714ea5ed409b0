"""An inference job on its way to another machine: the job, and whatever that machine may not have of its method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.api import MethodSpec, RequestError
from bench.engine.choice import MethodChoice
from bench.engine.keys import digest, method_code_hash, pair_code_hash
from bench.engine.making import InferJob
from bench.engine.on_ray.files import Contents, Received, Sent, files_of
from bench.engine.packed import PackedJob, pack_job, unpack_job
from bench.plugins import method_spec


@dataclass(frozen=True)
class Parcel:
    """A job that a worker on another machine can open.

    Attributes:
        packed: The job, and the plugin that its method is from.
        code: Hash of the code that makes LR and SR; empty for a plugin, which travels itself.
        contents: Files of images, and of the plugin.
        weights: Relative path -> content of the weights file and what belongs to it.
        weights_name: Names those weights; empty where the worker has them.
        shared: Whether the worker sees the files of the command.
    """

    packed: PackedJob
    code: str
    contents: Contents = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    weights_name: str = ""
    shared: bool = False


def pack(job: InferJob, sent: Sent, *, shared: bool) -> Parcel:
    """Make a parcel of a job.

    Args:
        job: The job.
        sent: The files that travel.
        shared: Whether the workers see the files of this machine.
    Raises:
        RequestError: the method cannot be told of elsewhere, or reads files that do not travel.
    """
    choice = job.choice
    packed = pack_job(job, otherwise="leave out --executor ray")
    code = code_of(choice.spec) if packed.plugin is None else ""
    if shared:
        return Parcel(packed, code, shared=True)
    _refuse_paths(choice)
    files = [path for unit in job.units for path in files_of(unit.sample)]
    contents = sent.of([*files, *([] if packed.plugin is None else [packed.plugin[1]])])
    weights = {} if choice.trained in choice.spec.weights else _weights(choice.weights, sent)
    return Parcel(packed, code, contents, weights, job.weights[:16] if weights else "")


def unpack(parcel: Parcel, received: Received) -> InferJob:
    """The job of a parcel, its files where this machine has them.

    Raises:
        RequestError: the method is not to be had here, or its code is another version than where the command runs.
    """
    plugin = parcel.packed.plugin
    file = None if plugin is None else received.path(plugin[1], parcel.contents)
    job = unpack_job(
        parcel.packed,
        where="on a machine of the cluster",
        next_step="install there what is installed here, or put the method into a file and name that with --plugin",
        file=file,
    )
    spec = job.choice.spec
    if parcel.code:
        spec = method_spec(spec.info.name)  # where its files lie on this machine
        if code_of(spec) != parcel.code:
            raise RequestError(
                f"the code of {spec.info.name} on a machine of the cluster is not that of the machine which runs the "
                "command: install the same version of both, and of assr-bench, on all of them"
            )
    if parcel.shared:
        return replace(job, choice=replace(job.choice, spec=spec))
    if file is not None:
        spec = replace(spec, root=file)
    weights = job.choice.weights
    if parcel.weights and weights is not None:
        weights = received.together(parcel.weights_name, parcel.weights) / weights.name
    elif job.choice.trained in spec.weights:
        weights = spec.weights[job.choice.trained]
    units = tuple(replace(unit, sample=received.sample(unit.sample, parcel.contents)) for unit in job.units)
    choice = replace(job.choice, spec=spec, weights=weights)
    return replace(job, choice=choice, units=units, out=received.folder / "out")


def code_of(spec: MethodSpec) -> str:
    """Hash of the code that makes LR of HR and SR of LR, as it is on this machine."""
    return digest([method_code_hash(spec), pair_code_hash()])


def _weights(path: Path | None, sent: Sent) -> dict[str, Any]:
    """Name -> content of a file and of what is called alike (its card), or of all files of a folder."""
    if path is None:
        return {}
    base = path.parent
    files = path.rglob("*") if path.is_dir() else base.glob(f"{path.stem}.*")
    here = sorted(file for file in files if file.is_file())
    return {Path(name).relative_to(base).as_posix(): content for name, content in sent.of(here).items()}


def _refuse_paths(choice: MethodChoice) -> None:
    for name, value in choice.options:
        if isinstance(value, Path):
            raise RequestError(
                f"{choice.handle or choice.name}.{name}={value} is a file of this machine, which the others of the "
                "cluster do not see: give --shared-fs where they do, or --executor local"
            )
