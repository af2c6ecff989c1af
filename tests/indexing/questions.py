"""Questions about two services and a client library, and the files that an answer needs.

They were written together with `clones/`, before anything was run on them.  What is tuned
may look at those for DEVELOPMENT; HELD_OUT is only measured.
"""

from pathlib import Path

from wicket.indexing.research.repository import Passage

CLONES = Path(__file__).parent / "clones"
# Of 5,100 that all files together take.
BUDGET = 1500

# Asked from this repository: the question, and the files that a good answer has read.
Asked = tuple[str, str, set[str]]

DEVELOPMENT: tuple[Asked, ...] = (
    (
        "orders",
        "How is the total of an order computed, and when is shipping free?",
        {"orders/orders/pricing.py", "orders/orders/models.py"},
    ),
    (
        "billing",
        "What does `nightly_run` do when the orders service is down for a moment?",
        {
            "billing/billing/invoices.py",
            "shopclient/src/shopclient/transport.py",
            "shopclient/src/shopclient/client.py",
        },
    ),
    (
        "shopclient",
        "Who calls `iter_orders`, and what would break if it returned a list?",
        {
            "shopclient/src/shopclient/client.py",
            "billing/billing/invoices.py",
            "billing/billing/reports.py",
        },
    ),
    (
        "orders",
        "If `cancel_order` answered 410 instead of 409, what has to change elsewhere?",
        {
            "orders/orders/handlers.py",
            "shopclient/src/shopclient/errors.py",
            "shopclient/src/shopclient/client.py",
            "billing/billing/credit.py",
        },
    ),
    (
        "shopclient",
        "How many times is a request retried?",
        {"shopclient/src/shopclient/transport.py", "shopclient/README.md"},
    ),
    (
        "billing",
        "Where do credit notes for cancelled orders come from?",
        {"billing/billing/credit.py", "orders/orders/events.py"},
    ),
)

HELD_OUT: tuple[Asked, ...] = (
    (
        "shopclient",
        "We want to rename `OrderSummary.total_cents` to `amount`: which code must follow?",
        {
            "shopclient/src/shopclient/models.py",
            "shopclient/src/shopclient/client.py",
            "billing/billing/invoices.py",
            "billing/billing/reports.py",
        },
    ),
    (
        "orders",
        "How does an Idempotency-Key keep an order from being created twice, end to end?",
        {
            "orders/orders/idempotency.py",
            "orders/orders/handlers.py",
            "shopclient/src/shopclient/transport.py",
            "orders/docs/api.md",
        },
    ),
    (
        "billing",
        "Which exceptions can `cancel_and_credit` see, and where are they raised?",
        {
            "billing/billing/credit.py",
            "shopclient/src/shopclient/errors.py",
            "shopclient/src/shopclient/client.py",
        },
    ),
    (
        "orders",
        "How are pages of orders listed, and what does the client do with the cursor `next`?",
        {
            "orders/orders/store.py",
            "orders/orders/handlers.py",
            "shopclient/src/shopclient/pagination.py",
        },
    ),
    (
        "billing",
        "How is an amount of money formatted in another currency?",
        {"billing/billing/currency.py"},
    ),
    (
        "shopclient",
        "What changed in version 2.0 of `connect`, and who has to pass a token now?",
        {
            "shopclient/docs/changelog.md",
            "shopclient/src/shopclient/client.py",
            "billing/billing/app.py",
        },
    ),
    (
        "orders",
        "How does the service check the token of a caller?",
        {"orders/orders/auth.py", "orders/orders/app.py"},
    ),
)


def shown(passages: list[Passage]) -> set[str]:
    """The files of which text is shown, not only an outline."""
    return {f"{one.repository}/{one.path}" for one in passages if one.why != "outline"}
