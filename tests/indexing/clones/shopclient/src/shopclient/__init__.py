"""Talk to the orders service."""

from .client import OrderClient, connect
from .errors import ConflictError, ShopError

__all__ = ["ConflictError", "OrderClient", "ShopError", "connect"]
