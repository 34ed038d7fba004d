"""Prints the SDL; after a change, run `python -m schema > schema/schema.graphql`."""

import sys

from schema import sdl

sys.stdout.write(sdl())
