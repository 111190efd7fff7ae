"""Imitate demonstrations by GAIL: `chainertrpo gail`."""

from chainertrpo.program.gail import main

if __name__ == "__main__":
    main()
