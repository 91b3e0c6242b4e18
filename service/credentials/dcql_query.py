"""The Digital Credentials Query Language: its model, and a strict reader of its syntax."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from service.credentials.claims_path import ClaimsPath
from service.credentials.credential_types import type_of_w3c
from service.errors import InvalidInputError

SD_JWT_VC_FORMAT = "dc+sd-jwt"
JWT_VC_FORMAT = "jwt_vc_json"
VC_JWT_FORMAT = "vc+jwt"
LDP_VC_FORMAT = "ldp_vc"
W3C_FORMATS = (JWT_VC_FORMAT, VC_JWT_FORMAT, LDP_VC_FORMAT)
AUTHORITY_KEY_ID = "aki"
# Far above any real query; keeps matching cheap whatever a verifier sends.
MAX_ITEMS = 100

T = TypeVar("T")

_W3C_TYPES = "https://www.w3.org/2018/credentials#"
_SUBJECT = "credentialSubject"
_ID = re.compile(r"[A-Za-z0-9_-]+")


class DcqlSyntaxError(InvalidInputError):
    """Not a DCQL query; ``errors`` holds the ``path`` (JSON Pointer) of the part that is wrong."""

    code = "dcql_query_invalid"

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(
            f"The DCQL query is not valid at {path or '/'}: {detail}", errors=[{"path": path, "detail": detail}]
        )


@dataclass(frozen=True, slots=True)
class ClaimsQuery:
    """One wanted claim; ``values`` are the acceptable ones, ``None`` for any."""

    path: ClaimsPath
    id: str | None = None
    values: tuple[str | int | bool, ...] | None = None


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """Who certifies the issuers that the verifier accepts; no substitute for knowing whom one trusts."""

    type: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CredentialQuery:
    """One wanted credential.

    Attributes:
        id: Key of its presentations in ``vp_token``.
        format: Credential format identifier.
        meta: Constraints on type and metadata, as the format defines them.
        multiple: Whether several credentials may answer.
        claims: Wanted claims; ``None`` asks for no selectively disclosable claim.
        claim_sets: Ids of ``claims``, alternatives in order of preference; ``None`` asks for all of ``claims``.
        trusted_authorities: Hints; ``None`` if there are none.
        require_cryptographic_holder_binding: Whether the holder must prove possession of the holder key.
    """

    id: str
    format: str
    meta: Mapping[str, Any]
    multiple: bool = False
    claims: tuple[ClaimsQuery, ...] | None = None
    claim_sets: tuple[tuple[str, ...], ...] | None = None
    trusted_authorities: tuple[TrustedAuthority, ...] | None = None
    require_cryptographic_holder_binding: bool = True

    @property
    def type_values(self) -> tuple[frozenset[str], ...]:
        """Alternatives of what ``type`` of a credential of the W3C data model must hold; empty for other formats."""
        if self.format not in W3C_FORMATS:
            return ()
        return tuple(expand_types(self.format, each) for each in self.meta["type_values"])

    @property
    def claim_names(self) -> frozenset[str]:
        """Names of the wanted claims, as ``VerifiedCredential.claims`` has them."""
        paths = [claim.path for claim in self.claims or ()]
        if self.format in W3C_FORMATS:
            paths = [path[1:] for path in paths if path[0] == _SUBJECT and len(path) > 1]
        return frozenset(str(path[0]) for path in paths)

    @property
    def vct_values(self) -> tuple[str, ...]:
        """Accepted types of an SD-JWT VC; empty for every other format."""
        return tuple(self.meta["vct_values"]) if self.format == SD_JWT_VC_FORMAT else ()


@dataclass(frozen=True, slots=True)
class CredentialSetQuery:
    """Alternatives, each a set of credential query ids, preferred first."""

    options: tuple[tuple[str, ...], ...]
    required: bool = True


@dataclass(frozen=True, slots=True)
class DcqlQuery:
    """A whole query; without ``credential_sets`` every credential is wanted."""

    credentials: tuple[CredentialQuery, ...]
    credential_sets: tuple[CredentialSetQuery, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the query as JSON, members that have their default left out."""
        result: dict[str, Any] = {"credentials": [_credential_to_json(item) for item in self.credentials]}
        if self.credential_sets is not None:
            result["credential_sets"] = [
                {"options": [list(option) for option in item.options], **({} if item.required else {"required": False})}
                for item in self.credential_sets
            ]
        return result


