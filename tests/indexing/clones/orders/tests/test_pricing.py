from orders.models import Line, Order
from orders.pricing import SHIPPING_CENTS, line_total, price_order


def test_many_of_one_article_are_cheaper():
    assert line_total(Line("cup", 10, 100)) == 950


def test_small_orders_pay_shipping():
    assert price_order(Order("1", "c", [Line("cup", 1, 100)])) == 100 + SHIPPING_CENTS
