"""A SEG and an RTSTRUCT of the same outlines: both say the same, or both refuse alike."""

import pytest

from interactivenet.errors import DataError
from interactivenet.imaging.structures.writing.rtstruct_writing import write_rtstruct
from interactivenet.imaging.structures.writing.seg_writing import write_seg
from tests.imaging.structures.writing.plain_readers import check_places, read_rtstruct, read_seg


def both(folder, structures, series):
    """Write both kinds of file, check that each structure is where it was; return the notes."""
    seg, rtstruct = folder / "seg.dcm", folder / "rt.dcm"
    notes = write_seg(seg, structures, series).notes
    assert write_rtstruct(rtstruct, structures, series).notes == notes
    for found in (read_seg(seg), read_rtstruct(rtstruct, {s.file.path for s in series.slices})):
        for one in structures.structures:
            if one.name in found:
                check_places(found[one.name], structures, one.number)
        assert set(found) == {
            one.name for one in structures.structures if (structures.map == one.number).any()
        }
    return notes


def refused(folder, structures, series):
    """Both kinds of file are refused alike, and none is written."""
    messages = []
    for write in (write_seg, write_rtstruct):
        with pytest.raises(DataError) as error:
            write(folder / "a.dcm", structures, series)
        messages.append(str(error.value))
        assert not (folder / "a.dcm").exists()
    assert messages[0] == messages[1] and "\n" not in messages[0]
    return messages[0]
