"""Series that tests outline structures on."""

import numpy as np

from interactivenet.imaging.dicom.reading import find_series
from interactivenet.imaging.dicom.series import contents_of
from tests.imaging.written_dicom import SHAPE, UID, place, stored, write_frames, write_slice

#: more rows and columns than slices, all different
VOXELS = stored((5, 14, 11))
ANGLE = np.radians(20.0)
OBLIQUE = (1.0, 0.0, 0.0, 0.0, float(np.cos(ANGLE)), float(np.sin(ANGLE)))
TURNED = (0.6, 0.8, 0.0, 0.8 * 0.6, -0.6 * 0.6, -0.8)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
FRAME = {"FrameOfReferenceUID": f"{UID}.77", "PatientBirthDate": "19500101", "PatientSex": "F",
         "StudyID": "1", "AccessionNumber": "A1", "StudyDate": "20200102",
         "StudyTime": "101112"}  # fmt: skip

#: what each source is: settings of its slices, the names of its files
SOURCES = {
    "axial": {},
    "oblique": {"axes": OBLIQUE},
    "turned about all axes": {"axes": TURNED},
    "sagittal": {"axes": SAGITTAL},
    "coronal": {"axes": CORONAL},
    "from the head down": {"step": -2.5},
    "names in no order": {"names": [3, 0, 4, 1, 2]},
    "rounded positions": {"step": 2.46, "rounded": 1},
    "a wrong distance of slices": {"SpacingBetweenSlices": "0.3", "SliceThickness": "7"},
    "directions that differ by rounding": {"jitter": 1e-6},
    "enhanced CT": {"frames": "CT"},
    "enhanced MR": {"frames": "MR"},
    "two echoes": {"frames": "MR", "echoes": 2},
}
#: sources of several multi-frame files: how many
SEVERAL = {"frames of two files": 2, "a frame a file": len(VOXELS)}


def write_source(folder, kind, voxels=VOXELS, **elements):
    """Write a source and return its series."""
    if parts := SEVERAL.get(kind):
        for part in range(parts):
            write_frames(
                folder / f"{part}.dcm", voxels[part::parts], number=part, **FRAME, **elements,
                positions=[place(number) for number in range(part, len(voxels), parts)],
            )  # fmt: skip
        return find_series(folder)
    settings = {**FRAME, **SOURCES[kind], **elements}
    if modality := settings.pop("frames", ""):
        return _frames(folder, voxels, modality, settings)
    names = settings.pop("names", range(len(voxels)))
    rounded, jitter = settings.pop("rounded", None), settings.pop("jitter", 0.0)
    for number, (name, pixels) in enumerate(zip(names, voxels, strict=True)):
        own = dict(settings)
        if rounded is not None:
            position = place(number, step=own.pop("step"))
            own["ImagePositionPatient"] = [round(value, rounded) for value in position]
        if jitter:
            own["ImageOrientationPatient"] = [1, number * jitter, 0, -number * jitter, 1, 0]
        write_slice(folder / f"{name:03d}.dcm", pixels, number, **own)
    return find_series(folder)


def _frames(folder, voxels, modality, settings):
    echoes = settings.pop("echoes", 1)
    traits = [
        {"MREchoSequence": {"EffectiveEchoTime": 4.6 * (echo + 1)}}
        for _ in voxels
        for echo in range(echoes)
    ]
    path = write_frames(
        folder / "all.dcm", np.repeat(voxels, echoes, axis=0), modality=modality, traits=traits,
        positions=[place(number) for number in range(len(voxels)) for _ in range(echoes)],
        **settings,
    )  # fmt: skip
    if echoes > 1:
        return next(one for one in contents_of(folder).series if "9.2" in one.part)
    return find_series(path)


#: real series, and the name of the mask of a tumour in each
REAL = {
    "sarcoma_STS_008/CT/image": "CT",
    "sarcoma_STS_008/MR_T1/image": "MR_T1",
    "sarcoma_STS_008/PET/image": "PET",
    "brain_mr_oblique/T1post": "",
    "dicom_seg/ct": "",
}
assert len(VOXELS) == SHAPE[0]
