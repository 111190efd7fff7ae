"""A program that measures when it is asked."""

import json
import sys


def serve(measure):
    """Answer requests, lines of JSON, until there are no more.

    Parameters
    ----------
    measure : callable
        Keyword arguments of a request -> dict.
    """
    print("{}", flush=True)  # ready
    for line in sys.stdin:
        print(json.dumps(measure(**json.loads(line))), flush=True)
