"""A shop's database such as the seed exports: orders, staff, currencies, with times that have no zone."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.export.conftest import Source

SCHEMA = """
CREATE SCHEMA totes;
CREATE TABLE totes.department (
    department_id int PRIMARY KEY, department_name varchar(60) NOT NULL, location varchar(60),
    manager varchar(60), created_at timestamp NOT NULL, last_updated timestamp NOT NULL);
CREATE TABLE totes.staff (
    staff_id int PRIMARY KEY, first_name varchar(60) NOT NULL, last_name varchar(60) NOT NULL,
    department_id int NOT NULL REFERENCES totes.department, email_address varchar(120) NOT NULL,
    created_at timestamp NOT NULL, last_updated timestamp NOT NULL);
CREATE TABLE totes.currency (
    currency_id int PRIMARY KEY, currency_code char(3) NOT NULL, created_at timestamp NOT NULL,
    last_updated timestamp NOT NULL);
CREATE TABLE totes.design (
    design_id int PRIMARY KEY, design_name varchar(80) NOT NULL, file_location text NOT NULL, file_name text,
    created_at timestamp NOT NULL, last_updated timestamp NOT NULL);
CREATE TABLE totes.sales_order (
    sales_order_id int PRIMARY KEY, created_at timestamp NOT NULL, last_updated timestamp NOT NULL,
    design_id int NOT NULL REFERENCES totes.design, staff_id int NOT NULL REFERENCES totes.staff,
    currency_id int NOT NULL REFERENCES totes.currency, units_sold int NOT NULL,
    unit_price numeric(10, 2) NOT NULL, agreed_delivery_date date, paid boolean NOT NULL, remarks text);
"""
TABLES = ("department", "staff", "currency", "design", "sales_order")


def build(source: Source, orders: int, start: datetime) -> None:
    """Make the tables and fill them, orders a minute apart from `start`."""
    source.run(SCHEMA)
    then = start.astimezone(UTC).replace(tzinfo=None)
    source.run("INSERT INTO totes.department VALUES (1, 'Sales', 'Leeds', NULL, %s, %s)", then, then)
    for number, name in enumerate(("Ana", "Jörg", "O'Neill", 'Quote "x", comma'), 1):
        values = (number, name, "Smith", 1, f"{number}@totes.example", then, then)
        source.run("INSERT INTO totes.staff VALUES (%s, %s, %s, %s, %s, %s, %s)", *values)
    for number, code in enumerate(("GBP", "EUR", "USD"), 1):
        source.run("INSERT INTO totes.currency VALUES (%s, %s, %s, %s)", number, code, then, then)
    source.run("INSERT INTO totes.design VALUES (1, 'Bold', '/usr', 'bold\\n.json', %s, %s)", then, then)
    for number in range(orders):
        source.run(f"INSERT INTO totes.sales_order VALUES ({', '.join(['%s'] * 11)})", *order(number, then))


def order(number: int, start: datetime) -> tuple[Any, ...]:
    """One row of `sales_order`."""
    chance = random.Random(number)
    time = start + timedelta(minutes=number, microseconds=chance.randrange(10**6))
    delivery = date(2026, 12, 1) + timedelta(days=number) if number % 3 else None
    price = Decimal(chance.randrange(1, 10**6)) / 100
    remark = chance.choice([None, "", "plain", 'say "when",\nplease', "naïve ✓"])
    return (
        number,
        time,
        time,
        1,
        1 + number % 4,
        1 + number % 3,
        number * 7,
        price,
        delivery,
        number % 2 == 0,
        remark,
    )
