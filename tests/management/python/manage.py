"""Calls methods of the `ManagementClient` of PyPI `authing`.

The standard input is JSON: `host`, `key`, `secret`, and `calls`, each a method's name with its arguments. Prints a JSON list
of the answers.
"""

import json
import sys

from authing import ManagementClient

asked = json.load(sys.stdin)
client = ManagementClient(
    access_key_id=asked["key"], access_key_secret=asked["secret"], host=asked["host"], lang="en-US"
)
json.dump([getattr(client, name)(**arguments) for name, arguments in asked["calls"]], sys.stdout)
