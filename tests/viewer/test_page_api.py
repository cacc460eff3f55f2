"""What the page asks, of a real server with the starter."""

import io
import json
import threading
import zipfile

import nibabel
import numpy as np
import pytest

from interactivenet.imaging.io import read_image, read_label
from interactivenet.inference.predictor import Predictor
from interactivenet.pipeline.infer import infer
from interactivenet.prompts.io import read_prompts
from tests.viewer.near_points import ask_near_points
from tests.viewer.serving import BALLS, GRID, at, ball, nifti, nifti_of, points_of, write_image


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def true_ball(number):
    centre, half = BALLS[number]
    where = np.indices(GRID.ras.shape)
    return sum(((a - c) / h) ** 2 for a, c, h in zip(where, centre, half, strict=True)) <= 1


def test_it_says_what_it_can_do(client):
    state = client.get("api/state")
    assert state["saves_to"] == "folder" and state["uploads"] and state["task"] is None
    (model,) = state["models"]
    assert model["name"] == "starter" and model["any_label"] and model["labels"] == []
    assert [case["name"] for case in client.get("api/cases")["cases"]] == ["one", "two"]
    page = client.ask("GET", "")
    assert page.headers["content-type"].startswith("text/html")
    assert client.ask("GET", "static/index.html").status_code == 200


def test_an_image_is_sent_on_its_own_grid(client, tmp_path):
    opened = client.open()
    (image,) = opened["images"]
    assert image["shape"] == list(GRID.shape) and opened["saves_to"] == "folder"
    np.testing.assert_allclose(image["spacing"], GRID.spacing)
    sent = nifti(client.ask("GET", image["url"]).content)
    np.testing.assert_allclose(sent.affine, GRID.affine, atol=1e-4)
    stored = read_image(tmp_path / "images" / "one.nii.gz")
    np.testing.assert_array_equal(np.asarray(sent.dataobj), stored.stored[0])
    low, high = opened["window"]
    assert stored.array.min() < low < high <= stored.array.max()


def test_objects_are_outlined_one_by_one(client):
    session = client.open()["session"]
    few = ball() | {"points": points_of()[:3]}
    content, outline = client.outlined(session, [few])
    (told,) = content["objects"]
    assert outline is None and not told["complete"] and told["placed"] == 3
    assert told["next"].startswith("Place a point just inside")
    content, outline = client.outlined(session, [few | {"points": []}, ball("b")])
    assert set(np.unique(outline)) == {0, 2}  # the second of the state
    assert dice(outline == 2, true_ball(0)) > 0.8
    told = content["objects"][1]
    assert told["complete"] and told["next"] == "" and told["made_by"] == "model"
    assert told["volume_ml"] == pytest.approx((outline == 2).sum() * 1.8e-3)
    axial, whole = told["diameters_mm"]
    assert 10 < axial <= whole < 30
    _, outline = client.outlined(session, [ball("b"), ball("c", 1)])
    assert dice(outline == 1, true_ball(0)) > 0.8 and dice(outline == 2, true_ball(1)) > 0.8


def test_taking_back_gives_the_outline_before(client):
    session = client.open()["session"]
    _, first = client.outlined(session, [ball()])
    click = ((16, 14, 27), True)
    content, second = client.outlined(session, [ball(corrections=[click])])
    assert second[16, 14, 27] == 1 and first[16, 14, 27] == 0
    assert content["objects"][0]["made_by"] == "corrections"
    content, third = client.outlined(session, [ball()])
    np.testing.assert_array_equal(first, third)
    assert content["objects"][0]["made_by"] == "model"


