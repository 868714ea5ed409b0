"""From a request to a result: plan, work, set metrics, and run.json, which says what the numbers are of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from bench.api import CellId, MetricKind, RequestError, RunManifest, counted
from bench.api.run import OldFormat
from bench.engine.crossing import score_across
from bench.engine.draws import write_draws
from bench.engine.environment import hardware
from bench.engine.events import Listener, Silent, Tally
from bench.engine.folder import RunFolder
from bench.engine.forecast import Forecast
from bench.engine.manifest import heading, with_plan
from bench.engine.metric_plan import MetricPlan, plan_metrics
from bench.engine.plan import Plan, Samples, list_samples, make_plan
from bench.engine.request import RunRequest, check_device, is_cuda
from bench.engine.rows import Rows, record_rows
from bench.engine.store import Store
from bench.engine.unmatched import refuse_unmatched
from bench.engine.work import Work
from bench.metrics.weights import find_weights


@dataclass(frozen=True)
class RunResult:
    """What `execute` hands to the exports.

    Attributes:
        tally: What was done.
        plan: The cells and units of the request.
        metrics: What could be had of the metrics.
        folder: The run folder as it was read and written.
        unchanged: True where nothing was done and the same request was exported before.
        manifest: run.json as it was written.
    """

    tally: Tally
    plan: Plan
    metrics: MetricPlan
    folder: RunFolder
    unchanged: bool
    manifest: RunManifest

    @cached_property
    def rows(self) -> Rows:
        """Everything in the run folder, as rows of records.csv; made when somebody asks: a run with nothing to do does
        not."""
        return record_rows(self.folder, self.manifest)


def execute(request: RunRequest, listener: Listener | None = None) -> RunResult:
    """Do what is left to do of a request and write run.json; the exports are the caller's.

    Returns:
        What was done and what is there. `tally.interrupted` is set after Ctrl-C; everything finished is stored.
    Raises:
        RequestError: the request is wrong, or the folder cannot be written.
    """
    listener = listener or Silent()
    check_device(request.device)
    samples = list_samples(request)
    refuse_unmatched(request, samples)
    _refuse_absent_device(request, samples)
    with Store(request.out) as store:
        before = _earlier(store, listener)
        # the network comes after everything that can be refused without it
        fetch_parameters(request, listener)
        metrics = plan_metrics(request)
        plan = make_plan(request, samples, store, metrics, before)
        write_draws(request, samples)
        kept = before.warnings.get(heading(request), ()) if before is not None else ()
        tally = Tally(warnings=list(kept))
        planned = with_plan(before, plan, metrics, tally.warnings)
        store.write_manifest(planned)
        for sentence in (*request.readings(), *plan.reasons()):
            listener.note(sentence)
        units = sum(len(cell.todo()) for cell in plan.cells)
        forecast = Forecast(plan, store, before)
        listener.expect(forecast)
        listener.begin(cells=len(plan.cells), units=units, inferences=plan.inferences, scores=plan.scores)
        units_of_plan = [unit for cell in plan.cells for unit in cell.units if not unit.elsewhere]
        tally.reused = sum(not unit.infer for unit in units_of_plan)
        tally.kept = sum(len(metrics.image_metrics(unit.sample)) - len(unit.missing) for unit in units_of_plan)
        if units:
            Work(plan, metrics, store, listener, tally, forecast).run()
        if not (tally.interrupted or tally.stopped) and any(
            kind in (MetricKind.SET, MetricKind.CROSS_SCALE) for kind in metrics.kinds.values()
        ):
            changed = score_across(plan, metrics, store, listener, tally)
            if changed:
                listener.note(f"computing {counted(len(changed), 'changed image')} again")
                Work(plan, metrics, store, listener, tally, forecast).run(changed)
                score_across(plan, metrics, store, listener, tally)
        tally.without = _valueless(plan)
        after = with_plan(planned, plan, metrics, tally.warnings)
        store.write_manifest(after)
        unchanged = before is not None and _same(before, after) and not units and not tally.scored
        return RunResult(tally, plan, metrics, store, unchanged, after)


def plan_only(request: RunRequest) -> tuple[Plan, MetricPlan]:
    """What a request would do, without doing it; nothing is written, not even the run folder.

    Raises:
        RequestError: the request is wrong.
    """
    check_device(request.device)
    metrics = plan_metrics(request)
    folder = RunFolder(request.out)
    samples = list_samples(request)
    refuse_unmatched(request, samples)
    return make_plan(request, samples, folder, metrics, _earlier(folder, Silent())), metrics


def fetch_parameters(request: RunRequest, listener: Listener) -> None:
    """Get the metric parameters that are not there yet; offline that fails and the metrics are not available."""
    files = [file for metric in request.metrics for file in metric.weights_files()]
    if all(find_weights(file.relative, request.weights_root) is not None for file in files):
        return
    from bench.metrics.download import fetch_missing

    fetch_missing(files, request.weights_root, listener.note)


def _refuse_absent_device(request: RunRequest, samples: Samples) -> None:
    """Refuse `--device cuda` without CUDA where images have to be made; what is stored needs no device."""
    if not is_cuda(request.device) or request.cluster.address:  # there, other machines have the devices
        return
    from bench.engine.inference import resolve_device

    try:
        resolve_device(request.device)
    except RequestError:
        folder = RunFolder(request.out)
        if make_plan(request, samples, folder, plan_metrics(request), _earlier(folder, Silent())).inferences:
            raise


def _earlier(store: RunFolder, listener: Listener) -> RunManifest | None:
    """What the folder says of earlier runs; a folder of format 1 is begun anew, and its images are computed again."""
    try:
        return store.manifest()
    except OldFormat:
        listener.note(
            f"{store.out} was written by an earlier version, which did not store what its images are of: "
            "they are computed again"
        )
        return None


def _same(before: RunManifest, after: RunManifest) -> bool:
    """Whether two runs would export the same; the command's wording and what was written as a list do not matter, and
    of the environment only what tables say of it."""
    if hardware(before.environment) != hardware(after.environment):
        return False
    before = replace(before, command=after.command, environment=after.environment)
    return RunManifest.from_json(after.to_json(), "run.json") == RunManifest.from_json(before.to_json(), "run.json")


def _valueless(plan: Plan) -> dict[tuple[CellId, str, str], list[str]]:
    found: dict[tuple[CellId, str, str], list[str]] = {}
    for cell in plan.cells:
        for unit in cell.units:
            for name, reason in unit.without.items():
                found.setdefault((cell.id, name, reason), []).append(unit.sample.id)
    return found
