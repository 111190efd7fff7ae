"""Train TRPO, or another algorithm of the family: `chainertrpo train`."""

from chainertrpo.program.train import main

if __name__ == "__main__":
    main()
