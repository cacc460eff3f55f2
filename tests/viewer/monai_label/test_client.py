"""MONAI Label's own client, unmodified, in the steps of 3D Slicer's module."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from interactivenet import Correction, Predictor, Prompt, read_prompts
from interactivenet.inference import networks
from interactivenet.prompts.prompt import LabelNames
from tests.viewer.monai_label.conftest import LABELS, make_picture

LABEL, VALUE = "oedema", 3


def prompt_of(picture, clicks, background=()):
    """The prompt of clicks, positive ones first, as they come in one request."""
    corrections = [(each, True) for each in clicks[6:]] + [(each, False) for each in background]
    return Prompt(VALUE, picture.mm(clicks[:6]), LABEL, corrections=corrected(picture, corrections))


def corrected(picture, clicks):
    return tuple(Correction(tuple(picture.mm(at)[0]), positive) for at, positive in clicks)


def expected_of(predictor, picture, prompt):
    """What the library makes of a prompt: an array [k, j, i] of 0 and 1, as Slicer has it."""
    label = sitk.GetArrayFromImage(predictor.segment(picture.path, prompt).to_sitk())
    return (label == prompt.label).astype(np.uint8)


def assert_same_grid(image, other):
    assert image.GetSize() == other.GetSize()
    for name in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(image, name)(), getattr(other, name)(), atol=1e-5)


def test_one_to_eight_points(serve, knower, picture):
    """Connect, session, infer after each click, as it is with Auto ticked."""
    module = serve().module()
    module.load(picture.path, "1: CT of somebody")
    image = sitk.ReadImage(str(picture.path))
    clicks = [*picture.margin, picture.inside, picture.margin[0]]
    for count in range(1, 9):
        background = [picture.outside] if count in (4, 7, 8) else []
        shown = module.click(LABEL, clicks[:count], background)
        assert_same_grid(shown, image)
        array = sitk.GetArrayFromImage(shown)
        assert array.dtype == np.uint8 and set(np.unique(array)) == {0, 1}
        if count < 6:
            assert module.params["message"].startswith(f"{count} of 6 points")
            assert 0 < array.sum() < 40 * count
            assert all(array[tuple(np.intp(each[::-1]))] for each in clicks[:count])
        else:
            came = [(picture.inside, True), (picture.outside, False), (clicks[7], True)]
            corrections = corrected(picture, came[: (0, 2, 3)[count - 6]])
            prompt = Prompt(VALUE, picture.mm(picture.margin), LABEL, corrections=corrections)
            assert np.array_equal(array, expected_of(knower, picture, prompt))
    assert array[tuple(np.intp(picture.outside[::-1]))] == 0


def test_the_starter_on_oblique_axes(serve, tmp_path, monkeypatch):
    """Networks that see corrections, and a label of any name."""
    monkeypatch.setattr(networks, "FLIPS", networks.FLIPS[:2])  # of eight: they take their time
    picture = make_picture(tmp_path / "volume.nii.gz", "oblique")
    module = serve(model="starter").module()
    module.load(picture.path, "CT")
    shown = module.click("whatever it is", picture.margin, [picture.outside])
    prompt = prompt_of(picture, picture.margin, [picture.outside])
    expected = expected_of(Predictor("starter"), picture, prompt)
    assert np.array_equal(sitk.GetArrayFromImage(shown), expected)


def test_background_clicks_from_before_the_sixth_point_count(serve, knower, straight):
    module = serve().module()
    module.load(straight.path, "CT")
    near = straight.margin[2] + [0, 1, 0]  # at the edge of the object
    shown = module.click(LABEL, straight.margin[:2], [near])
    assert shown[tuple(int(index) for index in near)] == 0
    assert module.params["message"] == "2 of 6 points; 1 background click waits for them"
    shown = module.click(LABEL, straight.margin, [near])
    assert shown[tuple(int(index) for index in near)] == 0
    with_it, without = (
        expected_of(knower, straight, prompt_of(straight, straight.margin, background))
        for background in ([near], [])
    )
    assert np.array_equal(sitk.GetArrayFromImage(shown), with_it)
    assert not np.array_equal(with_it, without)


def test_only_background_clicks(serve, straight):
    module = serve().module()
    module.load(straight.path, "CT")
    shown = module.click(LABEL, [], [straight.outside])
    assert sitk.GetArrayFromImage(shown).sum() == 0
    assert module.params["message"].startswith("0 of 6 points")


def test_a_lost_session_is_made_again(serve, straight):
    server = serve()
    module = server.module()
    module.load(straight.path, "CT")
    first = module.click(LABEL, straight.margin)
    lost = module.sample["session_id"]
    assert module.logic.get_session(lost)
    module.logic.remove_session(lost)
    assert module.logic.get_session(lost) == {}
    again = module.click(LABEL, straight.margin)
    assert module.sample["session_id"] != lost
    assert np.array_equal(sitk.GetArrayFromImage(first), sitk.GetArrayFromImage(again))


def test_a_point_outside_is_said(serve, straight):
    server = serve()
    module = server.module()
    module.load(straight.path, "CT")
    module.click(LABEL, straight.margin[:3])
    far = [*straight.margin[:3], [17, 90, 3]]
    with pytest.raises(Exception) as caught:  # which the module shows, and goes on
        module.click(LABEL, far)
    assert type(caught.value).__name__ == "MONAILabelClientException"
    sentence = "foreground point 4 lies outside the image: at voxel 17, 90, 3 of 36 x 30 x 24"
    assert sentence in str(caught.value) and "Status: 400" in str(caught.value)
    assert module.click(LABEL, straight.margin).GetSize() == (36, 30, 24)


def test_points_that_mark_nothing_are_said(serve, straight):
    module = serve(model="starter").module()
    module.load(straight.path, "CT")
    with pytest.raises(Exception, match="Status: 400") as caught:
        module.click("object", [straight.margin[0]] * 6)
    assert "one plane" in str(caught.value)


@pytest.mark.parametrize("changed", [False, True])
def test_a_session_is_saved_with_its_points(serve, knower, picture, changed):
    """The image is uploaded under its name first; what made each segment is kept."""
    server = serve()
    module = server.module()
    module.load(picture.path, "CT of somebody")
    foreground = [*picture.margin, picture.inside]
    shown = module.click(LABEL, foreground, [picture.outside])
    array = sitk.GetArrayFromImage(shown)
    drawn = np.zeros_like(array)
    drawn[2:4, 2:5, 2:5] = 1
    if changed:
        array[tuple(np.intp(picture.inside[::-1]))] = 0
    answer = module.submit([array, None, drawn], [LABEL, "nothing", "drawn"], shown, background=1)
    made = "brush" if changed else "corrections"
    assert answer["segments"] == {LABEL: made, "drawn": "person"}
    (label,) = server.saved.glob("*.nii.gz")
    saved = nibabel.load(label)
    np.testing.assert_array_equal(saved.affine, nibabel.load(picture.path).affine)
    voxels = np.asarray(saved.dataobj)
    assert np.array_equal(voxels == VALUE, array.transpose(2, 1, 0) == 1)
    # what the model does not have gets a value that is free
    assert np.array_equal(voxels == 2, drawn.transpose(2, 1, 0) == 1)
    (points,) = (server.saved / "points").glob("*.json")
    (prompt,) = read_prompts(points, LabelNames(LABELS))
    assert prompt.label == VALUE
    np.testing.assert_allclose(prompt.points, picture.mm(picture.margin), atol=1e-4)
    assert [each.positive for each in prompt.corrections] == [True, False]
    if not changed:
        assert np.array_equal(expected_of(knower, picture, prompt), array)
    # it goes on by its name, without a session
    after = module.click(LABEL, foreground)
    expected = expected_of(knower, picture, prompt_of(picture, foreground))
    assert np.array_equal(sitk.GetArrayFromImage(after), expected)


def test_next_samples(serve, knower, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    pictures = [make_picture(folder / f"case_{n}.nii.gz", way, n)
                for n, way in enumerate(("oblique", "permuted"))]  # fmt: skip
    server = serve([folder])
    module = server.module()
    assert module.info["datastore"] == {"total": 2, "completed": 0}
    names = set()
    for picture in pictures:
        image = module.next_sample()
        names.add(module.sample["name"])
        original = sitk.ReadImage(str(picture.path))
        assert_same_grid(image, original)
        assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(original))
        shown = module.click(LABEL, picture.margin)
        assert_same_grid(shown, original)
        expected = expected_of(knower, picture, prompt_of(picture, picture.margin))
        assert np.array_equal(sitk.GetArrayFromImage(shown), expected)
        answer = module.submit([expected], [LABEL], shown)
        assert answer["segments"] == {LABEL: "model"}
    assert len(names) == 2
    assert len(list(server.saved.glob("case_*.nii.gz"))) == 2


def test_two_users_with_images_of_one_name(serve, tmp_path):
    """Each has his own image under it, and what he submits is of that one."""
    server = serve()
    pictures = [make_picture(tmp_path / f"{n}.nii.gz", "straight", n) for n in (1, 2)]
    modules = [server.module("one"), server.module("other")]
    answers = []
    for module, picture in zip(modules, pictures, strict=True):
        module.load(picture.path, "CT")
    shown = [m.click(LABEL, p.margin) for m, p in zip(modules, pictures, strict=True)]
    for module, picture in zip(modules, pictures, strict=True):
        module.logic.upload_image(str(picture.path), "CT")
        module.sample["session"] = False
    for module, each in zip(modules, shown, strict=True):
        answers.append(module.submit([sitk.GetArrayFromImage(each)], [LABEL], each))
    assert len({answer["image"] for answer in answers}) == 2
    assert [answer["segments"] for answer in answers] == [{LABEL: "model"}] * 2