def test_what_is_saved_is_what_infer_makes_of_the_saved_points(client, tmp_path, monkeypatch):
    session = client.open()["session"]
    objects = [ball("a", 0, "liver", [((9, 14, 15), False)]), ball("b", 1, "tumour")]
    _, shown = client.outlined(session, objects, "full")
    client.outlined(session, objects, "quick")  # what is saved is of all networks all the same
    saved = client.ask("POST", f"api/sessions/{session}/save", json={}).json()
    assert any(path.endswith("one.nii.gz") for path in saved["files"])
    assert client.case(1)["status"] == "outlined"  # what is saved stands last
    points = tmp_path / "saved" / "points" / "one.json"
    label = read_label(tmp_path / "saved" / "one.nii.gz")
    assert label.source.is_same_lattice(GRID)
    np.testing.assert_array_equal(label.array[0], shown)  # liver is 1, tumour is 2
    image = tmp_path / "images" / "one.nii.gz"
    ask_near_points(monkeypatch)
    infer(None, image, points, tmp_path / "again", model="starter")
    again = read_label(tmp_path / "again" / "one.nii.gz")
    np.testing.assert_array_equal(label.array, again.array)
    record = json.loads((tmp_path / "saved" / "one.json").read_text(encoding="utf-8"))
    assert [each["made_by"] for each in record["objects"]] == ["corrections", "model"]


def test_a_download_holds_the_same_files(client):
    session = client.open()["session"]
    client.outlined(session, [ball()])
    answer = client.ask("GET", f"api/sessions/{session}/download")
    assert "one.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = sorted(name.rpartition("/")[2] for name in archive.namelist())
    assert names.count("one.json") == 2 and "one.nii.gz" in names  # record, and points


def test_nothing_is_saved_where_nothing_is_outlined(client, tmp_path):
    session = client.open()["session"]
    for path in ("save", "download"):
        method = "POST" if path == "save" else "GET"
        answer = client.ask(method, f"api/sessions/{session}/{path}")
        assert answer.status_code == 400 and "nothing is outlined" in answer.json()["error"]
    assert client.ask("GET", f"api/sessions/{session}/outline").status_code == 400
    assert not (tmp_path / "saved").exists()


def test_an_older_state_is_not_saved_for_what_is_shown(client, tmp_path):
    session = client.open()["session"]
    client.outlined(session, [ball()])
    saving, shown = f"api/sessions/{session}/save", client.revision + 1  # it never came
    assert client.ask("POST", saving, json={"revision": shown}).status_code == 409
    packing = f"api/sessions/{session}/download?revision={shown}"
    assert client.ask("GET", packing).status_code == 409
    assert not (tmp_path / "saved").exists()
    assert client.ask("POST", saving, json={"revision": client.revision}).status_code == 200
    for wrong in (-1, "x", 1.5, True, 2**60):
        assert client.ask("POST", saving, json={"revision": wrong}).status_code == 400


def test_of_two_who_save_one_case_neither_loses_anything(client, tmp_path):
    first, second = client.open(), client.open()
    assert first["over"] == second["over"] == ""
    for opened, number in ((first, 0), (second, 1)):
        client.outlined(opened["session"], [ball(number=number)])
    over = {}
    for opened in (first, second):
        saving = f"api/sessions/{opened['session']}/save"
        over = client.ask("POST", saving, json={"over": opened["over"]}).json()
    notes = " ".join(over["notes"])
    assert "one.nii.gz, which another has saved meanwhile, is kept as one.1.nii.gz" in notes
    saved = tmp_path / "saved"
    assert dice(read_label(saved / "one.nii.gz").array[0] == 1, true_ball(1)) > 0.8
    assert dice(read_label(saved / "one.1.nii.gz").array[0] == 1, true_ball(0)) > 0.8
    (theirs,) = read_prompts(saved / "points" / "one.1.json")
    np.testing.assert_allclose(theirs.points, points_of(0), atol=1e-9)
    again = client.ask("POST", saving, json={"over": over["over"]}).json()
    assert not again["notes"] and not (saved / "one.2.nii.gz").exists()
    assert client.open(1)["over"] == again["over"]


