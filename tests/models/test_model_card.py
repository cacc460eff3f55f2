"""The card of a model says on which grid its network sees objects."""

from dataclasses import replace

from interactivenet.models.bundle import bundle_content
from interactivenet.models.model_card import render_card
from interactivenet.planning.plan import Normalisation, ObjectGrid
from tests.random_model import make_model
from tests.sample_cases import make_plan


def test_the_grid_is_one_of_a_spacing_or_the_object_s_own(tmp_path):
    plan = make_plan((1.0, 1.0, 2.5))
    card = render_card(bundle_content(make_model(tmp_path / "a", plan, folds=(0,))))
    assert "| voxels, mm (R, A, S) | 1 x 1 x 2.5 |" in card
    own = replace(plan, grid=ObjectGrid(), normalisation=(Normalisation("zscore"),))
    card = render_card(bundle_content(make_model(tmp_path / "b", own, folds=(0,))))
    assert "| voxels | 16 x 16 x 16 around each object, whatever its size |" in card
    assert "2.5" not in card
