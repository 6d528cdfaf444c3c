"""Runs the command line from a checkout: `python cli.py build specs/googlenet.yaml --summary`."""

from archdsl.__main__ import main

if __name__ == "__main__":
    main()
