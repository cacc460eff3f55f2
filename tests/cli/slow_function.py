"""What a worker process does while a signal comes."""

import time


def slow(number):
    time.sleep(0.3)
    return number
