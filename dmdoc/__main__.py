"""`python -m dmdoc` is `dmdoc`."""

from dmdoc.cli import main

if __name__ == "__main__":
    main()
