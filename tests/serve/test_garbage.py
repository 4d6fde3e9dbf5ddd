"""When a replica's garbage is collected: in a process of its own, as it is a setting of the whole process."""

import subprocess
import sys

CODE = """
import gc, weakref
from distml.serve.garbage import Garbage

class Ring:
    def __init__(self):
        self.itself = self

stays = [[n] for n in range(100_000)]
garbage = Garbage()
assert gc.get_freeze_count() > len(stays), "what was there is not looked at again"
ring = weakref.ref(Ring())
many = [[n] for n in range(100_000)]
assert ring() is not None, "nothing is collected by itself"
garbage.collect()
assert ring() is None
old = Ring()
for _ in range(3):
    garbage.collect()
ring = weakref.ref(old)
del old
for _ in range(60):
    garbage.collect()
assert ring() is None, "what has grown old is collected in the end"
"""


def test_garbage_is_collected_when_it_is_asked_for_and_only_then():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
