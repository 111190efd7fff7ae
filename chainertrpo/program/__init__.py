"""The program `chainertrpo`: a command in each file, called as ``main(argv)``.

The scripts in ``examples/`` call the same functions.
"""

from chainertrpo.program.commands import COMMANDS, main

__all__ = ["COMMANDS", "main"]
