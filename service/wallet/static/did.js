/** Public keys of issuers and platforms, from where their identifiers say. Source: DID Core 1.0; SD-JWT VC, section 5. */

import { reject, WalletError } from "./errors.js";
import { getJson, insertWellKnown } from "./http.js";
import { decodeBase64Url, encodeBase64Url, isObject, parseObject } from "./jose.js";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const CURVES = {
  "P-256": { prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n, b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn, bytes: 32 },
  "P-384": { prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n, b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn, bytes: 48 },
};
const MULTICODEC = { "128,36": "P-256", "129,36": "P-384", "237,1": "Ed25519" };

/**
 * Find the key that a credential or status list of `issuer` must be signed with.
 * @param {string} issuer An https identifier with JWT VC issuer metadata, or a DID.
 * @param {string|undefined} kid Of the token.
 */
export async function findIssuerKey(issuer, kid) {
  if (issuer.startsWith("did:")) return findDidKey(issuer, kid, "assertionMethod");
  const metadata = await getJson(insertWellKnown(issuer, "jwt-vc-issuer"), "keys_unavailable");
  if (metadata.issuer !== issuer || "jwks" in metadata === "jwks_uri" in metadata) throw reject("issuer_keys");
  const jwks = "jwks" in metadata ? metadata.jwks : await getJson(metadata.jwks_uri, "keys_unavailable");
  const keys = isObject(jwks) && Array.isArray(jwks.keys) ? jwks.keys.filter(isObject) : [];
  return only(keys.filter((key) => kid === undefined || key.kid === kid));
}

/** Find the key of a DID that `kid` names for a use such as `assertionMethod`. */
export async function findDidKey(did, kid, relationship) {
  if (kid === undefined) throw reject("kid_missing");
  const document = await resolveDid(did);
  const absolute = (name) => (typeof name === "string" && name.startsWith("#") ? did + name : name);
  const wanted = kid.startsWith("did:") ? kid : `${did}#${kid.replace(/^#/, "")}`;
  const listed = list(document, relationship);
  const found = listed.filter((entry) => isObject(entry) && absolute(entry.id) === wanted);
  if (relationship !== "verificationMethod" && listed.some((entry) => absolute(entry) === wanted)) {
    found.push(...list(document, "verificationMethod").filter((entry) => isObject(entry) && absolute(entry.id) === wanted));
  }
  const method = only(found);
  if (method.controller !== did || !wanted.startsWith(`${did}#`)) throw reject("did_key");
  return readMethod(method);
}

async function resolveDid(did) {
  if (did.startsWith("did:jwk:")) {
    const jwk = parseObject(decodeBase64Url(did.slice("did:jwk:".length)));
    return describeOneKey(did, "0", { publicKeyJwk: jwk });
  }
  if (did.startsWith("did:key:")) {
    const multibase = did.slice("did:key:".length);
    return describeOneKey(did, multibase, { publicKeyMultibase: multibase });
  }
  if (!did.startsWith("did:web:")) throw new WalletError("party_unknown", { code: did.split(":").slice(0, 2).join(":") });
  const document = await getJson(didWebAddress(did), "keys_unavailable");
  if (document.id !== did) throw reject("did_document");
  return document;
}

/** Source: did:web method specification, section "Read". */
export function didWebAddress(did) {
  const [host, ...path] = did.slice("did:web:".length).split(":").map(decodePart);
  if (!/^[A-Za-z0-9.-]+(:[0-9]{1,5})?$/.test(host) || path.some((part) => !/^[A-Za-z0-9._~-]+$/.test(part) || /^\.+$/.test(part))) {
    throw reject("did_web");
  }
  const scheme = /^(localhost|127\.0\.0\.1)(:|$)/.test(host) ? "http" : "https";
  return `${scheme}://${host}/${[...(path.length ? path : [".well-known"]), "did.json"].join("/")}`;
}

function decodePart(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    throw reject("did_web");
  }
}

function describeOneKey(did, fragment, key) {
  const method = { id: `${did}#${fragment}`, controller: did, ...key };
  return { id: did, verificationMethod: [method], assertionMethod: [method.id], authentication: [method.id] };
}

function readMethod(method) {
  if (isObject(method.publicKeyJwk)) return method.publicKeyJwk;
  if (typeof method.publicKeyMultibase === "string") return decodeMultikey(method.publicKeyMultibase);
  throw reject("did_key");
}

/** @returns {object} The JWK of a multibase key: P-256, P-384 or Ed25519. */
export function decodeMultikey(multibase) {
  if (!multibase.startsWith("z") || multibase.length > 120) throw reject("multikey");
  const bytes = decodeBase58(multibase.slice(1));
  const curve = MULTICODEC[bytes.slice(0, 2).join()];
  const key = bytes.slice(2);
  if (curve === "Ed25519" && key.length === 32) return { kty: "OKP", crv: curve, x: encodeBase64Url(key) };
  if (curve === undefined || curve === "Ed25519" || key.length !== CURVES[curve].bytes + 1) throw reject("multikey");
  return { kty: "EC", crv: curve, ...decompress(key, CURVES[curve]) };
}

// y is a root of x³ - 3x + b; both primes are 3 mod 4, so one power gives it. importKey checks the point itself.
function decompress(key, { prime, b, bytes }) {
  const x = BigInt(`0x${toHex(key.slice(1))}`);
  if (x >= prime || (key[0] !== 2 && key[0] !== 3)) throw reject("multikey");
  let y = power((x ** 3n - 3n * x + b) % prime, (prime + 1n) / 4n, prime);
  if ((y & 1n) !== BigInt(key[0] & 1)) y = prime - y;
  const hex = y.toString(16).padStart(bytes * 2, "0");
  return { x: encodeBase64Url(key.slice(1)), y: encodeBase64Url(Uint8Array.from(hex.match(/../g), (each) => parseInt(each, 16))) };
}

function power(base, exponent, modulus) {
  let result = 1n;
  let factor = ((base % modulus) + modulus) % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % modulus;
    factor = (factor * factor) % modulus;
  }
  return result;
}

function decodeBase58(text) {
  let number = 0n;
  for (const character of text) {
    const digit = BASE58.indexOf(character);
    if (digit < 0) throw reject("multikey");
    number = number * 58n + BigInt(digit);
  }
  const hex = number.toString(16);
  return Uint8Array.from(hex.padStart(hex.length + (hex.length % 2), "0").match(/../g), (each) => parseInt(each, 16));
}

function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function list(document, name) {
  return Array.isArray(document[name]) ? document[name] : [];
}

function only(found) {
  if (found.length !== 1) throw reject("key_not_found");
  return found[0];
}
