"""A graphics card's way from its source to a map, with what there is no card for replaced."""

import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from interactivenet.encoding import compiling, geodesic, geodesic_distance
from interactivenet.encoding.pace import Pace

torch = pytest.importorskip("torch", reason="cards are reached through torch")
card = pytest.importorskip("interactivenet.encoding.card")
card_kernels = pytest.importorskip("interactivenet.encoding.card_kernels")
card_on_cpu = pytest.importorskip("tests.encoding.card_on_cpu")
on_card = pytest.importorskip("interactivenet.encoding.on_card")
nvrtc = pytest.importorskip("interactivenet.encoding.nvrtc")
CUDA = torch.device("cuda", 0)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Folders of compiled code of our own, and a compiler that counts."""
    folders = (tmp_path / "cache", tmp_path / "source")
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr(compiling, "kept_places", lambda: folders)
    monkeypatch.setattr(card_kernels, "nvrtc_version", lambda: "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 9))
    return folders


@pytest.fixture
def compiled(kept, monkeypatch):
    targets = []

    def compile_kernels(source, name, target):
        targets.append(target)
        return b"code for %d.%d" % target

    def launcher(device, code):
        if not code.startswith(b"code"):
            raise nvrtc.CompilingError("the driver says: device kernel image is invalid")
        return code

    monkeypatch.setattr(card_kernels, "compile_kernels", compile_kernels)
    monkeypatch.setattr(card_kernels, "CardLauncher", launcher)
    return targets


def test_what_was_compiled_is_kept(compiled, kept):
    for _ in range(3):
        assert card_kernels.load_kernels(CUDA) == b"code for 8.0"
    assert compiled == [(8, 0)]
    (file,) = kept[0].iterdir()
    assert file.suffix == ".cubin" and not list(kept[1].iterdir())


def test_what_an_image_was_built_with_is_used(compiled, kept):
    card_kernels.load_kernels(CUDA)
    (file,) = kept[0].iterdir()
    file.rename(kept[1] / file.name)
    card_kernels.load_kernels(CUDA)
    assert len(compiled) == 1 and not list(kept[0].iterdir())


def test_kept_code_that_is_broken_is_compiled_anew(compiled, kept):
    card_kernels.load_kernels(CUDA)
    (file,) = kept[0].iterdir()
    file.write_bytes(b"half")
    assert card_kernels.load_kernels(CUDA) == b"code for 8.0"
    assert len(compiled) == 2 and file.read_bytes() == b"code for 8.0"


def test_another_source_or_compiler_is_not_taken_for_this_one(compiled, kept, monkeypatch):
    card_kernels.load_kernels(CUDA)
    monkeypatch.setattr(card_kernels, "nvrtc_version", lambda: "13.1")
    card_kernels.load_kernels(CUDA)
    monkeypatch.setattr(card_kernels, "read_text", lambda path: "another source")
    card_kernels.load_kernels(CUDA)
    assert len(compiled) == 3 and len(list(kept[0].iterdir())) == 3


def test_without_a_place_it_is_compiled_every_time(compiled, monkeypatch):
    monkeypatch.setattr(compiling, "kept_places", tuple)
    card_kernels.load_kernels(CUDA)
    card_kernels.load_kernels(CUDA)
    assert len(compiled) == 2


@pytest.mark.parametrize(
    ("capability", "target"),
    [((7, 0), (7, 0)), ((7, 5), (7, 5)), ((8, 6), (8, 0)), ((9, 0), (9, 0)), ((12, 1), (12, 0))],
)
def test_code_for_the_first_card_of_a_major_version_runs_on_all(capability, target):
    assert card_kernels.target_of(capability) == target


def test_a_card_must_give_the_cpus_bits():
    library = card_on_cpu.library()
    assert card.agrees(card_on_cpu.CardOnCpu(library), "cpu")

    class Lazy(card_on_cpu.CardOnCpu):
        def launch(self, kernel, grid, block, arguments):
            super().launch(kernel, grid, block, arguments)
            if kernel == "begin":
                arguments[0].bound = 2.0

    assert not card.agrees(Lazy(library), "cpu")


@pytest.fixture
def driver(monkeypatch):
    """A driver that runs the kernels on the CPU, where torch believes in a card."""
    library = card_on_cpu.library()
    library.start(3, 0)
    monkeypatch.setattr(card_kernels, "_driver", lambda: library)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(multi_processor_count=2)
    )
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=7))
    return library


def test_the_launcher_passes_what_the_kernels_take(driver):
    launcher = card_kernels.CardLauncher(torch.device("cpu"), b"code")
    assert launcher.blocks == 4 and card.agrees(launcher, "cpu")
    with pytest.raises(nvrtc.CompilingError, match="the driver says: invalid argument"):
        launcher.launch("visit", 1, 7, (on_card.Setup(),))


def test_what_the_driver_refuses_is_said(driver):
    with pytest.raises(nvrtc.CompilingError, match="driver says: device kernel image is invalid"):
        card_kernels.CardLauncher(torch.device("cpu"), b"half")


@pytest.fixture
def preparing(monkeypatch):
    """Cards of a CUDA build of torch, which are prepared as ``load`` says."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    card._preparation.cache_clear()
    yield lambda load: monkeypatch.setattr(card, "load_kernels", load)
    card._preparation.cache_clear()


