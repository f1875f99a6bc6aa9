"""TLS of our own, with a certificate authority that only this process trusts."""

import asyncio

from streamarena import StreamClient
from streamarena.errors import ConnectionFailedError
from streamarena.testing import FakeLLM, LocalCertificates


async def main() -> None:
    certificates = LocalCertificates("localhost", "127.0.0.1")
    async with FakeLLM(ssl_context=certificates.server_context(), tokens=8) as llm:
        trusting = StreamClient(f"{llm.url}/v1", ssl_context=certificates.client_context())
        async with trusting as client, client.stream(model="m", messages=[]) as stream:
            print((await stream.result()).text)
        try:  # with the system's trust store the certificate is refused, before a byte of the request is sent
            async with StreamClient(f"{llm.url}/v1") as client, client.stream(model="m", messages=[]):
                pass
        except ConnectionFailedError as error:
            print(error.reason)


if __name__ == "__main__":
    asyncio.run(main())
