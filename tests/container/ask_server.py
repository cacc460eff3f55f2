"""Asks a server from within its container, as 3D Slicer does; prints what came of it as JSON.

    python - ADDRESS < ask_server.py

ADDRESS: that 3D Slicer is given.
"""

import json
import sys
import time

import nibabel
import numpy as np
import requests

ADDRESS = sys.argv[1]
SHAPE = (30, 28, 20)
CENTRE, RADII = np.array([15, 14, 10]), np.array([8, 7, 5])


def wait():
    """Wait until it answers; return the seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < 120:
        try:
            return requests.get(f"{ADDRESS}/info/").json(), time.monotonic() - begun
        except requests.ConnectionError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


def sent(array):
    return nibabel.Nifti1Image(array, np.eye(4)).to_bytes()


info, seconds = wait()
grid = np.stack(np.indices(SHAPE), -1) - CENTRE
inside = ((grid / RADII) ** 2).sum(-1) <= 1
image = sent(
    (np.where(inside, 100, -100) + np.random.default_rng(0).normal(0, 9, SHAPE)).astype("int16")
)
points = np.vstack([np.diag(RADII - 1), -np.diag(RADII - 1)]) + CENTRE
session = requests.put(f"{ADDRESS}/session/", files={"files": ("image.nii", image)}).json()
clicks = {"label": "object", "foreground": points.tolist(), "background": []}
answer = requests.post(
    f"{ADDRESS}/infer/starter", params={"image": "CT", "session_id": session["session_id"]},
    files={"params": (None, json.dumps(clicks))},
)  # fmt: skip
requests.put(f"{ADDRESS}/datastore/", params={"image": "CT"}, files={"file": ("image.nii", image)})
saved = requests.put(
    f"{ADDRESS}/datastore/label", params={"image": "CT"},
    files={"label": ("label.nii", sent(inside.astype("uint8"))),
           "params": (None, json.dumps({"label_info": [{"name": "object", "idx": 1}]}))},
)  # fmt: skip
root, _, token = ADDRESS.partition("/monai/")
sys.stdout.write(
    json.dumps(
        {
            "seconds": seconds,
            "models": list(info["models"]),
            "images": info["datastore"]["total"],
            "infer": [answer.status_code, '"complete": true' in answer.text],
            "saved": [saved.status_code, saved.json()],
            "page": requests.get(f"{root}/{token}/").status_code,
            "without token": requests.get(f"{root}/").status_code,
            "other name": requests.get(
                f"{ADDRESS}/info/", headers={"Host": "elsewhere.example"}
            ).status_code,
        }
    )
)
