"""From a network's output to objects: components, merging, stored probabilities, calibration."""
