"""Debug mode: memory that was given back is overwritten, and whatever was not given back says where it was taken.

For a whole program set STREAMARENA_DEBUG=memory, and run Python with -W default to see the warnings.
"""

import warnings

from streamarena.errors import ConfigurationError, ReleasedError
from streamarena.memory import MemoryConfig, MemoryManager


def careless(manager: MemoryManager) -> None:
    manager.buffers.acquire(100)  # nobody gives it back


def main() -> None:
    manager = MemoryManager(MemoryConfig(debug=True))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        careless(manager)
    print(str(heard[0].message).splitlines()[0])
    print("named:", "careless" in str(heard[0].message), "- lost:", manager.stats().buffers.tiers[0].lost)

    buffer = manager.buffers.acquire(4096)
    memory = buffer.data
    buffer.view[:6] = b"secret"
    buffer.release()
    print("after the release:", bytes(memory[:6]))  # 0xDD: who still reads it sees it at once
    try:
        print(buffer.view)
    except ReleasedError as error:
        print(error)
    try:
        MemoryConfig.from_environ({"STREAMARENA_DEBUG": "1"})
    except ConfigurationError as error:
        print(error)


if __name__ == "__main__":
    main()
