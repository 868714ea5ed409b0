"""From plain values to a resolved request: plugins, rows, datasets, metrics and protocol, each looked up once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.api import Dataset, Protocol, RequestError, format_scale
from bench.data import resolve_dataset
from bench.engine.choice import choose_methods
from bench.engine.executor import EXECUTORS
from bench.engine.request import ClusterPlace, RunRequest
from bench.engine.shard import Shard
from bench.metrics.catalog import DEFAULT_METRICS, choose_metrics, default_metrics
from bench.plugins import load_plugin
from bench.session.config import RunConfig
from bench.session.protocol_file import find_protocol, split_knobs, with_knobs


def build_request(config: RunConfig, *, command: str = "") -> RunRequest:
    """Resolve a request; nothing is computed or written.

    Args:
        config: The plain values.
        command: What the user typed, to say how to go on.
    Raises:
        RequestError: a name, option, file or folder that is not there.
    """
    for path in config.plugin:
        load_plugin(path)
    options, knobs = split_knobs(config.set)
    sets = tuple(resolve_dataset(name, data_root=config.data_root) for name in config.datasets)
    name = config.protocol or default_protocol(sets)
    preset = named_protocol(name, alpha=config.alpha, sr_size=config.sr_size, degradation=config.degradation)
    protocol = with_knobs(preset, knobs)
    for scale in config.scales:
        if reason := protocol.refused(scale):
            raise RequestError(f"--scales {format_scale(scale)}: {reason}; leave it out, or choose another --protocol")
    methods = choose_methods(
        config.methods, weights=config.weights, overrides=options, versus=config.versus, labels=config.name
    )
    trained_by = [name for row in methods for name in row.minimised]
    metrics = config.metrics or default_metrics(trained_by, protocol.metrics or DEFAULT_METRICS)
    # what is stored is what was measured, whatever a later version measures by default
    config = config.model_copy(update={"metrics": metrics})
    return RunRequest(
        methods=methods,
        datasets=sets,
        scales=config.scales,
        metrics=choose_metrics(metrics, config.weights_root),
        protocol=protocol,
        seeds=config.seeds,
        out=config.out,
        device=config.device,
        limit=config.limit,
        executor=known_executor(config.executor),
        cluster=_cluster(config),
        procs=config.procs,
        workers=config.workers,
        tile=config.tile,
        weights_root=config.weights_root,
        command=command,
        config=config.plain(),
        fail_fast=config.fail_fast,
        shard=Shard.parse(config.shard) if config.shard is not None else None,
    )


def known_executor(name: str) -> str:
    """The name of a registered executor.

    Raises:
        RequestError: nobody registered it.
    """
    if name not in EXECUTORS.names():
        raise RequestError(f"--executor {name}: there is {', '.join(EXECUTORS.names())} in this version")
    return name


def _cluster(config: RunConfig) -> ClusterPlace:
    """The machines of a cluster, which only its own executor knows what to do with."""
    typed = "--ray-address" if config.ray_address else "--shared-fs" if config.shared_fs else ""
    if typed and config.executor != "ray":
        raise RequestError(f"{typed} belongs to --executor ray, saw --executor {config.executor}; give both or neither")
    return ClusterPlace(config.ray_address or "", config.shared_fs)


def named_protocol(name: str, **changed: Any) -> Protocol:
    """The preset or the protocol of a file, with the user's word on knobs that are options of their own.

    Args:
        name: Of the preset, or a .yaml file.
        changed: Knob -> value; None leaves the preset's.
    Raises:
        RequestError: an unknown name, a file that is no protocol, or a knob that contradicts the preset.
    """
    knobs = {knob: value for knob, value in changed.items() if value is not None}
    try:
        return replace(find_protocol(name), **knobs)
    except RequestError:
        raise
    except ValueError as fault:
        asked = " ".join(f"--{knob.replace('_', '-')} {value}" for knob, value in knobs.items())
        raise RequestError(f"protocol '{name}' does not take {asked}: {fault}; choose another --protocol") from None


def default_protocol(sets: Sequence[Dataset]) -> str:
    """The one protocol that the datasets' cards name.

    Raises:
        RequestError: the cards name different ones.
    """
    names = {dataset.name: dataset.default_protocol or "sample" for dataset in sets}
    if len(set(names.values())) > 1:
        listed = ", ".join(f"{name}: {protocol}" for name, protocol in names.items())
        raise RequestError(f"these datasets have different default protocols ({listed}); choose with --protocol NAME")
    return next(iter(names.values()))
