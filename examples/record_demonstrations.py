"""Record demonstrations, and look after the files: `chainertrpo record`."""

from chainertrpo.program.record import main

if __name__ == "__main__":
    main()
