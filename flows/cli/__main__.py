"""`python -m flows.cli` is `clapboard`."""

from flows.cli import main

if __name__ == "__main__":
    main()