def test_why_a_card_is_not_used_is_said_once(preparing):
    def load(device):
        raise nvrtc.CompilingError("the library NVRTC is missing")

    preparing(load)
    with pytest.warns(RuntimeWarning, match="by the CPU, not the graphics card: the library NVRTC"):
        assert card.launcher_for(CUDA, wait=True) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert card.launcher_for(CUDA, wait=True) is None


def test_a_card_that_gives_other_numbers_is_not_used(preparing, monkeypatch):
    preparing(lambda device: "launcher")
    monkeypatch.setattr(card, "agrees", lambda launcher, device: False)
    with pytest.warns(RuntimeWarning, match="differs from what the CPU does"):
        assert card.launcher_for(CUDA, wait=True) is None


def test_a_card_that_agrees_is_used(preparing, monkeypatch):
    preparing(lambda device: "launcher")
    monkeypatch.setattr(card, "agrees", lambda launcher, device: True)
    assert card.launcher_for(CUDA, wait=True) == "launcher"


def test_there_is_no_launcher_for_other_devices(monkeypatch):
    assert card.launcher_for(torch.device("cpu")) is None
    monkeypatch.setattr(torch.version, "cuda", None)
    assert card.launcher_for(CUDA) is None


@pytest.mark.parametrize("way", ["card", "cpu"])
def test_the_faster_way_is_taken_and_gives_the_same(way, monkeypatch):
    launcher = card_on_cpu.CardOnCpu(card_on_cpu.library())
    begun = []
    launch = launcher.launch
    launcher.launch = lambda kernel, *rest: (begun.append(kernel), launch(kernel, *rest))
    monkeypatch.setattr(card, "launcher_for", lambda device, wait: launcher)
    monkeypatch.setattr(geodesic, "PACE", pace := Pace())
    monkeypatch.setattr(pace, "choose", lambda kind, voxels: way)
    image = np.random.default_rng(0).standard_normal((13, 14, 15)).astype(np.float32)
    seeds = image > 2
    tensors = torch.from_numpy(image)[None], torch.from_numpy(seeds)
    found = geodesic._on_the_faster(*tensors, (1, 2, 3), 4.0, geodesic.StepCost())
    assert np.array_equal(found.numpy(), geodesic_distance(image, seeds, (1, 2, 3), bound=4.0))
    assert begun.count("begin") == (way == "card")


def test_nvrtc_compiles_the_kernels():
    try:
        nvrtc.nvrtc_version()
    except nvrtc.CompilingError as error:
        pytest.skip(str(error))
    source = card_kernels.SOURCE.read_text(encoding="utf-8")
    assert nvrtc.compile_kernels(source, "geodesic.cu", (8, 0))[:4] == b"\x7fELF"
    with pytest.raises(nvrtc.CompilingError, match=r"NVRTC refuses wrong\.cu: wrong\.cu"):
        nvrtc.compile_kernels("__device__ int one = two;", "wrong.cu", (8, 0))


@pytest.mark.skipif(torch.version.cuda is not None, reason="a build of torch with NVRTC")
def test_a_missing_nvrtc_is_named():
    with pytest.raises(nvrtc.CompilingError, match="NVRTC is missing"):
        nvrtc.compile_kernels("", "nothing.cu", (8, 0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_real_card_gives_the_cpus_bits():
    launcher = card.launcher_for(CUDA, wait=True)
    assert launcher is not None, card.reason_against(CUDA)
    image = np.random.default_rng(0).standard_normal((70, 81, 92)).astype(np.float32)
    seeds = image > 4
    tensors = torch.from_numpy(image)[None].to(CUDA), torch.from_numpy(seeds).to(CUDA)
    for metric in (geodesic.StepCost(), geodesic.StepCost("gradient")):
        found, _ = on_card.geodesic_on_card(*tensors, (1, 1, 3), metric, 1e30, launcher)
        expected = geodesic_distance(image, seeds, (1, 1, 3), metric=metric.name)
        assert np.array_equal(found.cpu().numpy(), expected)
