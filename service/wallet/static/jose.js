/**
 * base64url, strict JSON, compact JWS.
 *
 * A verifier's order: bounded parsing, the header's rules, the key's algorithm, the type, the signature, the claims.
 * Nothing in a header selects a key or an algorithm; callers look keys up first.
 *
 * Source: RFC 7515, 7518, 8037, 8259, 8725.
 */

import { reject } from "./errors.js";

const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 32;
const LEEWAY_S = 60;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gsu;
const ALGORITHMS = {
  "P-256": { names: ["ES256"], length: 64, import: { name: "ECDSA", namedCurve: "P-256" }, verify: { name: "ECDSA", hash: "SHA-256" } },
  "P-384": { names: ["ES384"], length: 96, import: { name: "ECDSA", namedCurve: "P-384" }, verify: { name: "ECDSA", hash: "SHA-384" } },
  Ed25519: { names: ["EdDSA", "Ed25519"], length: 64, import: { name: "Ed25519" }, verify: { name: "Ed25519" } },
};

export function encodeBase64Url(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Decode strictly: no padding, no other alphabet, no stray bits. */
export function decodeBase64Url(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw reject("base64url");
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  if (encodeBase64Url(bytes) !== text) throw reject("base64url");
  return bytes;
}

export function encodeText(text) {
  return new TextEncoder().encode(text);
}

export function encodeJson(value) {
  return encodeText(JSON.stringify(value));
}

export function randomText(bytes = 32) {
  return encodeBase64Url(crypto.getRandomValues(new Uint8Array(bytes)));
}

export async function sha256(text) {
  return encodeBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", encodeText(text))));
}

/** Read JSON that another side wrote: bounded, no member twice. @param {string|Uint8Array} source */
export function parseJson(source) {
  if (source.length > MAX_BYTES) throw reject("json_too_large");
  try {
    const text = typeof source === "string" ? source : new TextDecoder("utf-8", { fatal: true }).decode(source);
    const value = JSON.parse(text);
    checkMembers(text);
    return value;
  } catch (error) {
    throw error.key ? error : reject("json");
  }
}

export function parseObject(source) {
  const value = parseJson(source);
  if (!isObject(value)) throw reject("json_object");
  return value;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Split a compact JWS; nothing in it is to be believed yet. */
export function parseJws(token) {
  const parts = typeof token === "string" && token.length <= MAX_BYTES ? token.split(".") : [];
  if (parts.length !== 3) throw reject("jws");
  const header = parseObject(decodeBase64Url(parts[0]));
  if (typeof header.alg !== "string" || header.alg.toLowerCase() === "none") throw reject("jws_unsigned");
  if ("crit" in header || "b64" in header) throw reject("jws_extension");
  if ([header.typ, header.kid].some((each) => each !== undefined && typeof each !== "string")) throw reject("jws_header");
  return {
    header,
    payload: decodeBase64Url(parts[1]),
    signature: decodeBase64Url(parts[2]),
    signingInput: encodeText(`${parts[0]}.${parts[1]}`),
  };
}

/**
 * Verify a JWS and return its claims; times and parties are the caller's to check.
 * @param {ReturnType<typeof parseJws>} jws
 * @param {object} jwk The one key that may have signed it.
 * @param {string[]} expectedTypes Media types without "application/".
 */
export async function verifyJws(jws, jwk, expectedTypes) {
  const algorithm = algorithmOf(jwk);
  if (!algorithm.names.includes(jws.header.alg)) throw reject("jws_algorithm");
  const type = (jws.header.typ ?? "").toLowerCase().replace(/^application\//, "");
  if (!expectedTypes.includes(type)) throw reject("jws_type");
  if (jws.signature.length !== algorithm.length) throw reject("jws_signature");
  const { kty, crv, x, y } = jwk;
  const bare = kty === "OKP" ? { kty, crv, x } : { kty, crv, x, y };
  const key = await crypto.subtle.importKey("jwk", bare, algorithm.import, false, ["verify"]).catch(() => null);
  if (key === null) throw reject("jwk");
  const genuine = await crypto.subtle.verify(algorithm.verify, key, jws.signature, jws.signingInput);
  if (!genuine) throw reject("jws_signature");
  return parseObject(jws.payload);
}

/** @param {(data: Uint8Array) => Promise<Uint8Array>} sign Follows `header.alg`. */
export async function signJws(header, claims, sign) {
  const input = `${encodeBase64Url(encodeJson(header))}.${encodeBase64Url(encodeJson(claims))}`;
  return `${input}.${encodeBase64Url(await sign(encodeText(input)))}`;
}

/** Check that `now` lies within the times that the claims state, each widened by a minute. */
export function checkTimes(claims, { now = nowSeconds(), requireExp = false } = {}) {
  const [exp, nbf, iat] = ["exp", "nbf", "iat"].map((name) => readTime(claims, name));
  if (exp === null && requireExp) throw reject("exp_missing");
  if (exp !== null && now - LEEWAY_S >= exp) throw reject("expired");
  if ((nbf !== null && nbf > now + LEEWAY_S) || (iat !== null && iat > now + LEEWAY_S)) throw reject("not_yet_valid");
}

export function readTime(claims, name) {
  const value = claims[name];
  if (value === undefined) return null;
  if (!Number.isSafeInteger(value) || value < 0) throw reject(`${name}_invalid`);
  return value;
}

export function nowSeconds() {
  return Math.floor(Date.now() / 1000);
}

function algorithmOf(jwk) {
  const usable = isObject(jwk) && !("d" in jwk) && (jwk.use ?? "sig") === "sig";
  const algorithm = usable && Object.hasOwn(ALGORITHMS, jwk.crv) ? ALGORITHMS[jwk.crv] : null;
  const kind = jwk?.crv === "Ed25519" ? "OKP" : "EC";
  if (algorithm === null || jwk.kty !== kind || (jwk.alg !== undefined && !algorithm.names.includes(jwk.alg))) throw reject("jwk");
  return algorithm;
}

// `JSON.parse` keeps the last of two members of one name, others keep the first: such a text says two things at once.
function checkMembers(text) {
  const open = [];
  let previous = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const name = JSON.parse(previous);
      if (open.at(-1).has(name)) throw reject("json_duplicate");
      open.at(-1).add(name);
    }
    if (open.length > MAX_DEPTH) throw reject("json_depth");
    previous = token;
  }
}
