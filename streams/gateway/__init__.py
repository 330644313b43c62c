"""The webhook gateway: signed deliveries in, raw topics out, nothing answered before the broker has it."""

from streams.gateway.app import make_app
from streams.gateway.endpoints import Endpoint, read_endpoints
from streams.gateway.process import run_gateway, serve
from streams.gateway.raw import RawTopics
from streams.gateway.settings import GatewayRefused, GatewaySettings, read_gateway_settings

__all__ = [
    "Endpoint",
    "GatewayRefused",
    "GatewaySettings",
    "RawTopics",
    "make_app",
    "read_endpoints",
    "read_gateway_settings",
    "run_gateway",
    "serve",
]