def parse_dcql_query(raw: Any) -> DcqlQuery:
    """Read a DCQL query from parsed JSON; unknown members are ignored, as the specification demands.

    Raises:
        DcqlSyntaxError: Any departure from the syntax.

    Source: OpenID4VP 1.0, sections 6 and 7; appendices B.1.1 (``type_values``) and B.3.5 (``vct_values``).
    """
    query = _object(raw, "")
    credentials = _array(query, "credentials", "", _read_credential)
    ids = [credential.id for credential in credentials]
    if len(set(ids)) != len(ids):
        raise DcqlSyntaxError("/credentials", "an id is used twice")
    if "credential_sets" not in query:
        return DcqlQuery(credentials)
    sets = _array(query, "credential_sets", "", _read_credential_set)
    _check_references("/credential_sets", [option for item in sets for option in item.options], ids)
    return DcqlQuery(credentials, sets)


def _read_credential(raw: Any, path: str) -> CredentialQuery:
    item = _object(raw, path)
    credential_format = _text(item, "format", path)
    query = CredentialQuery(
        id=_read_id(item, path),
        format=credential_format,
        meta=_read_meta(item, credential_format, path),
        multiple=_boolean(item, "multiple", path, default=False),
        claims=_array(item, "claims", path, _read_claim) if "claims" in item else None,
        claim_sets=_array(item, "claim_sets", path, _read_ids) if "claim_sets" in item else None,
        trusted_authorities=(
            _array(item, "trusted_authorities", path, _read_authority) if "trusted_authorities" in item else None
        ),
        require_cryptographic_holder_binding=_boolean(item, "require_cryptographic_holder_binding", path, default=True),
    )
    _check_claim_ids(query, path)
    return query


def _check_claim_ids(query: CredentialQuery, path: str) -> None:
    ids = [claim.id for claim in query.claims or () if claim.id is not None]
    if len(set(ids)) != len(ids):
        raise DcqlSyntaxError(f"{path}/claims", "an id is used twice")
    if query.claim_sets is None:
        return
    if query.claims is None or len(ids) != len(query.claims):
        raise DcqlSyntaxError(f"{path}/claim_sets", "needs claims that all have an id")
    _check_references(f"{path}/claim_sets", query.claim_sets, ids)


def _check_references(path: str, groups: Any, ids: list[str]) -> None:
    known = set(ids)
    if any(reference not in known for group in groups for reference in group):
        raise DcqlSyntaxError(path, "names an id that does not exist")


def _read_meta(item: Mapping[str, Any], credential_format: str, path: str) -> Mapping[str, Any]:
    meta = _object(item.get("meta"), f"{path}/meta")
    if credential_format == SD_JWT_VC_FORMAT:
        _array(meta, "vct_values", f"{path}/meta", _read_text)
    if credential_format in W3C_FORMATS:
        _array(meta, "type_values", f"{path}/meta", _read_types)
    return meta


def expand_types(credential_format: str, names: Iterable[str]) -> frozenset[str]:
    """Return the IRIs of types; those that neither the data model's first context nor ours defines stay as they are.

    Ours is one of linked data alone: whoever bears our types there has shown to mean them by our context.

    Source: OpenID4VP 1.0, appendix B.1.1; VCDM 1.1 and 2.0, section 4.3 to 4.5.
    """
    return frozenset(_expand_type(name, is_linked=credential_format == LDP_VC_FORMAT) for name in names)


