"""What 3D Slicer's module does with MONAI Label's client, call by call, without Slicer.

After `plugins/slicer/MONAILabel/MONAILabel.py` of MONAI Label 0.8.5. The client is the real one.
"""

import hashlib
import urllib.request

import SimpleITK as sitk


class Module:
    """One scene of Slicer: an image, its segments' points, and what came back."""

    def __init__(self, client_class, address, folder, user="user-xyz"):
        self.folder = folder
        self.logic = client_class(address, str(folder), user)
        self.address = address
        self.sample = None
        self.info = {}
        self.params = {}  # of the last answer

    def connect(self):
        """fetchInfo, and what every update of the window asks."""
        assert not self.logic.auth_enabled()
        self.info = self.logic.info()
        assert not self.info.get("config")
        assert not self.logic.train_status(check_if_running=True)
        return self.info

    @property
    def model(self):
        """deepgrowModelSelector's first."""
        return next(name for name, model in self.info["models"].items()
                    if model["type"] in ("deepgrow", "deepedit"))  # fmt: skip

    def load(self, path, name):
        """A volume that was in the scene before: its session is made when it is needed."""
        self.path = path
        self.sample = {"id": name, "session": True}

    def session_id(self):
        """getSessionId."""
        if not self.sample.get("session"):
            return None
        session = self.sample.get("session_id")
        if not session or not self.logic.get_session(session):
            made = self.logic.create_session(str(self.path))
            session = self.sample["session_id"] = made["session_id"]
        return session

    def click(self, label, foreground, background=(), model=None, **config):
        """onClickDeepgrow, and the import of what it is answered: the map, as Slicer reads it."""
        model = model or self.model
        params = {"label": label, "foreground": as_lists(foreground),
                  "background": as_lists(background)}  # fmt: skip
        for key, value in self.info["models"][model]["config"].items():
            params[key] = value[0] if isinstance(value, list) else value
        params |= {"result_extension": ".nrrd", "result_dtype": "uint8", **config}
        session = self.session_id()
        file, self.params = self.logic.infer(model, self.sample["id"], params, None, None, session)
        return sitk.ReadImage(file)

    def submit(self, segments, names, reference, suffix=".nii.gz", background=0):
        """onSaveLabel: segments are arrays [k, j, i] of what Slicer shows; None is empty.

        background: how many segments were left out in front of them, which counts in 'idx'.
        """
        if self.sample.get("session"):
            self.logic.upload_image(str(self.path), self.sample["id"])
            self.sample["session"] = False
        labelmap = sum(
            number * (segment != 0).astype("int16")
            for number, segment in enumerate(segments, 1) if segment is not None
        )  # fmt: skip
        image = sitk.GetImageFromArray(labelmap)
        image.CopyInformation(reference)
        path = self.folder / f"label{suffix}"
        sitk.WriteImage(image, str(path))
        info = [{"name": name, "idx": number + background} for number, name in enumerate(names, 1)]
        answer = self.logic.save_label(self.sample["id"], str(path), params={"label_info": info})
        self.connect()
        return answer

    def next_sample(self):
        """onNextSampleButton: the image as Slicer downloads it; None where there is none left."""
        strategy = next(iter(self.info["strategies"]))
        sample = self.logic.next_sample(strategy, {})
        if not sample.get("id"):
            return None
        assert not sample.get("path")
        target = self.folder / sample["name"]
        assert not target.exists()  # Slicer would show what it has under this name
        address = f"{self.address}/datastore/image?image={sample['id']}"
        urllib.request.urlretrieve(address, target)
        kind, _, digest = sample["checksum"].partition(":")
        assert kind == "SHA256"
        assert hashlib.sha256(target.read_bytes()).hexdigest() == digest
        # the label that it may have, which Slicer only tries to get
        assert self.logic.datastore()["objects"][sample["id"]]["labels"] == {}
        # with Auto-Run, a model that lists a label is asked without points, which is an error
        assert not any(label in model["labels"] for label in self.info["labels"]
                       for model in self.info["models"].values())  # fmt: skip
        self.sample, self.path = sample, target
        return sitk.ReadImage(str(target))


def as_lists(points):
    return [[round(index) for index in point] for point in points]
