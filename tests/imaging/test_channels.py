"""The images of a case, where they are series of one folder, or lie on grids of their own."""

import numpy as np
import pytest

from interactivenet.datasets.task import Case
from interactivenet.errors import DataError
from interactivenet.imaging.channels import channel_names, read_channels, read_grid
from interactivenet.imaging.grid_resampling import onto_grid
from interactivenet.imaging.image_files import files_of
from interactivenet.imaging.io import ReadOptions, read_image
from interactivenet.inference.case_keys import input_hashes
from interactivenet.inference.sources import sources_of
from tests.datasets.dicom_tree.written_trees import write_scan


@pytest.fixture
def flat(tmp_path):
    """Two series of one study whose files lie side by side."""
    folder = tmp_path / "all"
    ct = write_scan(folder, series=1, name="CT{}.dcm")
    mr = write_scan(folder, series=2, name="MR{}.dcm", modality="MR", spacing=(3.0, 2.5),
                    shape=(4, 5, 6))  # fmt: skip
    return folder, ct, mr


def test_series_of_one_folder_on_one_grid(flat):
    folder, ct, mr = flat
    paths = (folder, folder)
    with pytest.raises(DataError, match="grid differs"):
        read_channels(paths, ReadOptions(channel_series=(ct, mr)))
    for reference, own in enumerate((ct, mr)):
        options = ReadOptions(channel_series=(ct, mr), resample_to=reference)
        image = read_channels(paths, options)
        target = read_image(folder, ReadOptions(series=own))
        other = read_image(folder, ReadOptions(series=(mr, ct)[reference]))
        assert image.source.difference_mm(target.source) == 0
        assert read_grid(paths, options).difference_mm(target.source) == 0
        np.testing.assert_array_equal(image.array[reference], target.array[0])
        moved = onto_grid(other, target.source)
        np.testing.assert_array_equal(image.array[1 - reference], moved.array[0])
        assert [tags["SeriesInstanceUID"] for tags in image.tags] == [ct, mr]
        (note,) = image.notes
        called = ("MR, series 2", "CT, series 1")[reference]
        assert note == f"{called}: {moved.notes[0]}"
        assert channel_names(paths, options) == (f"all, series {ct}", f"all, series {mr}")


def test_hashes_are_of_the_files_of_the_series_alone(flat):
    folder, ct, mr = flat
    case = Case("a", (folder, folder), reading=ReadOptions(channel_series=(ct, mr)))
    hashes = input_hashes(case)
    assert set(hashes) == {
        *(f"image 0/CT{n}.dcm" for n in range(6)), *(f"image 1/MR{n}.dcm" for n in range(4)),
    }  # fmt: skip
    assert set(files_of(folder, mr)) == {f"MR{n}.dcm" for n in range(4)}
    write_scan(folder, series=3, name="more{}.dcm")  # another series is none of its business
    assert input_hashes(case) == hashes
    write_scan(folder, series=1, seed=9, name="CT{}.dcm")  # which must not be remembered as it was
    assert input_hashes(case) != hashes
    (folder / "CT3.dcm").unlink()
    with pytest.raises(DataError, match=r"all: has 5 DICOM slices .* 1 missing"):
        input_hashes(case)


def test_records_say_whose_grid_it_is(flat):
    folder, ct, mr = flat
    tags = [{"SeriesInstanceUID": ct}, {"SeriesInstanceUID": mr}]
    case = Case("a", (folder, folder), reading=ReadOptions(channel_series=(ct, mr), resample_to=1))
    assert sources_of(case, tags)["reference"] == 1
    assert case.reading.as_json() == {"channel_series": [ct, mr], "resample_to": 1}
    first = Case("a", (folder, folder), reading=ReadOptions(channel_series=(ct, mr), resample_to=0))
    assert "reference" not in sources_of(first, tags)
    assert first.reading.as_json()["resample_to"] == 0
    assert ReadOptions().as_json() == {}
