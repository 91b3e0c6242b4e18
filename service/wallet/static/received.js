/**
 * Checks on what an issuer hands over, before it is kept:
 * 1. at least one credential, and no more than keys were proved;
 * 2. each signed by the key of its issuer, valid now, without a key binding that only its holder may add;
 * 3. each of the type that was offered;
 * 4. each bound to one of our keys, and no two to the same;
 * 5. all of one issuer, saying the same.
 *
 * Source: OpenID4VCI 1.0, section 8.3; SD-JWT VC, sections 2.4 and 2.5.
 */

import { findIssuerKey } from "./did.js";
import { reject } from "./errors.js";
import { isObject, nowSeconds, randomText, readTime } from "./jose.js";
import { thumbprint } from "./keys.js";
import { FORMAT, readIssuer, verifySdJwt } from "./sd-jwt.js";

const OF_ONE_COPY = new Set(["cnf", "status", "iat", "nbf", "exp"]);

/** @returns {Promise<object>} A credential record; see `records.js`. */
export async function verifyReceived(body, configuration, kids, issuer) {
  const compacts = readCredentials(body, kids.length); // (1)
  const read = await Promise.all(compacts.map((each) => verifyOne(each))); // (2)
  if (read.some((each) => each.claims.vct !== configuration.vct)) throw reject("credential_type"); // (3)
  const bound = new Set(read.map((each) => each.kid));
  if (bound.size !== read.length || [...bound].some((kid) => !kids.includes(kid))) throw reject("credential_binding"); // (4)
  const [{ claims }] = read;
  if (read.some((each) => says(each.claims) !== says(claims))) throw reject("credential_copies"); // (5)
  const copies = read.map(({ kid, compact }) => ({ kid, compact }));
  return {
    id: randomText(12),
    issuer: claims.iss,
    issuerName: issuer.name,
    credentialIssuer: issuer.identifier,
    configurationId: configuration.id,
    vct: claims.vct,
    format: FORMAT,
    display: configuration.display,
    receivedAt: nowSeconds(),
    copies: copies.sort((a, b) => kids.indexOf(a.kid) - kids.indexOf(b.kid)),
    claims,
    issuedAt: readTime(claims, "iat"),
    expiresAt: readTime(claims, "exp"),
    statusReference: readStatus(claims),
    status: null,
  };
}

function readCredentials(body, expected) {
  const entries = Array.isArray(body.credentials) ? body.credentials : [];
  const compacts = entries.map((entry) => (isObject(entry) ? entry.credential : null));
  if (compacts.length < 1 || compacts.length > expected || compacts.some((each) => typeof each !== "string")) throw reject("credential_count");
  return compacts;
}

async function verifyOne(compact) {
  const { iss, kid } = readIssuer(compact);
  const claims = await verifySdJwt(compact, await findIssuerKey(iss, kid));
  if (!isObject(claims.cnf) || !isObject(claims.cnf.jwk) || "d" in claims.cnf.jwk) throw reject("credential_binding");
  readStatus(claims);
  return { compact, claims, kid: await thumbprint(claims.cnf.jwk) };
}

/** Where the status is published; null without one. A mechanism unknown to us would hide a status, so it is refused. */
function readStatus(claims) {
  if (!("status" in claims)) return null;
  const reference = claims.status?.status_list;
  const known = isObject(reference) && Number.isSafeInteger(reference.idx) && reference.idx >= 0 && typeof reference.uri === "string";
  if (!known) throw reject("credential_status");
  return { uri: reference.uri, idx: reference.idx };
}

function says(claims) {
  const entries = Object.entries(claims).filter(([name]) => !OF_ONE_COPY.has(name));
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
