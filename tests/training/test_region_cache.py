"""Regions in memory or from the disk: the same samples in the same order, within a bound."""

import pickle
from dataclasses import replace

import pytest
import torch

from interactivenet.preprocessing.region_records import record_path
from interactivenet.preprocessing.storage import REGIONS
from interactivenet.system.spread import subfolder
from interactivenet.training import loaders, read_ahead, region_cache
from interactivenet.training.augmentation import Augmentation
from interactivenet.training.dataset import EpochBatches, PatchDataset, Patches
from interactivenet.training.loaders import make_loaders
from interactivenet.training.object_dataset import ObjectDataset
from interactivenet.training.object_samples import ObjectAugmentation
from interactivenet.training.read_ahead import ReadAhead
from interactivenet.training.region_cache import RegionCache, region_bytes
from interactivenet.training.threaded_draws import ThreadedDraws
from tests.training.trained_task import EXACT, first_fold, make_task

ALL, NONE = 2**40, 0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_task(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def object_root(tmp_path_factory):
    planning = ["--grid", "object", "--grid-voxels", "32"]
    return make_task(tmp_path_factory.mktemp("objects"), planning)


def patches(root):
    fold = first_fold(root)
    return Patches(fold.plan, fold.processed, fold.training, 5, Augmentation())


def one_region(dataset):
    """Return the bytes of the first region, so that one and no more fits."""
    dataset[(0, 0, 0) if isinstance(dataset, PatchDataset) else (0, 0, 0, False)]
    return dataset.regions._bytes


def epochs(dataset, batches, coarse=()):
    for epoch in range(2):
        batches.epoch = epoch
        for keys in batches:
            yield [dataset[(*key, *coarse)] for key in keys]


def same_draws(first, second):
    pairs = list(zip(first, second, strict=True))
    return bool(pairs) and all(
        torch.equal(a, b)
        for one, other in pairs
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_patches_are_the_same_whatever_is_kept(root):
    own = patches(root)
    batches = EpochBatches(2, 2, 5, steps=3)
    kept = PatchDataset(own, ALL)
    expected = list(epochs(kept, batches))
    assert len(kept.regions) == 2
    for most in (NONE, one_region(PatchDataset(own, ALL))):
        streamed = PatchDataset(own, most)
        assert same_draws(epochs(streamed, batches), expected)
        assert len(streamed.regions) == bool(most)


def test_objects_are_the_same_whatever_is_kept(object_root):
    own, augmentation = patches(object_root), replace(ObjectAugmentation(), made_up=0.0)
    batches = EpochBatches(2, 2, 5, steps=2)
    kept, streamed = (ObjectDataset(own, augmentation, most=most) for most in (ALL, NONE))
    assert same_draws(epochs(kept, batches, (False,)), epochs(streamed, batches, (False,)))
    assert (len(kept.regions), len(streamed.regions)) == (2, 0)
    keys = [[(0, 0, 0, False), (0, 1, 1, False)], [(0, 2, 0, True), (0, 3, 1, True)]]
    threaded = [list(ThreadedDraws(one, keys, 2, "cpu")) for one in (kept, streamed)]
    assert all(torch.equal(a, b) for x, y in zip(*threaded, strict=True)
               for a, b in zip(x, y, strict=True))  # fmt: skip


def test_no_more_is_kept_than_fits_and_that_stays(monkeypatch):
    read = []
    cache = RegionCache(lambda name: read.append(name) or name * 10, len, 25)
    for _ in range(2):
        assert [cache(name) for name in "abc"] == ["a" * 10, "b" * 10, "c" * 10]
    assert read == ["a", "b", "c", "c"] and "b" in cache and "c" not in cache

    class Worker:
        num_workers = 2

    monkeypatch.setattr(region_cache, "get_worker_info", Worker)  # two have the half each
    shared = RegionCache(lambda name: name * 10, len, 25)
    assert [shared(name) for name in "ab"] and len(shared) == 1


def test_workers_begin_with_nothing_and_read_for_themselves(root):
    dataset = PatchDataset(patches(root), ALL)
    first = dataset[0, 0, 0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert len(dataset.regions) == 1 and len(copy.regions) == 0
    assert torch.equal(copy[0, 0, 0][0], first[0]) and len(copy.regions) == 1


def test_what_is_kept_follows_from_the_memory_that_there_is(monkeypatch):
    for available, expected in ((2**30, 2**27), (2**40, 2**31)):
        monkeypatch.setattr(region_cache, "available_memory", lambda free=available: free)
        assert region_bytes() == expected
    assert region_bytes("cuda") == 2**29


def test_batches_are_the_same_and_their_files_announced_before(root, monkeypatch):
    batches = EpochBatches(4, 2, 0, steps=12)
    batches.resume(1, 2)
    expected, announced = list(batches), []
    monkeypatch.setattr(read_ahead, "read_into_cache", announced.append)
    monkeypatch.setattr(read_ahead, "ThreadPoolExecutor", AtOnce)
    ahead = ReadAhead(batches, batches, lambda region: None if region == 3 else region)
    assert len(ahead) == 12
    seen = []
    for keys in ahead:
        seen.append(keys)
        wanted = [key[2] for batch in expected[: len(seen) + 7] for key in batch if key[2] != 3]
        assert announced == wanted
    assert seen == expected


class AtOnce:
    """Does in the calling thread what a pool would do later."""

    def __init__(self, *_):
        pass

    def submit(self, function, *arguments):
        function(*arguments)

    def shutdown(self, **_):
        pass


def test_a_training_announces_what_it_does_not_keep(root, monkeypatch):
    fold, announced = first_fold(root), []
    monkeypatch.setattr(read_ahead, "read_into_cache", announced.append)
    monkeypatch.setattr(read_ahead, "ThreadPoolExecutor", AtOnce)
    batches = loaders.epoch_batches(fold, replace(EXACT, steps=2))
    for free, expected in ((0, {"npz"}), (2**40, set())):
        monkeypatch.setattr(region_cache, "available_memory", lambda free=free: free)
        drawing, _ = make_loaders(fold, EXACT, batches, lambda step: False, 0, "cpu")
        list(drawing)  # what is drawn first is kept, where there is room
        announced.clear()
        batches.epoch = 1
        assert len(list(drawing)) == 2
        assert {path.suffix[1:] for path in announced} == expected
        assert all(path.is_file() for path in announced)
        batches.epoch = 0


def test_a_region_in_a_subfolder_is_drawn_as_it_was(root):
    own = patches(root)
    before = PatchDataset(own, NONE)[0, 0, 0]
    regions, name = own.folder / REGIONS, own.names[0]
    inside = subfolder(regions, name)
    inside.mkdir()
    for suffix in (".npz", ".json"):
        (regions / f"{name}{suffix}").rename(inside / f"{name}{suffix}")
    assert record_path(regions, name).parent == inside
    after = PatchDataset(own, NONE)[0, 0, 0]
    assert torch.equal(before[0], after[0]) and torch.equal(before[1], after[1])
