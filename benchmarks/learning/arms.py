"""The ways to segment that are compared, and the data that each is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.learning.datasets import Dataset

_SARCOMA = "sarcoma_mr_ct"
_MR, _CT = "{case}_0000.nii.gz", "{case}_0001.nii.gz"
#: kinds of recipes/starter: the PET of two patients is of sarcomas, too
_NO_SARCOMA = ("sarcoma", "pet")
_BRAIN = "brats_2013_pat0006_1"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("sarcoma_mr", "Sarcoma, MR", _SARCOMA, (_MR,), ("MR",), _NO_SARCOMA),
        Dataset("sarcoma_ct", "Sarcoma, CT", _SARCOMA, (_CT,), ("CT",), _NO_SARCOMA),
        Dataset("sarcoma_both", "Sarcoma, MR and CT", _SARCOMA, (_MR, _CT), ("MR", "CT"),
                _NO_SARCOMA),
        Dataset("sarcoma_mr_5", "Sarcoma, MR, 5 cases to train on", _SARCOMA, (_MR,), ("MR",),
                _NO_SARCOMA, few=5),
        Dataset("sarcoma_mr_to_ct", "Sarcoma, trained on MR, tested on CT", _SARCOMA, (_MR,),
                ("MR",), _NO_SARCOMA, tested=(_CT,)),
        Dataset("sarcoma_ct_to_mr", "Sarcoma, trained on CT, tested on MR", _SARCOMA, (_CT,),
                ("CT",), _NO_SARCOMA, tested=(_MR,)),
        Dataset("hippocampus", "Hippocampus, MR", "hippocampus_mr", ("{case}.nii.gz",), ("MR",)),
        Dataset("hippocampus_20", "Hippocampus, MR, 20 cases to train on", "hippocampus_mr",
                ("{case}.nii.gz",), ("MR",), few=20),
        Dataset("hippocampus_5", "Hippocampus, MR, 5 cases to train on", "hippocampus_mr",
                ("{case}.nii.gz",), ("MR",), few=5),
        Dataset("brain_flair", "Brain tumour, whole, FLAIR", "brain_tumour_mr", (_MR,), ("MR",)),
        Dataset("brain_t1c", "Brain tumour, whole, T1c", "brain_tumour_mr", (_CT,), ("MR",)),
        Dataset("brain_both", "Brain tumour, whole, FLAIR and T1c", "brain_tumour_mr",
                (_MR, _CT), ("FLAIR", "T1c")),
        Dataset("vertebrae_ct", "Vertebrae, CT", "vertebra_pir", ("{case}.nii.gz",), ("CT",),
                ("vertebra",), values=(21, 22, 23), only=("ct_vertebra",)),
        Dataset("vertebrae_t2", "Vertebrae, T2", "vertebra_pir", ("{case}.nii.gz",), ("MR",),
                ("vertebra",), values=(5, 6, 7), only=("t2_vertebra",)),
        Dataset("organs", "Organs, CT of 3 mm", "multiorgan_ct_lowres", ("{case}.nii.gz",),
                ("CT",), ("organ",), every_value=True),
    )
}  # fmt: skip

_THREE = ("sarcoma_mr", "sarcoma_ct", "sarcoma_both")
_TRAINED = (
    *_THREE, "sarcoma_mr_5", "sarcoma_mr_to_ct", "sarcoma_ct_to_mr", "hippocampus",
    "hippocampus_20", "hippocampus_5",
)  # fmt: skip
_ABLATED = ("sarcoma_mr", "sarcoma_ct", "hippocampus")
#: the same objects whatever the images: one ellipsoid
_OBJECTS = {
    name: next(n for n, d in DATASETS.items() if d.same_objects(dataset))
    for name, dataset in DATASETS.items()
}
_UNSEEN = (
    *_THREE, "hippocampus", "brain_flair", "brain_t1c", "brain_both", "vertebrae_ct",
    "vertebrae_t2", "organs",
)  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One way to segment.

    how: 'ellipsoid', 'pipeline' (planned and trained), 'starter' (as it is), 'nnunet', or 'ceiling'
    (the true outline, on a grid's voxels).
    planning, training: what is asked beside the budget, by the names of ``PlanningOptions`` (or
    ``plan``) and of ``TrainingOptions``; a mapping in a mapping stands for a dataclass of options.
    starter: whether it begins at a starter that has not seen this kind.  mirrored: whether
    mirrored copies are averaged when it is tested.  ablation: measured at the small budget only.
    """

    name: str
    title: str
    how: str = "pipeline"
    datasets: tuple[str, ...] = _TRAINED
    planning: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    starter: bool = False
    mirrored: bool = False
    ablation: bool = False

    @property
    def trains(self) -> bool:
        """Whether it learns from the cases of a fold."""
        return self.how in ("pipeline", "nnunet")


