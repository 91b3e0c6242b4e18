/**
 * The certificate that came with a request, held against the name under which somebody asks.
 *
 * This wallet knows no authority for platforms, so no chain is followed: a certificate ties the request to a key and a
 * name, and doesn't prove the name. Pages say so. What is checked all the same: that the leaf can be read, is in time, is
 * no authority's and not its own issuer's, may sign, and is the one that the name stands for.
 *
 * Source: OpenID4VP 1.0, section 5.9.3; RFC 5280, section 4; X.690, sections 8 and 10; HAIP 1.0, section 5.
 */

import { reject } from "./errors.js";
import { encodeBase64Url, nowSeconds } from "./jose.js";

export const SAN_DNS_PREFIX = "x509_san_dns:";
export const HASH_PREFIX = "x509_hash:";
const MAX_CERTIFICATES = 4;
const MAX_BYTES = 8192;
const [INTEGER, BIT_STRING, OCTET_STRING, OID, UTC_TIME, SEQUENCE, VERSION, EXTENSIONS, DNS_NAME] = [2, 3, 4, 6, 0x17, 0x30, 0xa0, 0xa3, 0x82];
const [KEY_USAGE, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENDED_USAGE] = ["551d0f", "551d11", "551d13", "551d25"];
const UNDERSTOOD = new Set([KEY_USAGE, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENDED_USAGE]);
const DIGITAL_SIGNATURE = 0x80;
const KEYS = {
  "2a8648ce3d030107": { name: "ECDSA", namedCurve: "P-256" },
  "2b81040022": { name: "ECDSA", namedCurve: "P-384" },
};

/**
 * Return the key of the leaf that a client identifier stands for.
 * @param {string} clientId With one of the two prefixes.
 * @param {any} x5c Of the header; not to be believed yet.
 * @returns {Promise<object>} A JWK.
 */
export async function findCertifiedKey(clientId, x5c) {
  const leaf = readLeaf(x5c);
  const certificate = readCertificate(leaf);
  checkLeaf(certificate);
  if (clientId.startsWith(SAN_DNS_PREFIX)) {
    if (!certificate.dnsNames.includes(clientId.slice(SAN_DNS_PREFIX.length))) throw reject("certificate_name");
  } else {
    const hash = encodeBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", leaf)));
    if (hash !== clientId.slice(HASH_PREFIX.length)) throw reject("certificate_hash");
  }
  const key = await crypto.subtle.importKey("spki", certificate.keyInfo, certificate.algorithm, true, ["verify"]).catch(() => null);
  if (key === null) throw reject("certificate_key");
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  return { kty, crv, x, y };
}

function readLeaf(x5c) {
  const isList = Array.isArray(x5c) && x5c.length >= 1 && x5c.length <= MAX_CERTIFICATES;
  if (!isList || x5c.some((each) => typeof each !== "string" || each.length > MAX_BYTES * 2 || !/^[A-Za-z0-9+/]+={0,2}$/.test(each))) throw reject("x5c");
  try {
    return Uint8Array.from(atob(x5c[0]), (character) => character.charCodeAt(0));
  } catch {
    throw reject("x5c");
  }
}

function checkLeaf({ notBefore, notAfter, isOwnIssuer, extensions }) {
  const now = nowSeconds();
  if (now < notBefore || now > notAfter) throw reject("certificate_time");
  if (isOwnIssuer) throw reject("certificate_self_signed");
  if (extensions.some(({ id, isCritical }) => isCritical && !UNDERSTOOD.has(id))) throw reject("certificate_extension");
  const constraints = contentOf(extensions, BASIC_CONSTRAINTS);
  if (constraints !== null && constraints.some((each) => each.tag === 1 && each.bytes[0] !== 0)) throw reject("certificate_authority");
  const usage = extensions.find(({ id }) => id === KEY_USAGE);
  if (usage !== undefined && (readOne(usage.value, BIT_STRING).bytes[1] & DIGITAL_SIGNATURE) === 0) throw reject("certificate_usage");
}

