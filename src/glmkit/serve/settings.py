"""The settings of a server: where it listens, whom it answers, how much it takes."""

from dataclasses import dataclass, field
from pathlib import Path

from glmkit.core.errors import UserError
from glmkit.serve.keys import Keys

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of a server. `host` other than loopback needs keys, or `insecure`. Times are in seconds, bodies in
    bytes.

    `allowed_hosts` and `allowed_origins` are answered beside the server's own names; `queue_timeout` bounds how long a
    request waits for its turn, `request_timeout` how long it is written; `receive_timeout` how long a request takes to
    come in, `stall_timeout` how long a reader may leave a stream unread. Raises UserError for an open server.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: Keys = field(default_factory=lambda: Keys({}))
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body: int = 4 << 20
    max_waiting: int = 256
    max_per_key: int = 128
    max_running: int = 256
    queue_timeout: float = 120.0
    request_timeout: float = 3600.0
    receive_timeout: float = 60.0
    stall_timeout: float = 60.0
    keep_alive: int = 75
    drain_timeout: float = 30.0
    ping_interval: float = 15.0
    log_prompts: bool = False
    compat: tuple[str, ...] = ()
    page: bool = True
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_keyfile_password: str | None = None

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and not self.keys.owners and not self.insecure:
            raise UserError(
                f"the address {self.host} can be reached from other machines, and there are no API keys: give "
                "--api-key-file FILE, or --insecure if everybody who reaches it may ask"
            )
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            raise UserError("TLS needs a certificate and its key: give --ssl-certfile and --ssl-keyfile")
        if "*" in self.allowed_origins and not self.keys.owners:
            raise UserError(
                "--allowed-origin '*' lets every page of the web ask this server: name origins, or give --api-key-file"
            )

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which this server is asked, without ports."""
        return frozenset(name.lower() for name in (*LOOPBACK, self.host, *self.allowed_hosts))

    @property
    def scheme(self) -> str:
        return "http" if self.ssl_certfile is None else "https"
