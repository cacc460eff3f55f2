"""Sessions: clicks are heeded, reproduced to the voxel, and taken back."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interactivenet.encoding.clicks import put_clicks
from interactivenet.errors import DataError, RequestError
from interactivenet.imaging.volume import Volume
from interactivenet.planning.plan import Normalisation, ObjectGrid
from interactivenet.prompts.prompt import Prompt
from tests.inference.predictors import Threshold, knowing
from tests.sample_cases import make_plan, make_scan, stored_grid

GRIDS = {
    "ras": {},
    "flipped": {"flips": (-1, 1, -1)},
    "permuted": {"order": (2, 0, 1)},
    "oblique": {"order": (1, 2, 0), "flips": (-1, -1, 1), "angles": (0.2, -0.1, 0.3)},
}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
SPACING = (1.0, 1.2, 1.5)


class Counting(Threshold):
    """Counts how often it is asked."""

    asked = 0

    def forward(self, image):
        self.asked += 1
        return super().forward(image)


def opened(tmp_path, **grid):
    """A session on a scan whose object the network reads off the image, and that network."""
    source = stored_grid((24, 22, 20), SPACING, **grid)
    label = make_scan(source).label.array
    noise = np.random.default_rng(0).uniform(0.5, 1.5, label.shape)
    scan = make_scan(source, image=np.where(label > 0, noise, -noise).astype(np.float32))
    predictor = knowing(make_plan(SPACING), tmp_path, mirrored=False)
    network = predictor._networks.networks[0] = Counting()
    return predictor.open(scan), network


def at(session, *voxels):
    """Positions (N, 3), RAS+ mm, of voxels along RAS+."""
    return session.scan.image.grid.voxel_to_world(np.array(voxels))


@every_grid
def test_clicks_are_heeded_and_a_batch_gives_the_same_voxels(tmp_path, grid):
    session, network = opened(tmp_path, **grid)
    first = session.segment()
    asked = network.asked
    inside, outside = (12, 11, 10), (12, 11, 17)
    assert first.label[inside] and not first.label[outside]
    result = session.correct(positive=at(session, outside), negative=at(session, inside)[0])
    assert result.label[outside] == 1 and result.label[inside] == 0
    later = session.correct(positive=at(session, (12, 16, 10)))
    assert later.label[outside] == 1 and later.label[inside] == 0 and later.label[12, 16, 10] == 1
    assert network.asked == asked  # this network knows nothing of clicks
    (prompt,) = session.prompts
    assert [each.positive for each in prompt.corrections] == [True, False, True]
    again = session.predictor.segment(session.scan, session.prompts)
    np.testing.assert_array_equal(again.instance_map, later.instance_map)
    assert again.objects[0].as_json() == later.objects[0].as_json()


def test_undo_goes_back_one_call_at_a_time(tmp_path):
    session, _ = opened(tmp_path)
    results = [session.segment()]
    for voxel in ((12, 11, 17), (12, 4, 10)):
        results.append(session.correct(positive=at(session, voxel)))
    assert len({result.label.sum() for result in results}) == 3
    for expected in reversed(results[:-1]):
        np.testing.assert_array_equal(session.undo().label, expected.label)
    assert session.prompts[0].corrections == ()
    with pytest.raises(RequestError, match="no correction to undo"):
        session.undo()


def test_segmenting_again_forgets_the_corrections(tmp_path):
    session, _ = opened(tmp_path)
    first = session.segment()
    session.correct(negative=at(session, (12, 11, 10)))
    np.testing.assert_array_equal(session.segment().label, first.label)
    assert session.prompts[0].corrections == ()


def test_a_click_outside_of_the_cut_cuts_anew_around_all_points(tmp_path):
    session, network = opened(tmp_path)
    session.segment()
    asked = network.asked
    far = (1, 1, 1)
    (sample,) = session.predictor.prepare(session.scan).samples
    assert not sample.grid.contains(at(session, far))[0]
    result = session.correct(positive=at(session, far))
    assert network.asked > asked and result.label[far] == 1
    assert any("a: a positive correction lies outside of what was cut" in n for n in result.notes)
    asked = network.asked
    (sample,) = session._steps[-1].prepared.samples
    assert sample.grid.contains(at(session, far))[0] and len(sample.prompt.points) == 6
    session.correct(negative=at(session, (23, 21, 19)))  # of which nothing is known anyway
    assert network.asked == asked
    last = session.correct(positive=at(session, (0, 20, 1)))
    again = session.predictor.segment(session.scan, session.prompts)
    np.testing.assert_array_equal(again.label, last.label)


def two_objects(session):
    """Prompts of the object and, as another one, of a corner that the network does not see."""
    (prompt,) = session.scan.prompts
    corner = at(session, (1, 3, 3), (5, 3, 3), (3, 1, 3), (3, 5, 3), (3, 3, 1), (3, 3, 5))
    return [prompt, Prompt(1, corner, "a")]


def test_a_click_is_of_one_object(tmp_path):
    session, _ = opened(tmp_path)
    first = session.segment(two_objects(session))
    result = session.correct(positive=at(session, (3, 3, 3)), instance=2)
    assert result.instance_map[3, 3, 3] == 2
    np.testing.assert_array_equal(result.instance_map == 1, first.instance_map == 1)
    assert [len(prompt.corrections) for prompt in session.prompts] == [0, 1]
    for instance in (0, 3):
        with pytest.raises(RequestError, match=rf"instance.*{instance}.*1 to 2"):
            session.correct(positive=at(session, (3, 3, 3)), instance=instance)


def test_an_expected_dice_is_not_given_to_a_corrected_object(tmp_path):
    session, _ = opened(tmp_path)
    session.segment()
    assert session.correct(negative=at(session, (12, 11, 10))).objects[0].expected_dice is None


@every_grid
@pytest.mark.parametrize("kind", ["file", "nibabel", "SimpleITK", "Volume"])
def test_a_mask_from_elsewhere_is_corrected(tmp_path, grid, kind):
    session, network = opened(tmp_path, **grid)
    result = session.segment()
    rough = np.roll(result.label, 2, 2).astype(np.uint8)
    given = replace(result, label=rough)
    mask = {
        "file": lambda: given.save(tmp_path / "mask.nii.gz"),
        "nibabel": given.to_nibabel,
        "SimpleITK": given.to_sitk,
        "Volume": lambda: Volume.from_stored(
            result.source.from_ras(rough), result.source
        ),
    }[kind]()  # fmt: skip
    asked = network.asked
    begun = session.edit(mask)
    np.testing.assert_array_equal(begun.label, rough)  # without a click, what was given
    assert begun.objects[0].points_inside == 6 == len(session.prompts[0].points)
    missing = np.argwhere((result.label > 0) & (rough == 0))
    missed = tuple(missing[np.linalg.norm(missing - missing.mean(0), axis=1).argmin()].tolist())
    corrected = session.correct(positive=at(session, missed))
    assert corrected.label[missed] == 1 and (corrected.label >= rough).all()
    far = np.linalg.norm((np.argwhere(corrected.label != rough) - missed) * SPACING, axis=1)
    assert len(far) and far.max() < 12
    np.testing.assert_array_equal(session.undo().label, rough)
    assert network.asked == asked


def test_what_cannot_be_corrected_is_said(tmp_path):
    session, _ = opened(tmp_path)
    for wrong in (lambda: session.correct(positive=[[0, 0, 0]]), session.undo):
        with pytest.raises(RequestError, match="nothing is segmented yet"):
            wrong()
    first = session.segment()
    with pytest.raises(RequestError, match="expected a click"):
        session.correct()
    with pytest.raises(RequestError, match="expected a click"):
        session.correct(positive=[], negative=np.empty((0, 3)))
    for wrong in ([[1, 2]], [1, 2], "here", [[np.nan, 0, 0]]):
        with pytest.raises(RequestError, match=r"negative.*positions"):
            session.correct(negative=wrong)
    with pytest.raises(DataError, match=r"case: .*outside the image"):
        session.correct(positive=[[1e4, 0, 0]])
    empty = replace(first, label=np.zeros_like(first.label))
    with pytest.raises(DataError, match="is empty"):
        session.edit(empty.to_nibabel())
    with pytest.raises(DataError, match=r"label 2.*1=a"):
        session.edit(replace(first, label=2 * first.label).to_nibabel())
    other = make_scan(stored_grid((9, 9, 9), (2.0, 1.2, 1.5))).label
    with pytest.raises(DataError, match="mask"):
        session.edit(other)
    # what failed has changed nothing
    np.testing.assert_array_equal(
        session.correct(positive=at(session, (12, 11, 10))).label, first.label
    )


class Heeding(torch.nn.Module):
    """Reads the object off the image, the clicks and what it found before; keeps what it saw."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, image):
        self.seen.append(image.clone())
        positive, negative, before = (image[:, [channel]] for channel in (-3, -2, -1))
        value = image[:, :1] + 3 * positive - 3 * negative + 0.3 * before
        return torch.cat([-value, value], 1)