def _varied(name: str, title: str, datasets: tuple[str, ...] = _ABLATED, **options: Any) -> Arm:
    planning = {"grid": "object", **options.pop("planning", {})}
    return Arm(name, title, datasets=datasets, planning=planning, ablation=True, **options)


def _without(name: str, title: str, **augmentation: Any) -> Arm:
    return _varied(f"no_{name}", title, training={"objects": augmentation})


ARMS = {
    arm.name: arm
    for arm in (
        Arm("ellipsoid", "best ellipsoid through the points", "ellipsoid",
            tuple(dict.fromkeys(_OBJECTS.values()))),
        *(Arm(f"ceiling_{side}", f"the true outline on {side} voxels a side, restored", "ceiling",
              ("sarcoma_mr", "hippocampus"), planning={"grid_voxels": side})
          for side in (48, 64, 96)),
        Arm("spacing", "grid of the planned spacing, from scratch (the way until 0.3)",
            planning={"grid": "spacing"}, mirrored=True),
        Arm("object", "object grid, from scratch", planning={"grid": "object"}),
        Arm("object_starter", "object grid, from a starter that never saw this kind",
            planning={"like": "STARTER"}, training={"start": "STARTER"}, starter=True),
        Arm("object_starter_mirrored", "the same, mirrored copies averaged",
            planning={"like": "STARTER"}, training={"start": "STARTER"}, starter=True,
            mirrored=True),
        Arm("object_starter_corrections",
            "object grid, from such a starter, with channels for corrections, none given",
            datasets=("sarcoma_mr", "sarcoma_mr_5", "hippocampus", "hippocampus_5"),
            planning={"like": "STARTER", "corrections": True}, training={"start": "STARTER"},
            starter=True),
        Arm("nnunet", "nnU-Net v2, without points", "nnunet",
            ("sarcoma_mr", "sarcoma_ct", "sarcoma_both", "hippocampus")),
        Arm("zero_shot", "starter that never saw this kind, not trained", "starter", _UNSEEN,
            starter=True),
        Arm("zero_shot_mirrored", "the same, mirrored copies averaged", "starter", _UNSEEN,
            starter=True, mirrored=True),
        _varied("predicted_mirrored", "object grid, mirrored copies averaged", mirrored=True),
        _varied("trained_mirrored", "trained with mirrored and permuted axes",
                training={"objects": {"warping": {"mirrored": True}}}),
        _varied("no_prompts", "no maps of the points (the box is still theirs)",
                planning={"encoding": {"kind": "none"}}),
        _varied("no_geodesic", "ellipsoid map alone",
                planning={"encoding": {"kind": "none", "extent": True}}),
        _varied("no_ellipsoid", "geodesic map alone",
                planning={"encoding": {"metric": "gradient"}}),
        _varied("residual", "residual on the ellipsoid's log-odds", planning={"residual": True}),
        *(_varied(f"made_up_{round(100 * share)}", f"{share:.0%} of the objects made up",
                  training={"objects": {"made_up": share}}) for share in (0.0, 0.4, 0.6)),
        _without("turning", "objects not turned", warping={"turned": 0.0}),
        _without("stretching", "objects not stretched", warping={"stretched": 0.0}),
        _without("bending", "objects not bent", warping={"bent": (0.0,)}),
        *(_without(name, f"intensities: no {text}", intensities={name: 0.0}) for name, text in (
            ("curve", "random curves"), ("bias", "bias"), ("blur", "blur"),
            ("resolution", "low resolution"), ("noise", "noise"))),
        *(_varied(f"voxels_{side}", f"{side} voxels a side", planning={"grid_voxels": side})
          for side in (48, 64, 96)),
        *(_varied(f"network_{preset}", f"network of the preset {preset}, 64 voxels a side",
                  planning={"grid_voxels": 64, "preset": preset})
          for preset in ("tiny", "small", "default")),
    )
}  # fmt: skip


def objects_as(dataset: str) -> str:
    """Name the data set that stands for all with the same objects: there, the ellipsoid is."""
    return _OBJECTS[dataset]
