/**
 * SD-JWT VC: read, verify, keep only some disclosures, and prove to be the holder. Source: RFC 9901; SD-JWT VC.
 */

import { reject } from "./errors.js";
import { checkTimes, decodeBase64Url, encodeBase64Url, encodeText, isObject, nowSeconds, parseJson, parseJws, parseObject, sha256, signJws, verifyJws } from "./jose.js";

export const FORMAT = "dc+sd-jwt";
/** Drafts before November 2024 said vc+sd-jwt; credentials issued then are still around. */
const INBOUND_TYPES = [FORMAT, "vc+sd-jwt"];
const MAX_CHARACTERS = 262_144;
const MAX_DISCLOSURES = 512;
const MAX_DEPTH = 64;
const NEVER_DISCLOSABLE = new Set(["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"]);
const RESERVED = new Set(["_sd", "...", "_sd_alg"]);
const HASHES = { "sha-256": "SHA-256", "sha-384": "SHA-384", "sha-512": "SHA-512" };

/** @typedef {{jwt: string, disclosures: string[], keyBinding: string}} SdJwt */

/** Split a compact SD-JWT. @returns {SdJwt} */
export function parseSdJwt(compact) {
  if (typeof compact !== "string" || compact.length > MAX_CHARACTERS) throw reject("sd_jwt");
  const [jwt, ...rest] = compact.split("~");
  const keyBinding = rest.pop();
  if (keyBinding === undefined || jwt === "" || rest.includes("") || rest.length > MAX_DISCLOSURES) throw reject("sd_jwt");
  return { jwt, disclosures: rest, keyBinding };
}

/** What names the issuer's key; nothing is verified. */
export function readIssuer(compact) {
  const jws = parseJws(parseSdJwt(compact).jwt);
  const { iss, vct } = parseObject(jws.payload);
  if (typeof iss !== "string" || !iss || typeof vct !== "string" || !vct) throw reject("credential_claims");
  return { iss, vct, kid: jws.header.kid };
}

/**
 * Verify that a credential is authentic and within its times, and return all its claims.
 * @param {string} compact As its issuer gave it, without key binding.
 * @param {object} jwk The issuer's key.
 */
export async function verifySdJwt(compact, jwk, { now = nowSeconds() } = {}) {
  const { jwt, disclosures, keyBinding } = parseSdJwt(compact);
  if (keyBinding !== "") throw reject("key_binding_unexpected");
  const payload = await verifyJws(parseJws(jwt), jwk, INBOUND_TYPES);
  const { claims } = await reveal(payload, disclosures);
  if (typeof claims.iss !== "string" || typeof claims.vct !== "string") throw reject("credential_claims");
  checkTimes(claims, { now });
  if ("aud" in claims) throw reject("credential_audience");
  return claims;
}

/** All claims of a credential that was verified before, and where each disclosure went. */
export async function readClaims(compact) {
  const { jwt, disclosures } = parseSdJwt(compact);
  return reveal(parseObject(parseJws(jwt).payload), disclosures);
}

/**
 * Keep only the disclosures that show what `paths` select.
 * @param {(string|number|null)[][]} paths Claims paths; what the credential lacks is skipped.
 * @returns {Promise<string>} Ends with "~".
 */
export async function disclose(compact, paths) {
  const { jwt, disclosures } = parseSdJwt(compact);
  const { locations } = await readClaims(compact);
  const kept = disclosures.filter((each) => paths.some((path) => touches(path, locations.get(each))));
  return [jwt, ...kept, ""].join("~");
}

/**
 * Make the presentation that shows `paths` to one platform, once.
 * @param {{paths: any[][], audience: string, nonce: string, sign: Function, transactionHashes?: string[],
 *   transactionAlgorithm?: string|null, now?: number}} terms
 */
export async function present(compact, { paths, audience, nonce, sign, transactionHashes = [], transactionAlgorithm = null, now = nowSeconds() }) {
  const shown = await disclose(compact, paths);
  const claims = { iat: now, aud: audience, nonce, sd_hash: await sha256(shown) };
  if (transactionHashes.length > 0) claims.transaction_data_hashes = transactionHashes;
  if (transactionAlgorithm !== null) claims.transaction_data_hashes_alg = transactionAlgorithm;
  return shown + (await signJws({ alg: "ES256", typ: "kb+jwt" }, claims, sign));
}

