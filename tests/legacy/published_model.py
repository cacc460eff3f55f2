"""Models shaped as the original program (0.2.x) published them, for the tests of conversion."""

import json
import sys
import types
import warnings

import torch
from monai.networks.nets import DynUNet

KERNELS = [[3, 3, 1], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
STRIDES = [[1, 1, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2]]
DIVISOR = [8, 8, 4]
FILTERS = [4, 8, 16, 32, 64, 128]
CT = {"CT": True, "Clipping": [-80.0, 160.0], "Intensity_mean": 40.0, "Intensity_std": 55.0}


class Net(torch.nn.Module):
    """As the original's LightningModule: the network is one attribute of many."""

    def __init__(self, network):
        super().__init__()
        self._model = network


class Gone:
    """Of a module that is not there when the file is read."""


def make_network(seed=0, **changes):
    torch.manual_seed(seed)
    options = {
        "spatial_dims": 3, "in_channels": 2, "out_channels": 2, "kernel_size": KERNELS,
        "strides": STRIDES, "upsample_kernel_size": STRIDES[1:], "filters": FILTERS,
        "norm_name": "instance", "act_name": "leakyrelu", "deep_supervision": True,
        "deep_supr_num": 1,
    }  # fmt: skip
    return DynUNet(**{**options, **changes}).eval()


def save_model(path, network, monkeypatch, *, extra=None, zipped=True):
    """Pickle a network as the original did, in modules that are gone afterwards."""
    import cloudpickle

    net = Net(network)
    net.optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.99)
    for one in network.parameters():
        net.optimizer.state[one]["momentum_buffer"] = torch.zeros(2, dtype=torch.float64)
    net.lambda_ = lambda epoch: (1 - epoch / 500) ** 0.9
    net.trainer = Gone()
    net.trainer.model, net.trainer.seen = net, {("a", 1): {2, 3}, 4: torch.arange(3)}
    for name, value in (extra or {}).items():
        setattr(net, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    with monkeypatch.context() as patched:
        for cls, module in ((Net, "interactivenet.training.run"), (Gone, "gone.trainer")):
            there = sys.modules.get(module) or types.ModuleType(module)
            patched.setitem(sys.modules, module, there)
            patched.setattr(there, cls.__name__, cls, raising=False)
            patched.setattr(cls, "__module__", module)
        patched.setitem(sys.modules, "gone", types.ModuleType("gone"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the older format misses source files
            torch.save(net, path, cloudpickle, 2, _use_new_zipfile_serialization=zipped)
    return path


def plans(**changes):
    """The content of plans.json; changes: of its Fingerprint or its Plans, by their keys."""
    content = {
        "Fingerprint": {
            "Anisotropic": False, "CT": False, "Clipping": [], "Intensity_mean": 0,
            "Intensity_std": 0, "Median size": [40, 36, 20.5], "Median size bbox": [12, 11, 6],
            "Median size resampled": [12.0, 11, 6], "Median final shape": [30, 29, 13],
            "Resampling": "Median", "Target spacing": [1.0, 1.0, 2.0], "In mask": True,
        },
        "Plans": {
            "kernels": KERNELS, "strides": STRIDES, "deep supervision": 1,
            "deep supervision weights": [0.6666666666666666, 0.3333333333333333],
            "divisible by": DIVISOR, "padding": 0.1, "seed": 1234, "number of folds": 2,
        },
    }  # fmt: skip
    for key, value in changes.items():
        section = "Fingerprint" if key in content["Fingerprint"] else "Plans"
        content[section][key] = value
    return content


def write_published(folder, networks, monkeypatch, *, postprocessings=None, **changes):
    """Write a whole published model of some folds' networks."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plans(**changes)))
    chosen = postprocessings or [False] * len(networks)
    choices = {
        str(fold): {"using_checkpoint": fold == 0, "postprocessing": one}
        for fold, one in enumerate(chosen)
    }
    (folder / "postprocessings.json").write_text(json.dumps(choices))
    for fold, network in enumerate(networks):
        save_model(folder / "model" / str(fold) / "data" / "model.pth", network, monkeypatch)
        (folder / "model" / str(fold) / "MLmodel").write_text("flavors: {}\n")
    return folder
