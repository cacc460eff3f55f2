"""What libraries print by themselves is kept from the user; what Python prints is not."""

import logging
import os
import subprocess
import sys
import threading

from interactivenet.system.native_output import silent_libraries


def test_only_what_libraries_write_is_kept(caplog):
    code = (
        "import os, sys; from interactivenet.system.native_output import silent_libraries as s\n"
        "os.write(2, b'[before]')\n"
        "with s():\n"
        "    kept = sys.stderr; os.write(2, b'[noise]'); print('[python]', file=sys.stderr)\n"
        "    with s(): os.write(2, b'[inner]')\n"
        "    os.write(2, b'[more]')\n"
        "print('[kept]', file=kept); os.write(2, b'[after]'); assert kept is not sys.stderr"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[before][python]\n[kept]\n[after]"


def test_it_is_logged(caplog):
    with caplog.at_level(logging.DEBUG), silent_libraries():
        os.write(2, b"noise of a library\n")
    assert caplog.messages == ["noise of a library"]


def test_threads_share_it(capfd):
    def read():
        for _ in range(50):
            with silent_libraries():
                os.write(2, b"noise")

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_without_a_standard_error():
    code = (
        "import os; from interactivenet.system.native_output import silent_libraries as s\n"
        "os.close(2)\n"
        "with s(): print('read')"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "read\n")
