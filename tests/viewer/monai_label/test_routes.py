"""The protocol, where its client is not installed: what is asked, and what must be answered."""

import io
import json
import re

import nibabel
import numpy as np
import pytest
from starlette.testclient import TestClient

from interactivenet.viewer.refusals import TooLarge
from interactivenet.viewer.settings import ViewerSettings
from tests.viewer.monai_label.conftest import KNOWING, LABELS, TOKEN, make_picture

MODEL = "Task7_two_labels"
LABEL, VALUE = "oedema", 3


@pytest.fixture
def asking(make_server):
    """Start asking a server; paths are those below the address that 3D Slicer is given."""

    def ask(*arguments, **more):
        server = make_server(*arguments, **more)
        base = f"http://testserver/monai/{TOKEN}"
        client = TestClient(server.application, base_url=base, raise_server_exceptions=False)
        client.server = server
        return client

    return ask


def open_session(client, picture, name="image.nii.gz", user="user-xyz"):
    files = {"files": (name, picture.path.read_bytes())}
    return client.put("/session/", files=files, data={"client_id": user}).json()["session_id"]


def infer(client, session, foreground, background=(), label=LABEL, image="CT", model=MODEL, **more):
    clicks = {
        "foreground": np.intp(foreground).tolist(),
        "background": np.intp(background).tolist(),
    }
    params = {"label": label, **clicks, "client_id": "user-xyz", **more}
    query = {"image": image, **({"session_id": session} if session else {})}
    files = {"params": (None, json.dumps(params))}
    return client.post(f"/infer/{model}", params=query, files=files)


def said(answer):
    """The field of the answer, and its file's name."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("multipart/form-data")
    (name,) = re.findall(rb'filename="([^"]+)"', answer.content)
    (params,) = re.findall(rb"application/json\r\n\r\n(.*)\r\n--", answer.content)
    return json.loads(params), name.decode()


def submit(client, array, names, image="CT", affine=None, name="label.nii.gz", user="user-xyz"):
    file = nibabel.Nifti1Image(array.astype(np.uint8), affine).to_bytes()
    info = [{"name": each, "idx": number + 2} for number, each in enumerate(names)]
    params = {"label_info": info, "client_id": user}
    return client.put(
        "/datastore/label", params={"image": image},
        files={"label": (name, io.BytesIO(file)), "params": (None, json.dumps(params))},
    )  # fmt: skip


def test_connecting(asking):
    client = asking()
    assert client.get("/auth/").json() == {"enabled": False}
    answer = client.get("/train/", params={"check_if_running": "true"})
    assert answer.status_code == 404  # 200 would say that one runs
    info = client.get("/info/").json()
    assert not info.get("config")  # the module would refuse the server
    assert info["trainers"] == {} and info["train_stats"] == {}
    assert list(info["models"]) == [MODEL, "starter"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in info["models"])
    assert KNOWING in client.server.served.models.first
    for model in info["models"].values():
        assert model["type"] == "deepgrow" and model["dimension"] == 3 and model["description"]
    assert set(LABELS.values()) < set(info["labels"])
    assert next(iter(info["strategies"])) == "first"


def test_no_other_page_may_read_it(asking):
    """MONAI Label's own server allows all, with credentials."""
    client = asking()
    foreign = client.get("/info/", headers={"origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    for answer in (foreign, client.get("/info/"), client.options("/info/")):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert TestClient(client.server.application).get("/monai/wrong/info/").status_code == 403


def test_before_six_points_there_is_a_map_and_a_message(asking, straight):
    client = asking()
    session = open_session(client, straight)
    names = set()
    for count in range(6):
        params, name = said(infer(client, session, straight.margin[:count].reshape(-1, 3)))
        assert params["message"] == f"{count} of 6 points" and not params["complete"]
        assert name.endswith(".nrrd")
        names.add(name)
    assert len(names) == 6  # the client writes them into a folder that it may share


def test_a_session_that_is_lost_is_no_error(asking, straight):
    client = asking()
    for unknown in ("gone", "..%2F..%2Fetc%2Fpasswd", "-"):
        answer = client.get(f"/session/{unknown}")
        assert answer.status_code in (200, 404)
    assert (client.get("/session/gone").status_code, client.get("/session/gone").json()) == (
        200,
        {},
    )
    session = open_session(client, straight)
    assert client.get(f"/session/{session}").json() == {"id": session}


def test_users_behind_a_proxy_are_told_apart(asking, tmp_path):
    """Both call their image CT, and neither has said who he is."""
    client = asking()
    ids = []
    for number, machine in enumerate(("10.0.0.1", "10.0.0.2")):
        picture = make_picture(tmp_path / f"{number}.nii.gz", seed=number)
        files = {"file": ("a.nii.gz", picture.path.read_bytes()), "params": (None, "{}")}
        headers = {"x-forwarded-for": machine}
        answer = client.put("/datastore/", params={"image": "CT"}, files=files, headers=headers)
        ids.append(answer.json()["image"])
    array = np.zeros((36, 30, 24))
    array[3:6, 4:7, 5:9] = 1
    for machine, expected in zip(("10.0.0.1", "10.0.0.2"), ids, strict=True):
        client.headers["x-forwarded-for"] = machine
        answer = submit(client, array, [LABEL], "CT", picture.affine, user=None)
        assert answer.json()["image"] == expected


def test_ids_are_never_the_same(asking, straight):
    client = asking()
    assert len({open_session(client, straight) for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"label": "liver"}, 400, "'liver' is no label: expected one of 1=tumour, 3=oedema"),
        ({"label": ""}, 400, "the request has no label: expected one of tumour, oedema"),
        ({"model": "other"}, 400, f"there is no model of this name: expected one of {MODEL}, star"),
        ({"session": "gone"}, 404, "the server does not know this image any more"),
        ({"session": "", "image": "nobody's"}, 404, "the server does not know this image any mor"),
        ({"quality": "best"}, 400, "the quality is unknown: expected 'full' or 'quick'"),
        ({"foreground": [[1, 2, 30]]}, 400, "foreground point 1 lies outside the image: at voxel"),
        ({"background": [[-1, 2, 3]]}, 400, "background point 1 lies outside the image: at voxel"),
    ],
)
def test_what_is_wrong_is_said(asking, straight, change, status, sentence):
    client = asking()
    asked = {"session": open_session(client, straight), "foreground": straight.margin} | change
    answer = infer(client, **asked)
    assert (answer.status_code, answer.json()["error"][: len(sentence)]) == (status, sentence)


