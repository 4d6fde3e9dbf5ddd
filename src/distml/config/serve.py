"""The section `serve`: the HTTP endpoint."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Literal

from pydantic import Field, field_validator, model_validator

from distml.config.auth import AuthConfig
from distml.config.autoscaling import AutoscalingConfig
from distml.config.base import Section
from distml.config.cors import CorsConfig
from distml.config.rollout import RolloutConfig
from distml.config.tls import TlsConfig


class ServeConfig(Section):
    """The HTTP endpoint."""

    route: str | None = Field(None, description="null: the run config's name", pattern=r"^/[A-Za-z0-9_./-]*$")
    host: str = Field("127.0.0.1", description="the address to listen on; one that others reach needs auth and tls")
    port: int = Field(8000, ge=1024, le=65535)
    autoscaling: AutoscalingConfig = AutoscalingConfig()
    rollout: RolloutConfig = RolloutConfig()
    auth: AuthConfig | None = Field(None, description="null: everyone on this machine may ask")
    tls: Literal["proxy"] | TlsConfig | None = Field(None, description="proxy: a TLS proxy of yours stands before it")
    cors: CorsConfig | None = Field(None, description="null: no web page may read the answers")
    num_cpus: float = Field(0.25, gt=0, description="CPUs that a replica reserves")
    num_gpus: float = Field(0, ge=0, description="GPUs that a replica reserves, or a share of one")
    timeout_s: float = Field(10, gt=0, description="for one request, unless its X-Request-Timeout says less")
    body_timeout_s: float = Field(10, gt=0, description="for one request's body to arrive")
    max_body_mb: float = Field(8, gt=0, description="of one request, after it is unpacked")
    max_rows: int = Field(10_000, ge=1, description="rows in one request")
    max_depth: int = Field(32, ge=4, description="how deep lists and objects lie in each other in one request")
    max_batch_rows: int = Field(256, ge=1, le=256, description="rows of waiting requests predicted in one call")
    max_queued: int = Field(128, ge=1, description="requests under way in one replica; more are refused at once")

    @model_validator(mode="after")
    def _scales_before_it_refuses(self) -> ServeConfig:
        target = self.autoscaling.target_ongoing_requests
        if target >= self.max_queued:
            raise ValueError(
                f"autoscaling.target_ongoing_requests {target:g} is not below max_queued {self.max_queued}: "
                "requests would be refused before another replica starts"
            )
        return self

    @field_validator("host")
    @classmethod
    def _is_an_address(cls, host: str) -> str:
        try:
            return str(ip_address(host))
        except ValueError:
            raise ValueError("serve.host is an IP address: 127.0.0.1 for this machine alone, 0.0.0.0 for all") from None

    @model_validator(mode="after")
    def _open_to_others_by_token_and_tls(self) -> ServeConfig:
        if self.is_wide and self.auth is None:
            raise ValueError(
                f"serve.host {self.host} is reached by other machines, so it needs tokens: add `serve.auth: {{}}` and "
                "make one with `distml token new`, or listen on 127.0.0.1"
            )
        if self.is_wide and self.tls is None:
            raise ValueError(
                f"serve.host {self.host} is reached by other machines, which would send their tokens in the clear: "
                "name a certificate in serve.tls, or say `serve.tls: proxy` where a TLS proxy of yours stands before it"
            )
        if self.cors is not None and self.auth is None and self.cors.allows("*"):
            raise ValueError(
                'serve.cors.origins "*" needs serve.auth: without tokens every web page that somebody on this machine '
                "opens could ask and read"
            )
        return self

    @property
    def is_wide(self) -> bool:
        """Whether other machines reach the endpoint."""
        return not ip_address(self.host).is_loopback

    @property
    def url(self) -> str:
        """Where this machine reaches the endpoint, without a route."""
        address = ip_address(self.host)
        if address.is_unspecified:
            address = ip_address("::1" if isinstance(address, IPv6Address) else "127.0.0.1")
        host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
        return f"{'https' if isinstance(self.tls, TlsConfig) else 'http'}://{host}:{self.port}"
