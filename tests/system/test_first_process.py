import os
import signal
import subprocess
import sys
import time

import pytest

from interactivenet.first_process import supervise

SUPERVISED = (
    "import sys; from interactivenet.first_process import supervise;"
    " sys.exit(supervise(sys.argv[1:]))"
)
#: says that it is ready, and what it gets, and ends when it got SIGTERM
TALKER = """
import signal, sys, time
def heard(number, _):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(7)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
    signal.signal(number, heard)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("status", [0, 1, 2, 143])
def test_the_exit_status_is_the_programs(status):
    assert supervise([sys.executable, "-c", f"raise SystemExit({status})"]) == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL])
def test_the_end_by_a_signal_is_128_and_more(number, capfd):
    program = f"import os; os.kill(os.getpid(), {int(number)})"
    assert supervise([sys.executable, "-c", program]) == 128 + number
    said = capfd.readouterr().err
    assert ("want of memory" in said) == (number == signal.SIGKILL)


def test_signals_are_handed_on():
    words = [sys.executable, "-c", SUPERVISED, sys.executable, "-c", TALKER]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as first:
        assert first.stdout.readline() == "ready\n"
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
            first.send_signal(number)
            assert first.stdout.readline().strip() == number.name
        assert first.wait(timeout=30) == 7


def test_a_signal_before_the_program_is_there_is_not_lost():
    """The first process gets it while it starts its child."""
    program = "import time; time.sleep(60)"
    words = f"""
import os, signal, subprocess, sys
from interactivenet import first_process
class Slow(subprocess.Popen):
    def __init__(self, *args, **more):
        os.kill(os.getpid(), signal.SIGTERM)
        super().__init__(*args, **more)
first_process.subprocess.Popen = Slow
sys.exit(first_process.supervise([sys.executable, "-c", {program!r}]))
"""
    done = subprocess.run([sys.executable, "-c", words], timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 128 + signal.SIGTERM


@pytest.mark.skipif(not hasattr(os, "waitstatus_to_exitcode"), reason="POSIX")
def test_orphans_do_not_end_it():
    """A child of the child that ends first, or later, is waited for and changes nothing."""
    program = (
        "import subprocess, sys;"
        "subprocess.Popen([sys.executable, '-c', 'raise SystemExit(9)']).wait();"
        "raise SystemExit(5)"
    )
    start = time.monotonic()
    assert supervise([sys.executable, "-c", program]) == 5
    assert time.monotonic() - start < 60