@pytest.mark.parametrize("params", ["[]", "{", '{"label": "tumour", "foreground": [[1, 2]]}',
                                    '{"label": "tumour", "foreground": "all"}',
                                    '{"label": "tumour", "foreground": [[1, 2, NaN]]}',
                                    '{"label": ["tumour"], "foreground": {"0": 1}}'])  # fmt: skip
def test_nonsense_is_refused(asking, straight, params):
    client = asking()
    query = {"image": "CT", "session_id": open_session(client, straight)}
    answer = client.post(f"/infer/{MODEL}", params=query, files={"params": (None, params)})
    assert answer.status_code == 400 and answer.json()["error"]


def test_labels_are_matched_by_name_and_order(asking, straight):
    """The values are numbers of segments; 'idx' counts some that are not there."""
    client = asking()
    session = open_session(client, straight)
    assert session
    client.put("/datastore/", params={"image": "CT"},
               files={"file": ("CT.nii.gz", straight.path.read_bytes()),
                      "params": (None, '{"client_id": "user-xyz"}')})  # fmt: skip
    array = np.zeros((36, 30, 24))
    array[3:6, 4:7, 5:9], array[10:12, 4:7, 5:9] = 1, 3
    answer = submit(client, array, [LABEL, "left empty", "tumour"], affine=straight.affine)
    assert answer.json()["segments"] == {LABEL: "person", "tumour": "person"}
    (path,) = client.server.saved.glob("*.nii.gz")
    saved = np.asarray(nibabel.load(path).dataobj)
    assert np.array_equal(saved == VALUE, array == 1) and np.array_equal(saved == 1, array == 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"names": []}, "the segments have the value 1, but 0 names"),
        ({"names": ["tumour", "tumour"]}, "two segments have the same name"),
        ({"names": ["tumour", ""]}, "a segment has no name"),
        ({"name": "label.seg.nrrd"}, "the segments were sent in a format that is not read here"),
        ({"array": np.zeros((36, 30, 24))}, "all segments are empty: there is nothing to save"),
        ({"affine": np.diag([9, 9, 9, 1])}, ""),
        ({"names": ["background"]}, "all segments are empty: there is nothing to save"),
    ],
)
def test_segments_that_cannot_be_saved(asking, tmp_path, change, sentence):
    (tmp_path / "scans").mkdir()
    picture = make_picture(tmp_path / "scans" / "case.nii.gz")
    client = asking([tmp_path / "scans"])
    (image,) = client.get("/datastore/", params={"output": "all"}).json()["objects"]
    array = np.zeros((36, 30, 24))
    array[3:6, 4:7, 5:9] = 1
    given = {"array": array, "names": ["tumour"], "affine": picture.affine, "image": image}
    answer = submit(client, **(given | change))
    assert answer.status_code == 400 and answer.json()["error"].startswith(sentence)
    assert "Traceback" not in answer.text
    assert not list(client.server.saved.rglob("*.nii.gz"))
    assert submit(client, **given).status_code == 200


def test_without_a_folder_nothing_is_saved(asking, tmp_path):
    picture = make_picture(tmp_path / "case.nii.gz")
    client = asking([tmp_path / "case.nii.gz"], target=False)
    (image,) = client.get("/datastore/").json()["objects"]
    answer = submit(client, np.ones((36, 30, 24)), ["tumour"], image, picture.affine)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("this server has no folder to save to: save the segme")


