"""Segmenting many cases into folders; what was done before, of the same files, is kept.

While the networks work on a case, the next ones are read and the last ones written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from interactivenet.datasets.case import Scan
from interactivenet.datasets.task import Case
from interactivenet.inference import overlap
from interactivenet.inference.case_work import BatchWork
from interactivenet.inference.options import InferenceOptions
from interactivenet.inference.outputs import CaseResult, Output
from interactivenet.models.model import Model
from interactivenet.system.signals import Interrupted, Signals

if TYPE_CHECKING:
    from interactivenet.inference.predictor import Predictor


def predict_cases(
    cases: Sequence[Case],
    model: Model,
    outputs: Sequence[Output],
    options: InferenceOptions,
    *,
    predictor: Predictor | None = None,
    check: Callable[[Scan], object] | None = None,
    overwrite: bool = False,
    one_source: bool = False,
    signals: Signals | None = None,
    threads: overlap.Threads | None = None,
) -> Iterator[CaseResult]:
    """Segment cases, yielding each as it is done, in their order.

    predictor: the model, loaded; None to load it once a case is due.  check: raises DataError
    where a scan is not to be segmented.  one_source: the result of another scan of the same name is
    not replaced, unless ``overwrite``.  threads: that read and write; None for what suits the
    machine; results are the same with any number. A case writes ``CASE.nii.gz``, ``CASE.npz`` and
    ``objects/CASE.nii.gz`` as its output asks for, and ``CASE.json`` last, which marks it done.
    A case that fails costs itself only. Raises Interrupted where a signal came, at once: what is
    half done of a case is thrown away, and what was done before is written.
    """
    batch = BatchWork(
        model, outputs, options, predictor, check, overwrite, one_source, signals or Signals()
    )
    threads = threads or overlap.choose_threads(options.chosen_device)
    room = overlap.Room()
    with (
        ThreadPoolExecutor(threads.readers) as readers,
        ThreadPoolExecutor(threads.writers) as writers,
    ):
        ahead = overlap.PrefetchQueue(
            readers, map(batch.expect, cases), batch.read, threads.readers, room.for_one_more
        )
        behind = overlap.WriteBehind[CaseResult](writers, threads.writers)
        try:
            for work in ahead:
                if work.is_due and batch.load():
                    ahead.then(batch.prepare)
                work = batch.prepare(work)
                room.note(work.voxels)
                if not room.for_one_more():
                    yield from behind.finish()
                ahead.fill()
                yield from behind.add(batch.segment(work))
                if batch.signals.received:
                    break
            yield from behind.finish()
            batch.signals.check()
        except Interrupted:
            yield from behind.finish()
            raise
        finally:
            ahead.cancel()
