/** base64url, strict JSON, compact JWS and JWE. Source: RFC 7515, 7516, 7518, 8259. */

import { reject } from "./errors.js";

const MAX_BYTES = 1024 * 1024;
const MAX_DEPTH = 32;

export function encodeBase64Url(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Decode strictly: no padding, no other alphabet, no stray bits. */
export function decodeBase64Url(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw reject("base64url");
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
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
