"""An inference job as bytes for another process, and the plugin that this must load before it reads them.

Both ways out of this process go through here: the pipe to a process of this machine, and a parcel to one of a cluster.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

from bench.api import RequestError
from bench.engine.making import InferJob
from bench.plugins import load_plugin, plugin_module, plugin_of


@dataclass(frozen=True)
class PackedJob:
    """A job on its way.

    Attributes:
        content: The job; what is in modules goes by name.
        plugin: (module, file) of the plugin that its method is from, as they are called where the command runs.
    """

    content: bytes
    plugin: tuple[str, Path] | None = None


def pack_job(job: InferJob, *, otherwise: str) -> PackedJob:
    """Make bytes of a job.

    Args:
        job: The job.
        otherwise: How to do without another process, for the message.
    Raises:
        RequestError: the method is made of what no other process can be told of.
    """
    choice = job.choice
    file = plugin_of(choice.spec)
    try:
        content = pickle.dumps(job)
    except Exception as fault:
        raise RequestError(
            f"method {choice.name} cannot be sent to another process ({type(fault).__name__}: {fault}): put it into a "
            f"file and name that with --plugin, or {otherwise}"
        ) from fault
    return PackedJob(content, None if file is None else (choice.spec.factory.partition(":")[0], file))


def unpack_job(packed: PackedJob, *, where: str, next_step: str, file: Path | None = None) -> InferJob:
    """The job of some bytes, once its plugin is loaded.

    Args:
        packed: What `pack_job` made.
        where: This process, for the message.
        next_step: What to do where the method is not to be had here.
        file: Where the plugin lies here; None: where it lay there.
    Raises:
        RequestError: the method is not to be had in this process, or its plugin was edited since the run began.
    """
    try:
        if packed.plugin is not None:
            module, sent = packed.plugin
            if plugin_module(file or sent, known_as=sent) != module:
                raise RequestError(
                    f"plugin {sent} was changed while the run was under way: it holds other bytes than when the "
                    "results were planned; type the same command again, finished work is kept"
                )
            load_plugin(file or sent, module=module)
        return pickle.loads(packed.content)
    except RequestError:
        raise
    except Exception as fault:
        raise RequestError(
            f"a method is not to be had {where} ({type(fault).__name__}: {fault}): {next_step}"
        ) from fault
