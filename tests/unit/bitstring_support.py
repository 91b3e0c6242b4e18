"""Hands to build credentials with ``credentialStatus`` and the lists that it names, sound or not."""

from typing import Any

from service.credentials.bitstring_status_list import encode_bitstring, write_bitstring
from tests.unit.jwt_vc_support import V1, V2, changed, sign
from tests.unit.sd_jwt_support import ISSUER, ISSUER_KEYS, NOW_SECONDS, KeyPair

LIST = "https://issuer.example/bitstrings/1"


def entry(**changes: Any) -> dict[str, Any]:
    sound = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "5",
        "statusListCredential": LIST,
    }
    return changed(sound, changes)


def bits(*indices: int, length: int = 16_384) -> bytearray:
    """Set bits as the text has it: the first is the left-most one."""
    bitstring = bytearray(length)
    for index in indices:
        bitstring[index // 8] |= 0x80 >> index % 8
    return bitstring


def list_v2(*indices: int, subject: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The claims of a BitstringStatusListCredential."""
    inner = {
        "type": "BitstringStatusList",
        "statusPurpose": "revocation",
        "encodedList": encode_bitstring(bits(*indices)),
    }
    sound = {
        "@context": [V2],
        "id": LIST,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": ISSUER,
        "iat": NOW_SECONDS,
        "credentialSubject": changed(inner, subject or {}),
    }
    return changed(sound, changes)


def messages_of(*words: str) -> list[dict[str, str]]:
    return [{"status": f"0x{value:X}", "message": word} for value, word in enumerate(words)]


def list_of_messages(values: dict[int, int], size: int = 2, **changes: Any) -> dict[str, Any]:
    """The claims of a BitstringStatusListCredential whose entries carry messages."""
    subject = {"statusPurpose": "message", "encodedList": encode_bitstring(write_bitstring(values, size))}
    return list_v2(subject=subject | {"statusSize": size}, **changes)


def list_2021(*indices: int) -> dict[str, Any]:
    """The claims of a StatusList2021Credential."""
    return {
        "iss": ISSUER,
        "jti": LIST,
        "nbf": NOW_SECONDS,
        "vc": {
            "@context": [V1],
            "type": ["VerifiableCredential", "StatusList2021Credential"],
            "credentialSubject": {
                "type": "StatusList2021",
                "statusPurpose": "revocation",
                "encodedList": encode_bitstring(bits(*indices)).removeprefix("u"),
            },
        },
    }


def sign_list(claims: dict[str, Any], keys: KeyPair = ISSUER_KEYS, kid: str = "key-1") -> str:
    return sign(claims, {"typ": "JWT" if "vc" in claims else "vc+jwt", "kid": kid}, keys)
