"""What structures are, in codes that archives and planning systems know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A coded concept, as DICOM writes it (PS3.16): 10200004, SCT, Liver."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class StructureCodes:
    """What one label is.

    Attributes:
        category: Segmented property category, such as Anatomical Structure.
        type: Segmented property type, such as Liver, or Neoplasm.
        type_modifier: Its side, or else; None for none.
        region: Where in the body it is; None where nobody says.
        roi_type: RT ROI Interpreted Type: 'GTV', 'CTV', 'PTV', 'ORGAN', 'AVOIDANCE' ...
        colour: Recommended display colour, sRGB 0 to 255.
        is_default: Whether nobody chose it: the label's name says nothing that is known here.
    """

    category: Code
    type: Code
    type_modifier: Code | None = None
    region: Code | None = None
    roi_type: str = "ORGAN"
    colour: tuple[int, int, int] = (255, 0, 0)
    is_default: bool = False
