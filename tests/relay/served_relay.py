"""A relay for the servers that `test_servers.py` starts; what it relays to is in the environment."""

import os

from streamarena.relay import Relay

app = Relay.to(os.environ["RELAY_UPSTREAM"])