def test_an_image_that_has_changed_is_not_saved_for_the_one_that_is_open(client, tmp_path):
    opened = client.open()
    client.outlined(opened["session"], [ball()])
    write_image(tmp_path / "images" / "one.nii.gz", balls=())
    answer = client.ask("POST", f"api/sessions/{opened['session']}/save", json={})
    assert answer.status_code == 400 and "changed since it was opened" in answer.json()["error"]
    assert not (tmp_path / "saved").exists()
    assert client.open()["scan"] != opened["scan"]


def test_an_image_that_may_lie_in_two_places_is_refused_before_any_point(client, tmp_path):
    path = tmp_path / "images" / "one.nii.gz"
    image = nibabel.load(path)
    moved = GRID.affine + np.eye(4)[3] * [[20.0], [0], [0], [0]]
    image.set_qform(moved, 1)
    nibabel.Nifti1Image(np.asarray(image.dataobj), None, image.header).to_filename(path)
    answer = client.ask("POST", "api/sessions", json={"case": client.case()["id"]})
    assert answer.status_code == 400 and "two places" in answer.json()["error"]


def test_a_brush_is_the_outline_until_the_points_change(client):
    session = client.open()["session"]
    _, before = client.outlined(session, [ball(), ball("b", 1)])
    mask = before == 1
    mask[2:6, 2:6, 2:6] = True
    mask |= before == 2  # painted over the other one, too
    mask[28, 27, 26] = False
    answer = client.ask(
        "PUT", f"api/sessions/{session}/brush?object=a&revision=9", content=nifti_of(mask)
    )
    assert answer.status_code == 200, answer.text
    painted = client.volume(answer.json()["outline"])
    np.testing.assert_array_equal(painted == 1, mask)
    assert (painted == 2).sum() == (before[28, 27, 26] == 2)
    told = answer.json()["objects"]
    assert [each["made_by"] for each in told] == ["brush", "model"]
    assert told[0]["volume_ml"] == pytest.approx(mask.sum() * 1.8e-3)
    client.revision = 9
    _, still = client.outlined(session, [ball(), ball("b", 1)])  # nothing has changed
    np.testing.assert_array_equal(still == 1, mask)
    content, again = client.outlined(session, [ball(corrections=[((3, 3, 3), False)]),
                                               ball("b", 1)])  # fmt: skip
    assert not again[3, 3, 3] and "what was painted is lost" in content["notes"][0]


def test_a_brush_needs_an_outline_and_a_mask_of_the_image(client):
    session = client.open()["session"]
    url = f"api/sessions/{session}/brush?object=a"
    mask = np.ones(GRID.ras.shape, bool)
    answer = client.ask("PUT", url, content=nifti_of(mask))
    assert answer.status_code == 400 and "no outline to paint on" in answer.json()["error"]
    client.outlined(session, [ball()])
    empty = client.ask("PUT", url, content=nifti_of(mask & False))
    assert empty.status_code == 400 and "the mask is empty" in empty.json()["error"]
    junk = client.ask("PUT", url, content=b"no NIfTI")
    assert junk.status_code == 400 and junk.json()["error"].startswith("the mask: ")
    other = client.ask("PUT", url, content=nifti_of(np.ones(GRID.ras.shape, bool), GRID.ras))
    assert other.status_code == 200  # the same voxels, stored along other axes


def test_a_point_outside_is_named(client):
    session = client.open()["session"]
    outside = ball(label="liver")
    outside["points"][3] = [1000.0, 0.0, 0.0]
    answer = client.put(session, [outside])
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("liver: point 4 at (1000, 0, 0) mm (RAS) lies")
    click = ball(label="liver")
    click["corrections"] = [{"position": [0.0, 0.0, 999.0], "positive": True}]
    answer = client.put(session, [click])
    assert answer.status_code == 400 and "correction +1" in answer.json()["error"]


def test_points_in_a_plane_are_a_problem_of_their_object_alone(client):
    session = client.open()["session"]
    flat = ball("flat") | {"points": [at((10 + n, 10 + n % 3, 10)) for n in range(6)]}
    content, outline = client.outlined(session, [flat, ball()])
    told, other = content["objects"]
    assert "in one plane" in told["problems"][0] and not told["complete"]
    assert other["complete"] and set(np.unique(outline)) == {0, 2}