def test_without_uploads(asking, straight):
    client = asking(settings=ViewerSettings(uploads=False))
    content = straight.path.read_bytes()
    for answer in (
        client.put("/session/", files={"files": ("a.nii.gz", content)}),
        client.put("/datastore/", params={"image": "a"}, files={"file": ("a.nii.gz", content)}),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("this server takes no images: press Next Sample")


@pytest.mark.parametrize("name", ["image.png", "image", "../image.nii.gz.exe", ""])
def test_other_files_are_refused(asking, straight, name):
    client = asking()
    answer = client.put("/session/", files={"files": (name, straight.path.read_bytes())})
    assert answer.status_code == 400 and answer.json()["error"]
    assert not list(client.server.served.uploads.rglob("*.*"))


def test_what_is_no_image_is_refused_and_not_kept(asking):
    client = asking()
    answer = client.put("/session/", files={"files": ("image.nii.gz", b"no image at all")})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the image: is not a NIfTI file")
    assert not list(client.server.served.uploads.iterdir())


def test_what_is_too_large_is_refused(asking, straight):
    content = straight.path.read_bytes()
    size = len(content) / 1e9
    client = asking(settings=ViewerSettings(upload_gb=size / 2))
    answer = client.put("/session/", files={"files": ("a.nii.gz", content)})
    assert answer.status_code == 413 and "expected at most" in answer.json()["error"]
    client = asking(settings=ViewerSettings(uploads_gb=1.5 * size))
    answers = [
        client.put("/datastore/", params={"image": "a"}, files={"file": ("a.nii.gz", content)},
                   headers={"user-agent": user}, data={"params": json.dumps({"client_id": user})})
        for user in ("one", "other")
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 413]
    assert len(list(client.server.served.uploads.rglob("*.nii.gz"))) == 1
    with pytest.raises(TooLarge):  # the page's count to the same limit
        client.server.served.room.take(len(content))
    client = asking(settings=ViewerSettings(uploads_gb=1.5 * size))
    for _ in range(3):  # a session's makes way, and gives back what it took
        answer = client.put("/session/", files={"files": ("a.nii.gz", content)})
        assert answer.status_code == 200
    client.delete(f"/session/{answer.json()['session_id']}")
    client.server.served.room.take(len(content))


def test_too_many_images_are_a_503(asking, tmp_path):
    """Each scan that is open elsewhere counts; what Slicer left long ago makes room."""
    names = [tmp_path / f"{number}.nii.gz" for number in range(2)]
    pictures = [make_picture(name, seed=number) for number, name in enumerate(names)]
    client = asking(names, settings=ViewerSettings(sessions=1))
    served = client.server.served
    scan = served.store.open(served.worklist.entries()[0], KNOWING)
    session = open_session(client, pictures[1])
    answer = infer(client, session, pictures[1].margin)
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
    served.store.close(scan.id)
    assert said(infer(client, session, pictures[1].margin))[0]["complete"]


def test_each_segment_is_segmented_by_itself(asking, straight):
    """Segments of several labels, of one model, whatever was asked before."""
    client = asking()
    session = open_session(client, straight)
    one, _ = said(infer(client, session, straight.margin, label="tumour"))
    other, _ = said(infer(client, session, straight.margin, label="Oedema"))
    assert (one["label"], other["label"]) == ("tumour", "oedema")
    assert one["volume_ml"] == other["volume_ml"] > 0


@pytest.mark.parametrize("is_only_listed", [False, True])
def test_a_raw_task_is_saved_into(asking, tmp_path, is_only_listed):
    """A new one, of images alone: what Slicer submits is a label, with the points."""
    task = tmp_path / "raw" / "Task101_NEW"
    (task / "imagesTr").mkdir(parents=True)
    picture = make_picture(task / "imagesTr" / "one_0000.nii.gz", "permuted")
    client = asking([task], target=False) if is_only_listed else asking(task=task)
    first = "first" if is_only_listed else "lowest_expected_dice"
    assert next(iter(client.get("/info/").json()["strategies"])) == first
    (image,) = client.get("/datastore/").json()["objects"]
    params, _ = said(infer(client, "", picture.margin, image=image))
    assert params["complete"]
    scan = nibabel.load(picture.path)
    array = np.asarray(scan.dataobj) > 0
    answer = submit(client, array, [LABEL], image, scan.affine)
    assert answer.status_code == 200, answer.text
    assert answer.json()["segments"][LABEL] in ("model", "brush")
    assert (task / "labelsTr" / "one.nii.gz").exists()
    (points,) = (task / "interactionsTr").iterdir()
    assert points.stem == "one"
    assert client.get("/info/").json()["datastore"] == {"total": 1, "completed": 1}
