"""``python -m chainertrpo``: the program of the same name."""

from chainertrpo.program import main

if __name__ == "__main__":
    main()