/** The hash by which a holder agrees to an entry of `transaction_data`, taken over it as it was received. */
export async function hashTransaction(encoded, algorithm) {
  return encodeBase64Url(new Uint8Array(await crypto.subtle.digest(HASHES[algorithm], encodeText(encoded))));
}

/**
 * Put disclosures back where their digests stand. Each is sent once, stands once and is referenced; none holds what
 * must stay in plain. Source: RFC 9901, section 7.1.
 * @returns {Promise<{claims: object, locations: Map<string, (string|number)[]>}>}
 */
async function reveal(payload, encoded) {
  if ((payload._sd_alg ?? "sha-256") !== "sha-256") throw reject("sd_alg");
  const pending = new Map();
  for (const each of encoded) {
    const digest = await sha256(each);
    if (pending.has(digest)) throw reject("disclosure_duplicate");
    pending.set(digest, parseDisclosure(each));
  }
  const walk = { pending, seen: new Set(), locations: new Map() };
  const claims = revealObject(walk, payload, []);
  if (pending.size > 0) throw reject("disclosure_unreferenced");
  return { claims, locations: walk.locations };
}

function parseDisclosure(encoded) {
  const parts = parseJson(decodeBase64Url(encoded));
  const length = Array.isArray(parts) ? parts.length : 0;
  if (length < 2 || length > 3 || parts.slice(0, -1).some((each) => typeof each !== "string")) throw reject("disclosure");
  return { encoded, name: length === 3 ? parts[1] : null, value: parts.at(-1) };
}

function revealValue(walk, value, at) {
  if (at.length > MAX_DEPTH) throw reject("disclosure_depth");
  if (Array.isArray(value)) return revealArray(walk, value, at);
  return isObject(value) ? revealObject(walk, value, at) : value;
}

function revealObject(walk, value, at) {
  if ("..." in value || ("_sd_alg" in value && at.length > 0)) throw reject("digest");
  const members = Object.entries(value).filter(([name]) => !RESERVED.has(name));
  const claims = new Map(members.map(([name, member]) => [name, revealValue(walk, member, [...at, name])]));
  for (const found of "_sd" in value ? takeAll(walk, value._sd, at) : []) {
    const { name } = found;
    if (name === null) throw reject("disclosure");
    if (RESERVED.has(name) || (at.length === 0 && NEVER_DISCLOSABLE.has(name))) throw reject("disclosure_forbidden");
    if (claims.has(name)) throw reject("disclosure_conflict");
    walk.locations.set(found.encoded, [...at, name]);
    claims.set(name, revealValue(walk, found.value, [...at, name]));
  }
  return Object.fromEntries(claims);
}

function revealArray(walk, value, at) {
  const elements = [];
  for (const element of value) {
    const hidden = isObject(element) && Object.keys(element).join() === "...";
    if (!hidden) {
      elements.push(revealValue(walk, element, [...at, elements.length]));
      continue;
    }
    for (const found of takeAll(walk, [element["..."]], at)) {
      if (found.name !== null) throw reject("disclosure");
      const place = [...at, elements.length];
      walk.locations.set(found.encoded, place);
      elements.push(revealValue(walk, found.value, place));
    }
  }
  return elements;
}

function takeAll(walk, digests, at) {
  if (!Array.isArray(digests) || digests.some((each) => typeof each !== "string")) throw reject("digest");
  const taken = [];
  for (const digest of digests) {
    if (walk.seen.has(digest)) throw reject("digest_duplicate");
    walk.seen.add(digest);
    const found = walk.pending.get(digest);
    if (found === undefined) continue;
    walk.pending.delete(digest);
    taken.push(found);
  }
  if (taken.length > 0 && NEVER_DISCLOSABLE.has(at[0])) throw reject("disclosure_forbidden");
  return taken;
}

/** Tell whether the value at `location` is needed for, or part of, what `path` selects. */
function touches(path, location) {
  const length = Math.min(path.length, location.length);
  return path.slice(0, length).every((component, index) => {
    const place = location[index];
    return component === null ? typeof place === "number" : component === place;
  });
}
