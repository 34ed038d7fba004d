"""The SDL follows the rules of @graphql-eslint that tests/sdl/rules.mjs turns on."""

import json
from pathlib import Path

from tests.support.node import installed, output_of

ROOT = Path(__file__).parents[2]
BAD = '''
type Query {
  """Things."""
  things(first: Int, after: String): ThingConnection!
  get_thing: Thing
}

"""A thing."""
type Thing {
  """A name."""
  name: String!
}

"""Things."""
type ThingConnection {
  """Items."""
  items: [Thing!]!
}

"""A page."""
type PageInfo {
  """Whether there is more."""
  hasNextPage: Boolean!
}
'''


async def test_sdl_breaks_no_rule_of_the_linter(tmp_path: Path) -> None:
    bad = tmp_path / "bad.graphql"
    bad.write_text(BAD)
    good = ROOT / "schema" / "schema.graphql"
    directory = await installed(ROOT / "tests" / "sdl", for_what="the SDL was not linted")
    found = json.loads(await output_of("node", "lint.mjs", str(good), str(bad), directory=directory))
    assert found[str(good)] == []
    # The linter reads the files: it finds what is wrong in this one.
    rules = {problem["rule"] for problem in found[str(bad)]}
    assert rules >= {
        "relay-arguments",
        "relay-connection-types",
        "relay-page-info",
        "require-description",
        "naming-convention",
    }
