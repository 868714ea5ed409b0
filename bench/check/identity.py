"""Checks of what a method says of itself, and of the key that tells its images from those of other code and weights."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import replace
from pathlib import Path

import bench
from bench.api import MethodInfo, MethodSpec, Tiling, counted
from bench.check.check import check
from bench.check.subject import Subject
from bench.check.verdict import Broken, NotApplicable
from bench.engine.keys import method_key
from bench.engine.sources import method_sources
from bench.plugins import method_class
from bench.registry import METHODS

_COPIED = 256 << 20
"""Bytes of weights that are copied to try an edit on."""


@check("code-key", "code of its own that runs is part of the key", quick=False)
def code_is_in_the_key(subject: Subject) -> str | None:
    """The files whose functions ran are among those that are hashed, and an edit of a plug-in file changes the key."""
    spec = subject.choice.spec
    own = {path for path in subject.second().ran if _is_own(path, spec)}
    outside = sorted(own - _hashed(spec))
    if outside:
        raise Broken(
            expected="every source file that runs in the output key",
            seen=f"{', '.join(path.name for path in outside)} outside of it",
            next="put all code into one file or one package, or name the files in MethodSpec.shared",
        )
    if spec.root.is_file():
        with tempfile.TemporaryDirectory(prefix="assr-bench-") as folder:
            copy = Path(folder) / spec.root.name
            copy.write_bytes(spec.root.read_bytes() + b"\nEDITED = True\n")
            if _key(subject, subject.choice.weights, replace(spec, root=copy)) == _key(subject, subject.choice.weights):
                raise Broken(expected="another key after an edit", seen="the same key", next="check MethodSpec.root")
    return f"{counted(len(own), 'source file')} ran"


@check("info", "what it says of itself is whole and agrees", computes=False)
def info_is_complete(subject: Subject) -> str | None:
    """Texts are there and on one line, numbers are possible, the class and the registered spec agree."""
    spec = subject.choice.spec
    info = spec.info
    for field in ("name", "display", "summary"):
        text = getattr(info, field)
        if not (isinstance(text, str) and text.strip() and "\n" not in text):
            raise Broken(expected=f"a line of text in info.{field}", seen=repr(text), next="write it in MethodInfo")
    if not isinstance(info.tiling, Tiling):
        raise Broken(expected="a Tiling in info.tiling", seen=repr(info.tiling), next="write tiling=Tiling.NONE")
    if not isinstance(info.stochastic, bool):
        raise Broken(expected="True or False in info.stochastic", seen=repr(info.stochastic), next="write one of them")
    scales = info.train_scales
    if scales is not None and not (len(scales) == 2 and 0 < scales[0] <= scales[1]):
        raise Broken(
            expected="(lowest, highest) in info.train_scales", seen=repr(scales), next="write them in this order"
        )
    if info.parameters is not None and (type(info.parameters) is not int or info.parameters < 0):
        raise Broken(expected="a count in info.parameters", seen=repr(info.parameters), next="write it, or None")
    _labels_fit(spec)
    own = method_class(spec).info
    if own != info:
        names = [name for name in MethodInfo.__dataclass_fields__ if getattr(own, name) != getattr(info, name)]
        raise Broken(
            expected="one MethodInfo for the class and its spec",
            seen=f"other values of {', '.join(names)} in {spec.factory}",
            next="write `info = SPEC.info` in the class",
        )
    missing = [field for field in ("paper", "licence") if not getattr(info, field)]
    return f"no {' and no '.join(missing)} is given" if missing else None


@check("spec-light", "can be listed without importing torch", computes=False)
def spec_is_light(subject: Subject) -> str | None:
    """A method that brings a `MethodSpec` is listed in every command; torch would cost seconds each time."""
    if not isinstance(METHODS.get(subject.name), MethodSpec) or _is_plugin_file(subject.choice.spec):
        raise NotApplicable("a class without a MethodSpec is read with its code")
    code = (
        "import sys; from bench.plugins import method_spec; method_spec(sys.argv[1]); sys.exit('torch' in sys.modules)"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code, subject.name],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()
        raise Broken(
            expected="a spec that is read without torch",
            seen=last[-1] if last else "torch was imported",
            next="import torch in the module that `factory` names, not in that of the spec",
        )
    return None


@check("pickle", "can be sent to another process", computes=False)
def spec_can_be_sent(subject: Subject) -> str | None:
    """Workers on other machines get the choice as a pickle."""
    try:
        again = pickle.loads(pickle.dumps(subject.choice))
    except Exception as fault:
        raise Broken(
            expected="a MethodSpec and options that can be pickled",
            seen=f"{type(fault).__name__}: {fault}",
            next="define functions and classes at the top of the module (no lambda, nothing local)",
        ) from fault
    if again != subject.choice:
        raise Broken(
            expected="the same choice after a round trip",
            seen="another one",
            next="compare the fields of MethodSpec and of the options",
        )
    return None


@check("weights-key", "other weights are other results, wherever they lie", computes=False)
def weights_change_the_key(subject: Subject) -> str | None:
    """A copy under another name has the same key, a copy with one byte changed another one."""
    path = subject.choice.weights
    if path is None:
        raise NotApplicable("there are no weights to load")
    files = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    size = sum(file.stat().st_size for file in files)
    if size > _COPIED:
        raise NotApplicable(f"{size >> 20} MiB of weights are not copied to try an edit on them")
    with tempfile.TemporaryDirectory(prefix="assr-bench-") as folder:
        copy = Path(folder) / f"other{path.suffix}"
        shutil.copytree(path, copy) if path.is_dir() else shutil.copyfile(path, copy)
        if _key(subject, copy) != _key(subject, path):
            raise Broken(
                expected="one key for a file and its copy",
                seen="two keys",
                next="do not let names or places of weights enter `fingerprint`",
            )
        largest = max(files, key=lambda file: file.stat().st_size)
        target = copy / largest.relative_to(path) if path.is_dir() else copy
        _flip_last_byte(target)
        if _key(subject, copy) == _key(subject, path):
            raise Broken(
                expected=f"another key after one byte of {target.name} was changed",
                seen="the same key",
                next="name the files that `load` reads, so that results of other weights are told apart",
            )
    return None


def _labels_fit(spec: MethodSpec) -> None:
    if spec.default_weights is not None and spec.default_weights not in spec.weights:
        raise Broken(
            expected=f"default_weights among the labels {', '.join(spec.weights) or '(none)'}",
            seen=repr(spec.default_weights),
            next="add the file to MethodSpec.weights",
        )
    strange = set(spec.minimised) - set(spec.weights)
    if strange:
        raise Broken(
            expected="labels of MethodSpec.weights in MethodSpec.minimised",
            seen=", ".join(sorted(strange)),
            next="correct the label",
        )


def _key(subject: Subject, weights: Path | None, spec: MethodSpec | None = None) -> str:
    choice = subject.choice
    options = choice.options.model_dump(mode="json")
    return method_key(spec or choice.spec, weights, options, dtype="float32", tile=None)


def _hashed(spec: MethodSpec) -> set[Path]:
    """The source files that enter the output key."""
    return {path.resolve() for path in method_sources(spec.factory, root=spec.root, shared=spec.shared).values()}


def _is_own(path: Path, spec: MethodSpec) -> bool:
    """Whether a file that ran is the method's own, not Python's, a library's or the harness's."""
    if path.suffix != ".py":
        return False
    root = spec.root.resolve()
    if path == root or root in path.parents:
        return True
    libraries = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    harness = Path(str(bench.__file__)).resolve().parent
    return not any(folder in path.parents for folder in (*libraries, harness))


def _is_plugin_file(spec: MethodSpec) -> bool:
    return spec.root.is_file()


def _flip_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes() or b"\0")
    data[-1] ^= 1
    path.write_bytes(data)