def _expand_type(name: str, *, is_linked: bool) -> str:
    if name == "VerifiableCredential":
        return _W3C_TYPES + name
    ours = type_of_w3c(name) if is_linked else None
    return name if ours is None else ours.vct


def _read_types(raw: Any, path: str) -> list[str]:
    if not isinstance(raw, list) or not raw or not all(isinstance(each, str) and each for each in raw):
        raise DcqlSyntaxError(path, "must be a list of at least one text")
    return raw


def _read_claim(raw: Any, path: str) -> ClaimsQuery:
    item = _object(raw, path)
    return ClaimsQuery(
        path=_array(item, "path", path, _read_path_component),
        id=_read_id(item, path) if "id" in item else None,
        values=_array(item, "values", path, _read_value) if "values" in item else None,
    )


def _read_authority(raw: Any, path: str) -> TrustedAuthority:
    item = _object(raw, path)
    return TrustedAuthority(_text(item, "type", path), _array(item, "values", path, _read_text))


def _read_credential_set(raw: Any, path: str) -> CredentialSetQuery:
    item = _object(raw, path)
    options = _array(item, "options", path, _read_ids)
    return CredentialSetQuery(options, _boolean(item, "required", path, default=True))


def _read_ids(raw: Any, path: str) -> tuple[str, ...]:
    return _elements(raw, path, _read_text)


def _read_path_component(raw: Any, path: str) -> str | int | None:
    if raw is None or isinstance(raw, str) or (type(raw) is int and raw >= 0):
        return raw
    raise DcqlSyntaxError(path, "must be a string, null or a non-negative integer")


def _read_value(raw: Any, path: str) -> str | int | bool:
    if isinstance(raw, str | int):
        return raw
    raise DcqlSyntaxError(path, "must be a string, an integer or a boolean")


def _read_text(raw: Any, path: str) -> str:
    if isinstance(raw, str) and raw:
        return raw
    raise DcqlSyntaxError(path, "must be a non-empty string")


def _read_id(item: Mapping[str, Any], path: str) -> str:
    value = _text(item, "id", path)
    if not _ID.fullmatch(value):
        raise DcqlSyntaxError(f"{path}/id", "may hold only letters, digits, '_' and '-'")
    return value


def _text(item: Mapping[str, Any], name: str, path: str) -> str:
    return _read_text(item.get(name), f"{path}/{name}")


def _boolean(item: Mapping[str, Any], name: str, path: str, *, default: bool) -> bool:
    value = item.get(name, default)
    if not isinstance(value, bool):
        raise DcqlSyntaxError(f"{path}/{name}", "must be a boolean")
    return value


def _object(raw: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise DcqlSyntaxError(path, "must be an object")
    return raw


def _array(item: Mapping[str, Any], name: str, path: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
    return _elements(item.get(name), f"{path}/{name}", read)


def _elements(raw: Any, path: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_ITEMS:
        raise DcqlSyntaxError(path, f"must be an array of 1 to {MAX_ITEMS} elements")
    return tuple(read(element, f"{path}/{position}") for position, element in enumerate(raw))


def _credential_to_json(query: CredentialQuery) -> dict[str, Any]:
    result: dict[str, Any] = {"id": query.id, "format": query.format, "meta": dict(query.meta)}
    if query.multiple:
        result["multiple"] = True
    if query.trusted_authorities is not None:
        result["trusted_authorities"] = [
            {"type": item.type, "values": list(item.values)} for item in query.trusted_authorities
        ]
    if not query.require_cryptographic_holder_binding:
        result["require_cryptographic_holder_binding"] = False
    if query.claims is not None:
        result["claims"] = [_claim_to_json(item) for item in query.claims]
    if query.claim_sets is not None:
        result["claim_sets"] = [list(item) for item in query.claim_sets]
    return result


def _claim_to_json(claim: ClaimsQuery) -> dict[str, Any]:
    result: dict[str, Any] = {} if claim.id is None else {"id": claim.id}
    result["path"] = list(claim.path)
    if claim.values is not None:
        result["values"] = list(claim.values)
    return result
