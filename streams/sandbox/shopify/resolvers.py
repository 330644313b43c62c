"""The root fields of the Admin GraphQL schema: each a method, called by the executor with its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from graphql import GraphQLError

from streams.sandbox.shopify.records import UserError
from streams.sandbox.shopify.shapes import connection, gid, graphql_address, graphql_customer, number_of
from streams.sandbox.shopify.store import NO_CUSTOMER, Outcome, Store

SEARCH = re.compile(r"""(email|phone|id):\s*["']?([^"'\s]+)["']?""")


def access_denied(field: str) -> GraphQLError:
    """What an app without approval for protected customer data is told, in a 200 answer."""
    return GraphQLError(
        f"This app is not approved to access the {field} object.",
        extensions={"code": "ACCESS_DENIED", "documentation": "https://shopify.dev/api/usage/access-scopes"},
    )


class Root:
    """Queries and mutations over one store. `erase` is called with a customer whose erasure is asked for."""

    def __init__(self, store: Store, shop: str, approved: Callable[[], bool], erase: Callable[[int], None]) -> None:
        self._store = store
        self._shop = shop
        self._approved = approved
        self._erase = erase

    def _number(self, given: Any) -> int | None:
        if not self._approved():
            raise access_denied("Customer")
        number = number_of("Customer", given)
        if number is None:
            raise GraphQLError(f"Invalid global id '{given}'", extensions={"code": "argumentLiteralsIncompatible"})
        return number

    def shop(self, _at: Any) -> dict[str, Any]:
        return {"id": gid("Shop", 548_380_009), "name": "Sandbox", "myshopifyDomain": self._shop}

    def customer(self, _at: Any, id: str) -> dict[str, Any] | None:
        customer = self._store.customers.get(self._number(id) or 0)
        return graphql_customer(customer) if customer else None

    def customerByIdentifier(self, at: Any, identifier: dict[str, Any]) -> dict[str, Any] | None:  # noqa: N802
        if identifier.get("id"):
            return self.customer(at, identifier["id"])
        if not self._approved():
            raise access_denied("Customer")
        found = self._store.find(email=identifier.get("emailAddress"), phone=identifier.get("phoneNumber"))
        return graphql_customer(found) if found else None

    def customers(self, _at: Any, query: str | None = None, first: int = 50, after: str | None = None) -> Any:
        """Searches by `email:`, `phone:` and `id:`; a search that is none of these finds everybody."""
        if not self._approved():
            raise access_denied("Customer")
        wanted = SEARCH.findall(query or "")
        found = [
            one
            for one in self._store.customers.values()
            if all(str(getattr(one, name)) == value for name, value in wanted)
        ]
        return connection([graphql_customer(one) for one in found[:first]])

    def customerCreate(self, _at: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        if not self._approved():
            raise access_denied("customerCreate")
        return _customer_payload(self._store.create(input))

    def customerUpdate(self, _at: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        if not input.get("id"):
            return _customer_payload((None, [NO_CUSTOMER]))
        return _customer_payload(self._store.update(self._number(input["id"]), input))

    def customerUpdateDefaultAddress(self, _at: Any, customerId: str, addressId: str) -> Any:  # noqa: N802, N803
        number = self._number(customerId)
        return _customer_payload(self._store.set_default(number, number_of("MailingAddress", addressId)))

    def customerAddressCreate(  # noqa: N802
        self,
        _at: Any,
        customerId: str,  # noqa: N803
        address: dict[str, Any],
        setAsDefault: bool | None = None,  # noqa: N803
    ) -> Any:
        written, errors = self._store.write_address(self._number(customerId), None, address, setAsDefault)
        return {"address": graphql_address(written), "userErrors": _errors(errors)}

    def customerAddressUpdate(  # noqa: N802
        self,
        _at: Any,
        customerId: str,  # noqa: N803
        addressId: str,  # noqa: N803
        address: dict[str, Any],
        setAsDefault: bool | None = None,  # noqa: N803
    ) -> Any:
        number = number_of("MailingAddress", addressId) or 0
        written, errors = self._store.write_address(self._number(customerId), number, address, setAsDefault)
        return {"address": graphql_address(written), "userErrors": _errors(errors)}

    def customerAddressDelete(self, _at: Any, customerId: str, addressId: str) -> Any:  # noqa: N802, N803
        errors = self._store.delete_address(self._number(customerId), number_of("MailingAddress", addressId))
        return {"deletedAddressId": None if errors else addressId, "userErrors": _errors(errors)}

    def customerEmailMarketingConsentUpdate(self, _at: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        number = self._number(input["customerId"])
        return _customer_payload(self._store.consent(number, "email", input["emailMarketingConsent"]))

    def customerSmsMarketingConsentUpdate(self, _at: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        number = self._number(input["customerId"])
        return _customer_payload(self._store.consent(number, "sms", input["smsMarketingConsent"]))

    def customerDelete(self, at: Any, input: dict[str, Any]) -> Any:  # noqa: N802
        errors = self._store.delete(self._number(input["id"]))
        return {
            "deletedCustomerId": None if errors else input["id"],
            "shop": self.shop(at),
            "userErrors": _errors(errors),
        }

    def customerRequestDataErasure(self, _at: Any, customerId: str) -> Any:  # noqa: N802, N803
        number = self._number(customerId) or 0
        if number not in self._store.customers:
            error = UserError(["customerId"], "Customer does not exist", "DOES_NOT_EXIST")
            return {"customerId": None, "userErrors": _errors([error])}
        self._erase(number)
        return {"customerId": customerId, "userErrors": []}


def _customer_payload(outcome: Outcome) -> dict[str, Any]:
    customer, errors = outcome
    return {"customer": graphql_customer(customer) if customer else None, "userErrors": _errors(errors)}


def _errors(errors: Iterable[UserError]) -> list[dict[str, Any]]:
    return [error._asdict() for error in errors]