@pytest.mark.parametrize("kind", ["spacing", "object"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_network_that_sees_clicks_is_asked_once_for_each(tmp_path, kind, mirrored):
    source = stored_grid((24, 22, 20), SPACING, **GRIDS["oblique"])
    scan = make_scan(source)
    image = np.where(scan.label.array > 0, 1.0, -1.0) + 0.3 * scan.image.array
    scan = make_scan(source, image=image.astype(np.float32))
    changes = {"sample_shape": (24, 24, 24), "corrections": True}
    if kind == "object":
        grid = {"grid": ObjectGrid(mirrored=True), "normalisation": (Normalisation("zscore"),)}
        changes |= grid
    predictor = knowing(make_plan(SPACING, **changes), tmp_path, mirrored=mirrored)
    network = Heeding()
    predictor._networks.networks = [network]
    session = predictor.open(scan)
    session.segment()
    copies = 8 if mirrored else 1
    assert sum(map(len, network.seen)) == copies
    assert not any(image[:, -3:].any() for image in network.seen)
    first, second = (12, 11, 16), (12, 9, 10)
    session.correct(positive=at(session, first))
    before = session._answers.find(session.prompts[0]).answer
    network.seen.clear()
    result = session.correct(negative=at(session, second))
    assert sum(map(len, network.seen)) == copies  # one pass for one click
    assert result.label[first] == 1 and result.label[second] == 0

    # what the network saw is what training shows it
    (sample,) = session._steps[-1].prepared.samples
    shown = network.seen[0][0]
    padded, inside = predictor._rules.pad(sample.array)
    expected = torch.from_numpy(padded.copy())
    start = np.array([side.start for side in inside[1:]])
    clicks = [
        torch.tensor(sample.grid.world_to_voxel(at(session, voxel)) + start)
        for voxel in (first, second)
    ]
    found = torch.zeros(padded.shape[1:])
    found[inside] = torch.from_numpy(before.probability[0])
    put_clicks(expected, predictor.plan, *clicks, found)
    torch.testing.assert_close(shown, expected)
    nearest = np.unravel_index(int(shown[-3].argmax()), shown.shape[1:])
    assert np.abs(nearest - clicks[0].numpy()[0]).max() <= 0.5 + 1e-6

    again = predictor.segment(scan, session.prompts)  # all at once, as a batch does
    np.testing.assert_array_equal(again.label, result.label)
    session.undo()
    np.testing.assert_array_equal(session.correct(negative=at(session, second)).label, result.label)


def test_each_network_sees_what_it_found_itself(tmp_path):
    source = stored_grid((24, 22, 20), SPACING)
    plan = make_plan(SPACING, sample_shape=(24, 24, 24), corrections=True)
    predictor = knowing(plan, tmp_path, mirrored=False)
    networks = [Heeding(), Heeding()]
    predictor._networks.networks = networks
    image = make_scan(source).label.array * 2.0 - 1
    session = predictor.open(make_scan(source, image=image.astype(np.float32)))
    networks[1].register_forward_hook(lambda module, inputs, output: output.flip(1))
    session.segment()
    session.correct(positive=at(session, (12, 11, 16)))
    (sample,) = session._steps[-1].prepared.samples
    inside = predictor._rules.pad(sample.array)[1][1:]
    own, other = (network.seen[-1][0, -1][inside] for network in networks)
    torch.testing.assert_close(own, 1 - other)  # the second one says the contrary
    assert own.min() < 0.2 and own.max() > 0.8


def test_what_is_doubtful_about_a_click_is_told_as_infer_tells_it(tmp_path):
    session, _ = opened(tmp_path)
    first = session.segment()
    point = session.prompts[0].points[0]
    session.correct(negative=point)
    result = session.correct(negative=point)
    doubts = [note for note in result.notes if note not in first.notes]
    assert len(doubts) == 2
    assert "correction -1 and correction -2 lie in one voxel" in doubts[0]
    assert "correction -1, which is negative, lies in one voxel with point 1" in doubts[1]
    again = session.predictor.segment(session.scan, session.prompts)
    assert again.notes == result.notes
    assert doubts[0] not in session.undo().notes
    session.edit(first.to_nibabel())
    point = session.prompts[0].points[0]
    assert "which of the two is meant" in session.correct(negative=point).notes[0]
