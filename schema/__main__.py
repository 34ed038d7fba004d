"""`python -m schema` prints the SDL: `python -m schema > schema/schema.graphql` after a change."""

import sys

from schema import sdl

sys.stdout.write(sdl())
