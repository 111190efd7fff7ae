"""Compare settings: `chainertrpo compare`."""

from chainertrpo.program.compare import main

if __name__ == "__main__":
    main()
