"""Names of issuers in a form that can be compared."""

import tracemalloc

import pytest

from service.storage.trust import normalize_issuer


@pytest.mark.parametrize("prefix", ["https://issuer.example/", "did:web:issuer.example:", "anything "])
def test_long_names_of_attackers_do_not_stay_in_memory(prefix: str) -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            name = f"{prefix}{number}{'x' * 45_000}"
            assert normalize_issuer(name) == name
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
