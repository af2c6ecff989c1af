"""What can go wrong, as one small tree."""


class ShopError(Exception):
    """Something that the shop could not do."""


class ConflictError(ShopError):
    """409: the order is not in a state in which that may be done."""


class Unavailable(ShopError):
    """The service did not answer in time, or said that it cannot now."""


def raise_for(status: int, said: dict) -> None:
    if status == 409:
        raise ConflictError(said["error"])
    if status in (502, 503, 504):
        raise Unavailable(said.get("error", "the service is not there"))
    if status >= 400:
        raise ShopError(said.get("error", f"status {status}"))
