/**
 * Holder keys: P-256, made in this browser, never readable by any script, ours included.
 *
 * Copy number i of every credential is bound to the wallet's key number i. A platform accepts credentials only
 * together if they are bound to one key, and copies with different keys can't be linked by different platforms.
 */

import { encodeBase64Url, encodeJson } from "./jose.js";
import { all, get, put } from "./store.js";

const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" };

let keepForBackup = null;

/**
 * Let a backup wrap each new key in the moment that it is made; afterwards nobody can.
 * @param {((pkcs8: ArrayBuffer, kid: string) => Promise<object|null>) | null} wrap Returns what is kept as `wrapped`.
 */
export function onKeyCreated(wrap) {
  keepForBackup = wrap;
}

/** @returns {Promise<object>} A key record of the store; see there. */
export async function createKey({ slot = null } = {}) {
  const made = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const jwk = publicMembers(await crypto.subtle.exportKey("jwk", made.publicKey));
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", made.privateKey);
  const record = await sealKey(pkcs8, jwk, slot);
  new Uint8Array(pkcs8).fill(0);
  await put("keys", record);
  return record;
}

/** The key that copy number `slot` of each credential is bound to; made when first asked for. */
export async function sharedKey(slot) {
  return navigator.locks.request(`goodstanding-wallet:key-${slot}`, async () => {
    const known = (await all("keys")).find((key) => key.slot === slot);
    return known ?? createKey({ slot });
  });
}

/** Bring a key of a backup in, not extractable, as a key record. */
export async function sealKey(pkcs8, jwk, slot) {
  const kid = await thumbprint(jwk);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, CURVE, false, ["sign"]);
  const wrapped = keepForBackup === null ? null : await keepForBackup(pkcs8, kid);
  return { kid, jwk, privateKey, slot, createdAt: Math.floor(Date.now() / 1000), wrapped };
}

/** @returns {Promise<(data: Uint8Array) => Promise<Uint8Array>>} Signs with a key of the store; null if it is gone. */
export async function signer(kid) {
  const key = await get("keys", kid);
  if (key === undefined) return null;
  return async (data) => new Uint8Array(await crypto.subtle.sign(SIGNATURE, key.privateKey, data));
}

/** RFC 7638. */
export async function thumbprint(jwk) {
  const members = jwk.kty === "OKP" ? ["crv", "kty", "x"] : jwk.kty === "RSA" ? ["e", "kty", "n"] : ["crv", "kty", "x", "y"];
  const canonical = Object.fromEntries(members.map((name) => [name, jwk[name]]));
  return encodeBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", encodeJson(canonical))));
}

function publicMembers({ kty, crv, x, y }) {
  return { kty, crv, x, y };
}
