"""The section `serve.tls`: who keeps what is sent from being read on its way."""

from __future__ import annotations

from pydantic import Field

from distml.config.base import Section


class TlsConfig(Section):
    """A certificate that HAProxy, before the replicas of a cluster that distml starts, shows its clients."""

    certificate: str = Field(description="a PEM file: the certificate and those between it and a root")
    key: str | None = Field(None, description="a PEM file that its owner alone can read; null: in `certificate`")
