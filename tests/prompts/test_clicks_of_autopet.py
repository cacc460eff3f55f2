"""Points on the background, and clicks as autoPET has them: voxel indices, in two forms."""

import json

import numpy as np
import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.geometry import Geometry
from interactivenet.prompts.io import read_prompts, write_prompts
from interactivenet.prompts.prompt import LabelNames, Prompt
from tests.prompts.prompt_files import (
    LABELS,
    TEXT,
    assert_same,
    click_files,
    oblique_grid,
    of_background,
    some_prompts,
)


@pytest.mark.parametrize("suffix", TEXT)
def test_background_points_go_round(tmp_path, suffix):
    rng = np.random.default_rng(1)
    background = rng.normal(size=(3, 3))
    prompts = [
        Prompt(p.label, p.points, p.name, corrections=of_background(background))
        for p in some_prompts(oblique_grid(), labels=(1, 2, 1))
    ]
    assert write_prompts(tmp_path / f"case{suffix}", prompts) == []
    back = read_prompts(tmp_path / f"case{suffix}", LABELS)
    assert_same(prompts, back)
    for prompt in back:
        np.testing.assert_allclose(prompt.negative, background, rtol=0, atol=0)
    assert not back[0].notes


def test_background_points_go_round_as_voxels(tmp_path):
    grid = oblique_grid()
    voxels = np.array([[3, 4, 5], [6, 7, 8]])
    prompt = Prompt(
        1, grid.voxel_to_world(voxels), "tumour",
        corrections=of_background(grid.voxel_to_world(voxels + 1)),
    )  # fmt: skip
    write_prompts(tmp_path / "case.json", [prompt], image=grid, voxels=True)
    image = (tmp_path / "image.nii.gz", grid)
    (back,) = read_prompts(tmp_path / "case.json", LABELS, image=image, voxels=True)
    np.testing.assert_allclose(grid.world_to_voxel(back.negative), voxels + 1, atol=1e-9)


def test_clicks_of_autopet_are_voxel_indices(tmp_path):
    grid = oblique_grid()
    image = (tmp_path / "image.nii.gz", grid)
    tumour, background = [[3, 20, 7], [4, 5, 6]], [[1, 2, 3]]
    for path in click_files(tmp_path, tumour, background):
        (prompt,) = read_prompts(path, LabelNames({5: "tumour"}), image=image, voxels=True)
        assert prompt.label == 5 and not prompt.notes
        np.testing.assert_allclose(prompt.points, grid.voxel_to_world(tumour))
        np.testing.assert_allclose(prompt.negative, grid.voxel_to_world(background))


def test_clicks_of_autopet_are_not_silently_taken_for_millimetres(tmp_path):
    sent, kept = click_files(tmp_path, [[3, 20, 7]], [[1, 2, 3]])
    with pytest.raises(DataError, match=r"clicks as autoPET has them, in voxel indices.*`voxels="):
        read_prompts(kept, LabelNames({1: "tumour"}))
    (prompt,) = read_prompts(sent, LabelNames({1: "tumour"}))
    assert "all points are whole numbers" in prompt.notes[0] and "as LPS mm" in prompt.notes[0]
    write_prompts(tmp_path / "own.json", [prompt])
    assert not read_prompts(tmp_path / "own.json", LABELS)[0].notes
    for content, message in (
        ({"tumor": [[1, 2]]}, "three numbers"),
        ({"tumor": []}, "no points"),
        ({"background": [[1, 2, 3]]}, "1 background points, but none"),
    ):
        kept.write_text(json.dumps(content))
        with pytest.raises(DataError, match=message):
            read_prompts(kept, image=(kept, oblique_grid()), voxels=True)


def test_the_shared_clicks_are_the_same_in_both_forms(shared_cases):
    folder = shared_cases("b12_other_refused")
    image = (folder, Geometry((300, 300, 500), np.diag([-2.0, 2, 3, 1])))
    one, other = (
        read_prompts(folder / name, LabelNames({1: "tumour"}), image=image, voxels=True)[0]
        for name in ("lesion-clicks.json", "autopet_training_clicks.json")
    )
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.negative, other.negative)
    assert one.points[0].tolist() == [-218, 206, 1059] and len(one.negative) == 10
