/** A secret that only the holder's passkey gives out. Source: WebAuthn Level 3, section 10.1.4 (PRF extension). */

import { decodeBase64Url, encodeBase64Url } from "./jose.js";

const random = (length) => crypto.getRandomValues(new Uint8Array(length));
const TIMEOUT_MS = 120_000;

/** Tell whether this browser can ask a passkey for a secret; the passkey itself may still not be able to. */
export async function canUsePasskey() {
  if (!globalThis.PublicKeyCredential) return false;
  const capabilities = await PublicKeyCredential.getClientCapabilities?.();
  return capabilities?.["extension:prf"] === true;
}

/**
 * Make a passkey and return its secret.
 *
 * @param {string} name What the passkey is called in the list of the holder's passkeys.
 * @returns {Promise<{credentialId: string, salt: string, secret: Uint8Array}|null>} Null if this passkey has none to give.
 * @throws {DOMException} `NotAllowedError`: the holder said no, or waited too long.
 */
export async function makePasskey(name) {
  const salt = random(32);
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: random(32), // nobody checks an answer: the secret is all that is wanted
      rp: { name, id: location.hostname },
      user: { id: random(16), name, displayName: name },
      pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
      extensions: { prf: { eval: { first: salt } } },
      timeout: TIMEOUT_MS,
    },
  });
  const { prf } = made.getClientExtensionResults();
  if (!prf?.enabled) return null;
  const credentialId = encodeBase64Url(new Uint8Array(made.rawId));
  if (prf.results?.first) return { credentialId, salt: encodeBase64Url(salt), secret: new Uint8Array(prf.results.first) };
  return askPasskey([{ credential_id: credentialId, salt: encodeBase64Url(salt) }]); // many give it only on signing in
}

/**
 * Ask for the secret of one of the passkeys that `locks` name.
 *
 * @param {{credential_id: string, salt: string}[]} locks
 * @returns {Promise<{credentialId: string, salt: string, secret: Uint8Array}|null>} Null if it gives none.
 * @throws {DOMException} `NotAllowedError`: the holder said no, waited too long, or has no such passkey here.
 */
export async function askPasskey(locks) {
  const evalByCredential = Object.fromEntries(
    locks.map(({ credential_id, salt }) => [credential_id, { first: decodeBase64Url(salt) }]),
  );
  const got = await navigator.credentials.get({
    publicKey: {
      challenge: random(32),
      rpId: location.hostname,
      allowCredentials: locks.map(({ credential_id }) => ({ type: "public-key", id: decodeBase64Url(credential_id) })),
      userVerification: "required",
      extensions: { prf: { evalByCredential } },
      timeout: TIMEOUT_MS,
    },
  });
  const first = got.getClientExtensionResults().prf?.results?.first;
  if (!first) return null;
  const credentialId = encodeBase64Url(new Uint8Array(got.rawId));
  const { salt } = locks.find(({ credential_id }) => credential_id === credentialId);
  return { credentialId, salt, secret: new Uint8Array(first) };
}
