"""Prints the SDL. After changing the schema, run `python -m schema > schema/schema.graphql`."""

import sys

from schema import sdl

sys.stdout.write(sdl())
