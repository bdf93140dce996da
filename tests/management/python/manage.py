"""Calls methods of the `ManagementClient` of PyPI `authing`.

The first line of the standard input is JSON: `host`, `key` and `secret`. It is answered with the client's methods, each
with the names of the arguments that it needs. Every further line is a method's name with its arguments, and is answered with
the paths that the method asked for, and its `answer` or `error`.
"""

import inspect
import json
import sys

from authing import ManagementClient


def tell(value):
    print(json.dumps(value), flush=True)


def needed(method):
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


asked = json.loads(sys.stdin.readline())
client = ManagementClient(
    access_key_id=asked["key"], access_key_secret=asked["secret"], host=asked["host"], lang="en-US"
)
methods = inspect.getmembers(ManagementClient, inspect.isfunction)
tell({name: needed(method) for name, method in methods if not name.startswith("_")})

paths = []
request = client.http_client.request


def noting(method, url, **more):
    paths.append(url)
    return request(method=method, url=url, **more)


client.http_client.request = noting
for line in sys.stdin:
    name, arguments = json.loads(line)
    paths.clear()
    try:
        tell({"paths": paths, "answer": getattr(client, name)(**arguments)})
    except Exception as error:
        tell({"paths": paths, "error": repr(error)})
