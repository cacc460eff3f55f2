"""What this installation, machine or container can do, and what will fail on it.

What reads a fact and what judges it are apart, so that any machine can be judged in a test.
"""

from interactivenet.doctor.checks import Check
from interactivenet.doctor.examination import examine

__all__ = ["Check", "examine"]
