"""Issuers: offers, the OpenID4VCI endpoints, status lists and the back office of credentials."""