def test_an_older_state_is_refused(client):
    session = client.open()["session"]
    assert client.put(session, [ball()], revision=5).status_code == 200
    assert client.put(session, [ball()], "full", revision=5).status_code == 200
    late = client.put(session, [], revision=4)
    assert late.status_code == 409 and late.json()["revision"] == 5
    url = f"api/sessions/{session}/outline?revision="
    assert client.ask("GET", f"{url}5").status_code == 200
    assert client.ask("GET", f"{url}4").status_code == 409


def test_a_new_state_does_not_wait_for_the_one_in_work(client, monkeypatch):
    session = client.open()["session"]
    scan = client.served.store.get(session)
    networks, passes = scan.model.full._networks, []
    begun, newer = threading.Event(), threading.Event()
    foreground, announce = networks._foreground, scan.announce

    def held(*arguments):
        passes.append(threading.current_thread())
        begun.set()
        assert newer.wait(60)
        return foreground(*arguments)

    def announced(revision):
        announce(revision)
        if revision == 21:
            newer.set()

    monkeypatch.setattr(networks, "_foreground", held)
    monkeypatch.setattr(scan, "announce", announced)
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(client.put(session, [ball()], "full", revision=20))
    )
    thread.start()
    assert begun.wait(60) and len(passes) == 1
    assert client.put(session, [ball("a", 1)], "full", revision=21).status_code == 200
    thread.join(60)
    of_both = len(passes)
    assert answers[0].status_code == 409 and scan.outlines.revision == 21
    assert client.put(session, [ball("b")], "full", revision=22).status_code == 200
    of_one = len(passes) - of_both
    assert of_one > 1 and of_both == 1 + of_one  # of the state in work, none after the newer came


def test_two_tabs_on_one_image_see_one_state(client):
    session = client.open()["session"]
    codes = []

    def tab(first):
        for revision in range(first, first + 8, 2):
            codes.append(client.put(session, [ball("a", revision % 2)], revision=revision))

    threads = [threading.Thread(target=tab, args=(first,)) for first in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.status_code for answer in codes} <= {200, 409} and len(codes) == 8
    scan = client.served.store.get(session)
    assert scan.outlines.revision == 8  # the latest
    outline = client.volume(f"api/sessions/{session}/outline?revision=8")
    assert dice(outline == 1, true_ball(0)) > 0.8


def test_points_that_were_placed_before_are_there_again(client, tmp_path):
    session = client.open()["session"]
    client.outlined(session, [ball(label="liver", corrections=[((16, 14, 24), True)])])
    client.ask("POST", f"api/sessions/{session}/save", json={})
    points = read_prompts(tmp_path / "saved" / "points" / "one.json")
    np.testing.assert_allclose(points[0].points, points_of(), atol=1e-9)


def test_an_upload_is_one_more_case(client, tmp_path):
    data = (tmp_path / "images" / "one.nii.gz").read_bytes()
    files = [("files", ("C:\\scans\\../../mine.nii.gz", data))]
    answer = client.ask("POST", "api/cases", files=files)
    assert answer.status_code == 200, answer.text
    (case,) = answer.json()["cases"]
    assert case["name"] == "mine" and not case["problem"]
    number = [each["id"] for each in client.get("api/cases")["cases"]].index(case["id"])
    session = client.open(number)["session"]
    _, outline = client.outlined(session, [ball()])
    assert dice(outline == 1, true_ball(0)) > 0.8
    kept = [path.name for path in (tmp_path / "uploads").iterdir()]
    assert len(kept) == 1 and "mine" not in kept[0]  # no path is made of a client's name


def test_what_is_quick_is_one_network_once(models):
    loaded = models.load("starter")
    assert isinstance(loaded.full, Predictor) and loaded.full.mirrored
    assert loaded.quick.model.folds == loaded.full.model.folds[:1]
    assert len(loaded.quick._networks.flips) == 1
