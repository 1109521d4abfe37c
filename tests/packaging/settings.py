"""What the command line of run.py said."""

import pathlib


class Settings:
    source = pathlib.Path(__file__).resolve().parents[2]
    build = None  # where the programs are
    cmake = "cmake"
