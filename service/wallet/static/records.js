/**
 * What the wallet knows of one credential of the store:
 *
 * {id, issuer, issuerName, configurationId, vct, format, display: {name, description, labels}, receivedAt,
 *  copies: [{kid, compact}], claims: {...}, issuedAt, expiresAt, statusReference: {uri, idx} | null,
 *  status: {state: "valid"|"suspended"|"revoked"|"unknown", checkedAt, issuedAt, expiresAt, nextAt} | null}; see `status.js`
 *
 * `claims` are all of the first copy, for reading; what is shown to anybody is always cut from a copy anew.
 */

import { clean, describeType, formatCivilDay, formatInstant, hasWords, nameCountry, t } from "./text.js";

const COUNTRY_CLAIMS = new Set(["country", "nationality", "jurisdiction"]);
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?Z)?$/;

/** Claims that stand in plain in every credential and say nothing about the person. */
export const PLAIN_CLAIMS = new Set(["iss", "vct", "vct#integrity", "aka_vcts", "cnf", "status", "iat", "nbf", "exp", "_sd_alg"]);

/** @returns {string} What people call it: our own words for our types, else the issuer's. */
export function nameOf(credential) {
  return clean(describeType(credential.vct).name ?? credential.display?.name ?? credential.vct, 80);
}

export function descriptionOf(credential) {
  return clean(describeType(credential.vct).description ?? credential.display?.description ?? "", 300);
}

export function labelOf(credential, name) {
  return clean(describeType(credential.vct).labels?.[name] ?? credential.display?.labels?.[name] ?? name, 80);
}

/** @returns {[string, any][]} The claims about the person, in the order of the type's words. */
export function personalClaims(credential) {
  const order = Object.keys(describeType(credential.vct).labels ?? {});
  const place = (name) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return Object.entries(credential.claims)
    .filter(([name]) => !PLAIN_CLAIMS.has(name))
    .sort(([a], [b]) => place(a) - place(b));
}

/** @returns {"revoked"|"suspended"|"expired"|"valid"|"unknown"} */
export function stateOf(credential, now = Date.now() / 1000) {
  const { state = "unknown", expiresAt = null } = credential.status ?? {};
  if (state === "revoked") return "revoked";
  if (credential.expiresAt !== null && credential.expiresAt <= now) return "expired";
  if (credential.statusReference === null) return "valid"; // its issuer publishes none
  return expiresAt !== null && expiresAt <= now ? "unknown" : state; // past its end, a list says nothing
}

/** @returns {string} A claim's value as people read it: codes, countries and times in words, the rest as it is. */
export function valueInWords({ vct }, name, value) {
  const isOurs = describeType(vct).labels !== undefined;
  if (!isOurs || typeof value !== "string") return clean(value);
  const words = `value.${name}.${value}`;
  if (hasWords(words)) return t(words);
  if (COUNTRY_CLAIMS.has(name)) return nameCountry(value);
  const seconds = TIME.test(value) ? Date.parse(value) / 1000 : NaN;
  if (Number.isNaN(seconds)) return clean(value);
  return value.length === 10 ? formatCivilDay(seconds) : formatInstant(seconds);
}

export function hostOf(address) {
  try {
    return new URL(address).host;
  } catch {
    return clean(address, 80);
  }
}

/** @param {object|null} status What was found the last time; null before the first. */
export function stateInWords(state, status) {
  return t(state === "unknown" && status === null ? "state.unchecked" : `state.${state}`);
}
