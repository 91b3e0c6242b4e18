/** JWE to and from a P-256 key: ECDH-ES, direct, with AES-GCM. Source: RFC 7516; RFC 7518, section 4.6. */

import { reject } from "./errors.js";
import { decodeBase64Url, encodeBase64Url, encodeJson, encodeText, isObject, parseObject } from "./jose.js";

export const ENCRYPTION_ALGORITHM = "ECDH-ES";
/** Bits of the content key, in the order of preference. */
export const ENCRYPTION_METHODS = { A256GCM: 256, A128GCM: 128 };
const CURVE = { name: "ECDH", namedCurve: "P-256" };
const TAG_BYTES = 16;

/** @returns {string|null} The method that both sides know. */
export function chooseMethod(offered) {
  return Object.keys(ENCRYPTION_METHODS).find((each) => Array.isArray(offered) && offered.includes(each)) ?? null;
}

/** @returns {object|null} The first key of a set that can be encrypted to. */
export function findEncryptionKey(jwks) {
  const keys = isObject(jwks) && Array.isArray(jwks.keys) ? jwks.keys : [];
  const fits = (key) => isObject(key) && key.kty === "EC" && key.crv === "P-256" && key.alg === ENCRYPTION_ALGORITHM;
  return keys.find((key) => fits(key) && (key.use ?? "enc") === "enc" && !("d" in key)) ?? null;
}

/** @param {Uint8Array} plaintext @param {object} recipient Public JWK. @param {string} method */
export async function encrypt(plaintext, recipient, method) {
  const ephemeral = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", ephemeral.publicKey);
  const header = { alg: ENCRYPTION_ALGORITHM, enc: method, epk: { kty, crv, x, y } };
  if (typeof recipient.kid === "string") header.kid = recipient.kid;
  const encoded = encodeBase64Url(encodeJson(header));
  const key = await deriveKey(ephemeral.privateKey, recipient, method, ["encrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: encodeText(encoded) }, key, plaintext);
  const bytes = new Uint8Array(sealed);
  const parts = [bytes.slice(0, -TAG_BYTES), bytes.slice(-TAG_BYTES)].map(encodeBase64Url);
  return [encoded, "", encodeBase64Url(iv), ...parts].join(".");
}

/** @returns {Promise<{publicJwk: object, open: (token: string) => Promise<Uint8Array>}>} A key for one answer. */
export async function createDecryptionKey() {
  const made = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", made.publicKey);
  const publicJwk = { kty, crv, x, y, alg: ENCRYPTION_ALGORITHM, use: "enc" };
  return { publicJwk, open: (token) => decrypt(token, made.privateKey) };
}

async function decrypt(token, privateKey) {
  const parts = token.split(".");
  if (parts.length !== 5 || parts[1] !== "") throw reject("jwe");
  const header = parseObject(decodeBase64Url(parts[0]));
  const known = header.alg === ENCRYPTION_ALGORITHM && Object.hasOwn(ENCRYPTION_METHODS, header.enc);
  if (!known || "zip" in header || "crit" in header || !isObject(header.epk)) throw reject("jwe_header");
  const key = await deriveKey(privateKey, header.epk, header.enc, ["decrypt"], header.apu, header.apv);
  const [iv, content, tag] = parts.slice(2).map(decodeBase64Url);
  const sealed = new Uint8Array([...content, ...tag]);
  if (iv.length !== 12 || tag.length !== TAG_BYTES) throw reject("jwe");
  const parameters = { name: "AES-GCM", iv, additionalData: encodeText(parts[0]) };
  const plain = await crypto.subtle.decrypt(parameters, key, sealed).catch(() => null);
  if (plain === null) throw reject("jwe_tag");
  return new Uint8Array(plain);
}

// One round of the Concat KDF is enough: no method here needs more bits than SHA-256 gives.
async function deriveKey(privateKey, publicJwk, method, usages, apu = "", apv = "") {
  const { kty, crv, x, y } = publicJwk;
  const other = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, CURVE, false, []).catch(() => null);
  if (other === null) throw reject("jwe_key");
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: other }, privateKey, 256));
  const bits = ENCRYPTION_METHODS[method];
  const info = [encodeText(method), decodeBase64Url(apu), decodeBase64Url(apv)].flatMap((each) => [...word(each.length), ...each]);
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array([...word(1), ...shared, ...info, ...word(bits)]));
  return crypto.subtle.importKey("raw", digest.slice(0, bits / 8), "AES-GCM", false, usages);
}

function word(number) {
  return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255];
}
