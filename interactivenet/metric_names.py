"""How the values of an object are called and written, wherever they are shown.

The names are the keys of every table and file; titles, units and digits are for readers.
"""

from __future__ import annotations

from dataclasses import dataclass

#: surfaces that lie this near to each other agree, mm: of the normalised surface Dice (``nsd``)
TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class MetricInfo:
    """How a value of an object is shown.

    title: heads a column.  unit: '' for none: a share from 0 to 1.  digits: decimals.
    description: what it is, in words, for those who do not know the title.
    """

    name: str
    title: str
    unit: str
    digits: int
    description: str = ""

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def described(self) -> str:
        """Description and unit; the heading where there is no description."""
        if not self.description:
            return self.heading
        return f"{self.description} ({self.unit})" if self.unit else self.description

    def text(self, value: float | None, missing: str = "-") -> str:
        """Write a value with its digits; ``missing`` for None."""
        if value is None:
            return missing
        return f"{round(value, self.digits) + 0.0:.{self.digits}f}"  # + 0.0: no -0.00


#: what is measured of an object, in the order of every table
METRICS = (
    MetricInfo("dice", "Dice", "", 3),
    MetricInfo("nsd", "NSD", "", 3, "Normalised surface Dice"),
    MetricInfo("hd95", "HD95", "mm", 2, "95th percentile of the surface distance"),
    MetricInfo("hd", "HD", "mm", 2, "Hausdorff distance"),
    MetricInfo("assd", "ASSD", "mm", 2, "Average symmetric surface distance"),
    MetricInfo("volume_prediction_ml", "Predicted volume", "ml", 2),
    MetricInfo("volume_label_ml", "Label volume", "ml", 2),
    MetricInfo("volume_difference_ml", "Volume difference", "ml", 2),
    MetricInfo("diameter_axial_prediction_mm", "Predicted axial diameter", "mm", 1),
    MetricInfo("diameter_axial_label_mm", "Label axial diameter", "mm", 1),
    MetricInfo("diameter_3d_prediction_mm", "Predicted 3D diameter", "mm", 1),
    MetricInfo("diameter_3d_label_mm", "Label 3D diameter", "mm", 1),
)
#: what is noted of an object when it is segmented, without its label
EXPECTATIONS = (
    MetricInfo("agreement", "Agreement", "", 3),
    MetricInfo("expected_dice", "Expected Dice", "", 3),
)
#: by name
METRIC = {metric.name: metric for metric in (*METRICS, *EXPECTATIONS)}
