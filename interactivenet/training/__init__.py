"""Training: draws of samples, their augmentation, the Lightning module, the run of a fold."""

from interactivenet.system.native_output import quiet_matplotlib
from interactivenet.system.user import name_user

name_user()  # MONAI asks for the user's name when it is imported
quiet_matplotlib()  # which Lightning brings along
