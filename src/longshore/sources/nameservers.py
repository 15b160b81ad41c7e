"""Host names asked of nameservers that the operator named, where the system's resolver is not to be asked."""

from __future__ import annotations

from longshore.clients.dns import DnsClient, DnsError
from longshore.clients.dns_exchange import Nameserver
from longshore.config.fields import split_address
from longshore.sources.names import Ask


def asking() -> Ask:
    """Make what asks; it goes on with the nameserver that answered last."""
    clients: dict[str, DnsClient] = {}

    async def ask(host: str, servers: str) -> tuple[str, ...]:
        client = clients.get(servers)
        if client is None:
            client = DnsClient(tuple(Nameserver(*split_address(each)) for each in servers.split(",")))
            clients[servers] = client
        try:
            answer = await client.addresses(host)
        except DnsError as error:
            raise OSError(error.what) from error
        if answer.addresses:
            return answer.addresses
        what = "does not exist (NXDOMAIN)" if answer.state == "missing" else "has no address"
        raise OSError(f"it {what}, says {answer.server}")

    return ask
