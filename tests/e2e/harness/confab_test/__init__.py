"""What the end-to-end tests are written with: programs under test, certificates made on the spot,
and a second implementation of the wire, independent of the product's own.

Python's standard library only. A test file is a set of functions named area__verb__scenario and
ends with `if __name__ == "__main__": main(globals())`; CMake makes a ctest entry of each.
"""

from .certs import Authority, product_certs
from .pattern import Mismatch, match
from .programs import (Failure, Program, Server, forget_port, programs, run, temp_dir,
                       wait_until)
from .runner import main, skip
from .wire import Client, Ended

__all__ = [
    "Authority", "Client", "Ended", "Failure", "Mismatch", "Program", "Server", "main", "match",
    "forget_port", "product_certs", "programs", "run", "skip", "temp_dir", "wait_until",
]
