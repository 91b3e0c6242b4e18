/**
 * Transactions that a platform asks the holder to agree to: only what this wallet can put into words.
 * Source: OpenID4VP 1.0, sections 5.1 and 8.4, appendix B.3.3.
 */

import { WalletError } from "./errors.js";
import { decodeBase64Url, isObject, parseObject } from "./jose.js";
import { hashTransaction } from "./sd-jwt.js";
import { clean, hasWords, t } from "./text.js";

const TRADE = "urn:goodstanding:transaction:trade:1";
const REPRESENTATION = "urn:goodstanding:transaction:representation:1";
const HASHES = ["sha-256", "sha-384", "sha-512"];
const DEFAULT_HASH = "sha-256";
const MAX_ENTRIES = 10;
const MAX_QUANTITY = 10n ** 30n;

const matches = (pattern) => (value) => typeof value === "string" && pattern.test(value);
const isId = matches(/^[A-Za-z0-9_.-]{1,64}$/);
const isHash = matches(/^[0-9a-f]{64}$/);
const isAmount = matches(/^(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?$/);
const isCurrency = matches(/^[A-Z]{3}$/);
const isWhole = matches(/^[1-9][0-9]{0,30}$/);
const isMoney = (value) => isObject(value) && Object.keys(value).sort().join() === "amount,currency" && isAmount(value.amount) && isCurrency(value.currency);
const isDay = (value) => matches(/^\d{4}-\d{2}-\d{2}$/)(value) && new Date(`${value}T00:00:00Z`).toJSON()?.startsWith(value) === true;
const FIELDS = {
  [TRADE]: {
    security_id: { is: isId },
    security_name: { is: matches(/^[^\x00-\x1f\x7f]{1,200}$/u), optional: true },
    side: { is: (value) => value === "buy" || value === "sell" },
    quantity: { is: (value) => isWhole(value) && BigInt(value) <= MAX_QUANTITY },
    unit_decimals: { is: (value) => Number.isInteger(value) && value >= 0 && value <= 30, optional: true },
    price: { is: isMoney },
    trade_date: { is: isDay, optional: true },
    terms_sha256: { is: isHash },
  },
  [REPRESENTATION]: {
    representation: { is: (value) => typeof value === "string" },
    statement: { is: matches(/^[^\x00-\x1f\x7f]{1,1000}$/u) },
    security_id: { is: isId, optional: true },
    minimum_investment: { is: isMoney, optional: true },
    terms_sha256: { is: isHash, optional: true },
  },
};
const PROTOCOL_MEMBERS = new Set(["type", "credential_ids", "transaction_data_hashes_alg"]);

/** @returns {Promise<object[]>} Each known, well-formed, and tied to credentials that the query asks for. */
export async function readTransactions(claims, query, isSigned) {
  if (!("transaction_data" in claims)) return [];
  const raw = claims.transaction_data;
  if (!isSigned) throw refuse("unsigned");
  if (!Array.isArray(raw) || raw.length === 0 || raw.length > MAX_ENTRIES) throw refuse("list");
  const answerable = new Set(query.credentials.filter((item) => item.isBound).map((item) => item.id));
  const statements = await (await fetch("statements.json")).json();
  return raw.map((each) => readEntry(each, answerable, statements));
}

function readEntry(encoded, answerable, statements) {
  const members = typeof encoded === "string" ? parseObject(decodeBase64Url(encoded)) : {};
  const { type, credential_ids: ids, transaction_data_hashes_alg: named } = members;
  if (!isTexts(ids) || !ids.every((id) => answerable.has(id))) throw refuse("credential_ids");
  if (named !== undefined && !isTexts(named)) throw refuse("transaction_data_hashes_alg");
  const algorithms = HASHES.filter((each) => (named ?? [DEFAULT_HASH]).includes(each));
  const definition = Object.hasOwn(FIELDS, type) ? FIELDS[type] : null;
  if (algorithms.length === 0 || definition === null) throw refuse(clean(type ?? "type", 80));
  const fields = Object.fromEntries(Object.entries(members).filter(([name]) => !PROTOCOL_MEMBERS.has(name)));
  checkFields(fields, definition);
  if (type === REPRESENTATION) checkRepresentation(fields, statements);
  return { encoded, type, credentialIds: ids, algorithms, isNamed: named !== undefined, fields };
}

function checkFields(fields, definition) {
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(definition, name));
  if (unknown !== undefined) throw refuse(clean(unknown, 80));
  for (const [name, { is, optional }] of Object.entries(definition)) {
    if (name in fields ? !is(fields[name]) : !optional) throw refuse(name);
  }
}

// The holder must sign the sentence that is shown, not a code that stands for one.
function checkRepresentation(fields, statements) {
  const known = Object.hasOwn(statements, fields.representation) ? statements[fields.representation] : null;
  if (known === null || fields.statement !== known) throw refuse("statement");
  if ("minimum_investment" in fields !== (fields.representation === "us.506c.min_investment")) throw refuse("minimum_investment");
}

/** @returns {[string, string][]} What a holder agrees to, as labels with values. */
export function describeTransaction({ type, fields }) {
  const lines = [];
  if (type === TRADE) {
    const quantity = scale(fields.quantity, fields.unit_decimals ?? 0);
    lines.push([t(fields.side === "sell" ? "agree.sell" : "agree.buy"), t("agree.quantity", { quantity, security: fields.security_id })]);
  } else {
    lines.push([t("agree.declare"), fields.statement]);
    const translated = `statement.${fields.representation}`;
    if (hasWords(translated)) lines.push([t("agree.translation"), t(translated)]);
  }
  if (fields.security_name) lines.push([t("agree.named"), clean(fields.security_name, 200)]);
  if (fields.price) lines.push([t("agree.price"), t("agree.per_unit", { price: money(fields.price) })]);
  if (type === REPRESENTATION && fields.security_id) lines.push([t("agree.security"), fields.security_id]);
  if (fields.minimum_investment) lines.push([t("agree.minimum"), money(fields.minimum_investment)]);
  if (fields.trade_date) lines.push([t("agree.date"), fields.trade_date]);
  if (fields.terms_sha256) lines.push([t("agree.terms"), fields.terms_sha256]);
  return lines;
}

/**
 * Tie each agreement to the first credential on show that it allows.
 * @param {string[]} shownIds Query ids.
 * @returns {Promise<Map<string, {hashes: string[], algorithm: string|null}>>} By query id.
 */
export async function assignTransactions(entries, shownIds) {
  const groups = new Map();
  for (const entry of entries) {
    const carrier = shownIds.find((id) => entry.credentialIds.includes(id));
    if (carrier === undefined) throw new WalletError("nothing_fits");
    groups.set(carrier, [...(groups.get(carrier) ?? []), entry]);
  }
  const signed = new Map();
  for (const [id, group] of groups) {
    const algorithm = HASHES.find((each) => group.every((entry) => entry.algorithms.includes(each)));
    if (algorithm === undefined) throw refuse("transaction_data_hashes_alg");
    const hashes = await Promise.all(group.map((entry) => hashTransaction(entry.encoded, algorithm)));
    signed.set(id, { hashes, algorithm: group.some((entry) => entry.isNamed) ? algorithm : null });
  }
  return signed;
}

function scale(quantity, decimals) {
  if (decimals === 0) return quantity;
  const digits = quantity.padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

function money({ amount, currency }) {
  return `${amount} ${currency}`;
}

function isTexts(value) {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string");
}

function refuse(code) {
  return new WalletError("transaction_refused", { code });
}
