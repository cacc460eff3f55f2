"""What this installation, machine or container can do, and what will fail on it.

Reading the facts and judging them are separate, so that any machine can be judged in a test.
"""

from interactivenet.doctor.checks import Check
from interactivenet.doctor.examination import examine

__all__ = ["Check", "examine"]
