"""Public keys as multibase text: base58btc over a multicodec prefix and the raw or compressed key."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.credentials.encoding import MalformedJoseError, b64url_encode
from service.credentials.jwk import EC_CURVES, VerificationKey, load_ed25519_point

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {character: value for value, character in enumerate(_BASE58)}
_MAX_CHARACTERS = 128  # base58 takes quadratic time; the longest key here has 70

# The unsigned varint of the code, then the curve.
_CODECS = {b"\xed\x01": "Ed25519", b"\x80\x24": "P-256", b"\x81\x24": "P-384", b"\xe7\x01": "secp256k1"}
_PREFIXES = {crv: prefix for prefix, crv in _CODECS.items()}


def encode_multikey(key: VerificationKey) -> str:
    """Write a public key as multibase text.

    Source: did:key v0.9, section 3.1; Multicodec table: ``ed25519-pub``, ``p256-pub``, ``p384-pub``.
    """
    if isinstance(key.key, ec.EllipticCurvePublicKey):
        raw = key.key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    else:
        raw = key.key.public_bytes_raw()
    return "z" + encode_base58(_PREFIXES[key.jwk["crv"]] + raw)


def decode_multikey(text: str) -> dict[str, str]:
    """Read multibase text as a public JWK of ``kty``, ``crv``, ``x`` and, for EC, ``y``.

    Raises:
        MalformedJoseError: Not base58btc, an unknown multicodec, a key of another length than its codec's, or no point
            of the curve.

    Source: did:key v0.9, section 3.1; Multicodec table: ``ed25519-pub``, ``p256-pub``, ``p384-pub``, ``secp256k1-pub``.
    """
    if not text.startswith("z") or len(text) > _MAX_CHARACTERS:
        raise MalformedJoseError("The key isn't base58btc multibase text.")
    data = decode_base58(text[1:])
    crv, raw = _CODECS.get(data[:2]), data[2:]
    if crv is None:
        raise MalformedJoseError("The key's multicodec isn't supported.")
    if crv != "Ed25519":
        return _expand_point(crv, raw)
    load_ed25519_point(raw)
    return {"kty": "OKP", "crv": crv, "x": b64url_encode(raw)}


def _expand_point(crv: str, raw: bytes) -> dict[str, str]:
    curve = EC_CURVES[crv]
    size = (curve.key_size + 7) // 8
    if len(raw) != 1 + size:
        raise MalformedJoseError(f"The key isn't a compressed {crv} point.")
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(curve, raw).public_numbers()
    except ValueError as error:
        raise MalformedJoseError("The EC point isn't on its curve.") from error
    x, y = (b64url_encode(coordinate.to_bytes(size)) for coordinate in (point.x, point.y))
    return {"kty": "EC", "crv": crv, "x": x, "y": y}


def encode_base58(data: bytes) -> str:
    """Encode ``data`` with the Bitcoin alphabet; each leading zero byte becomes a ``1``.

    Source: draft-msporny-base58-03, section 3.
    """
    number, digits = int.from_bytes(data), ""
    while number:
        number, remainder = divmod(number, 58)
        digits = _BASE58[remainder] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode_base58(text: str) -> bytes:
    """Decode what :func:`encode_base58` wrote.

    Raises:
        MalformedJoseError: A character outside the alphabet.

    Source: draft-msporny-base58-03, section 4.
    """
    number = 0
    for character in text:
        if character not in _BASE58_VALUES:
            raise MalformedJoseError("The text isn't base58btc.")
        number = number * 58 + _BASE58_VALUES[character]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