function readCertificate(der) {
  const [signed] = readAll(readOne(der, SEQUENCE).bytes);
  const parts = readAll(expect(signed, SEQUENCE).bytes);
  if (parts[0]?.tag === VERSION) parts.shift();
  const [serial, , issuer, validity, subject, keyInfo, ...more] = parts;
  expect(serial, INTEGER);
  const extensions = readExtensions(more.find((each) => each.tag === EXTENSIONS));
  const [notBefore, notAfter] = readAll(expect(validity, SEQUENCE).bytes).map(readTime);
  const names = contentOf(extensions, ALTERNATIVE_NAMES) ?? [];
  return {
    notBefore,
    notAfter,
    isOwnIssuer: hex(expect(issuer, SEQUENCE).bytes) === hex(expect(subject, SEQUENCE).bytes),
    keyInfo: expect(keyInfo, SEQUENCE).whole,
    algorithm: readAlgorithm(keyInfo),
    extensions,
    dnsNames: names.filter((each) => each.tag === DNS_NAME).map((each) => text(each.bytes).toLowerCase()),
  };
}

function readAlgorithm(keyInfo) {
  const [identifier] = readAll(keyInfo.bytes);
  const [, curve] = readAll(expect(identifier, SEQUENCE).bytes);
  const algorithm = curve === undefined ? undefined : KEYS[hex(curve.bytes)];
  if (algorithm === undefined) throw reject("certificate_key");
  return algorithm;
}

function readExtensions(holder) {
  if (holder === undefined) return [];
  const found = readAll(readOne(holder.bytes, SEQUENCE).bytes).map((each) => {
    const parts = readAll(expect(each, SEQUENCE).bytes);
    return { id: hex(expect(parts[0], OID).bytes), isCritical: parts.length === 3 && parts[1].bytes[0] !== 0, value: expect(parts.at(-1), OCTET_STRING).bytes };
  });
  if (new Set(found.map(({ id }) => id)).size !== found.length) throw reject("certificate_extension");
  return found;
}

function contentOf(extensions, id) {
  const found = extensions.find((each) => each.id === id);
  return found === undefined ? null : readAll(readOne(found.value, SEQUENCE).bytes);
}

// Years of two digits lie between 1950 and 2049.
function readTime({ tag, bytes }) {
  const digits = text(bytes);
  const year = tag === UTC_TIME ? `${Number(digits.slice(0, 2)) < 50 ? "20" : "19"}${digits}` : digits;
  const [, ...parts] = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(year) ?? [];
  if (parts.length === 0) throw reject("certificate_time");
  const [y, month, day, hour, minute, second] = parts.map(Number);
  return Date.UTC(y, month - 1, day, hour, minute, second) / 1000;
}

function readOne(der, tag) {
  const [only, ...rest] = readAll(der);
  if (rest.length > 0) throw reject("certificate");
  return expect(only, tag);
}

function expect(element, tag) {
  if (element?.tag !== tag) throw reject("certificate");
  return element;
}

/** @returns {{tag: number, bytes: Uint8Array, whole: Uint8Array}[]} The elements that stand one after another. */
function readAll(der) {
  const elements = [];
  for (let at = 0; at < der.length; ) {
    const { start, length } = readLength(der, at + 1);
    const end = start + length;
    if ((der[at] & 0x1f) === 0x1f || end > der.length || der.length > MAX_BYTES) throw reject("certificate");
    elements.push({ tag: der[at], bytes: der.subarray(start, end), whole: der.slice(at, end) });
    at = end;
  }
  return elements;
}

// One byte, or as few as it takes to say more; nothing here is longer than two bytes can say.
function readLength(der, at) {
  const first = der[at];
  if (first < 0x80) return { start: at + 1, length: first };
  const count = first - 0x80;
  const length = count === 1 ? der[at + 1] : der[at + 1] * 256 + der[at + 2];
  if (!(count === 1 || count === 2) || !(length >= (count === 1 ? 0x80 : 0x100))) throw reject("certificate");
  return { start: at + 1 + count, length };
}

function text(bytes) {
  return String.fromCharCode(...bytes);
}

function hex(bytes) {
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}
