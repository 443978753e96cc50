"""One thread per process: the tests' models are tiny, and the processes of a test share two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
