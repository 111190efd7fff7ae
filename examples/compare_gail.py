"""Imitation studies: `chainertrpo imitate`."""

from chainertrpo.program.imitate import main

if __name__ == "__main__":
    main()
