/** DCQL: what a platform asks for, and which held credentials answer it. Source: OpenID4VP 1.0, sections 6 and 7. */

import { WalletError } from "./errors.js";
import { isObject } from "./jose.js";
import { FORMAT } from "./sd-jwt.js";

// Far above any real query; keeps matching cheap whatever a platform sends.
const MAX_ITEMS = 100;
const ID = /^[A-Za-z0-9_-]+$/;

/**
 * Read a query strictly; unknown members are ignored.
 * @returns {{credentials: object[], sets: {options: string[][], required: boolean}[]|null}}
 */
export function parseQuery(raw) {
  const credentials = list(raw, "credentials").map(readCredential);
  const ids = new Set(credentials.map((each) => each.id));
  if (ids.size !== credentials.length) throw invalid("id");
  if (raw.credential_sets === undefined) return { credentials, sets: null };
  const sets = list(raw, "credential_sets").map((each) => ({
    options: list(each, "options").map((option) => readIds(option, ids)),
    required: readBoolean(each, "required", true),
  }));
  return { credentials, sets };
}

/**
 * Find what may be sent.
 * @param {object[]} held Credential records, preferred first.
 * @returns {Map<string, {credential: object, paths: any[][]}[]>} Candidates by query id, for all that is to be answered:
 *     of each credential set the first option that can be met. Empty if what is required can't be met.
 */
export function matchQuery(query, held, { includeOptional = true } = {}) {
  const found = new Map();
  for (const item of query.credentials) {
    const matches = matchCredential(item, held);
    if (matches.length > 0) found.set(item.id, matches);
  }
  const wanted = query.sets === null ? chooseAll(query, found) : chooseOptions(query.sets, found, includeOptional);
  return wanted === null ? new Map() : new Map([...found].filter(([id]) => wanted.has(id)));
}

/** What is asked for and missing: `{vct, claims}` of each credential query that nothing answers. */
export function findGaps(query, held) {
  const gaps = query.credentials.filter((item) => matchCredential(item, held).length === 0);
  return gaps.map((item) => {
    const ofType = held.filter((each) => item.types.includes(each.vct));
    const lacking = ofType.length === 0 ? [] : item.claims.filter((claim) => !hasClaim(ofType[0].claims, claim));
    return { types: item.types, hasType: ofType.length > 0, claims: lacking.map((claim) => claim.path.join(".")) };
  });
}

/** The elements that a claims path selects; empty where the rules say "error". Source: section 7.1.1. */
export function selectClaims(claims, path) {
  let selected = [claims];
  for (const component of path) {
    const fits = (element) => (typeof component === "string" ? isObject(element) : Array.isArray(element));
    if (!selected.every(fits)) return [];
    selected = selected.flatMap((element) => children(element, component));
  }
  return selected;
}

function children(element, component) {
  if (component === null) return element;
  return Object.hasOwn(element, component) ? [element[component]] : [];
}

function chooseAll(query, found) {
  const ids = query.credentials.map((item) => item.id);
  return ids.every((id) => found.has(id)) ? new Set(ids) : null;
}

function chooseOptions(sets, found, includeOptional) {
  const chosen = new Set();
  for (const { options, required } of sets.filter((each) => each.required || includeOptional)) {
    const option = options.find((ids) => ids.every((id) => found.has(id)));
    if (option === undefined && required) return null;
    for (const id of option ?? []) chosen.add(id);
  }
  return chosen;
}

// Trusted authorities are hints of certificate chains, which no credential of this wallet is chosen by: such a query
// is answered by none rather than by one that the platform would refuse.
function matchCredential(item, held) {
  if (item.format !== FORMAT || item.hasAuthorities) return [];
  const fitting = held.filter((each) => each.format === FORMAT && item.types.includes(each.vct));
  const matches = fitting.map((credential) => ({ credential, paths: choosePaths(item, credential.claims) }));
  return matches.filter((match) => match.paths !== null);
}

function choosePaths(item, claims) {
  const met = item.claims.filter((claim) => hasClaim(claims, claim));
  if (item.claimSets === null) return met.length === item.claims.length ? met.map((claim) => claim.path) : null;
  const paths = new Map(met.map((claim) => [claim.id, claim.path]));
  const set = item.claimSets.find((ids) => ids.every((id) => paths.has(id)));
  return set === undefined ? null : set.map((id) => paths.get(id));
}

function hasClaim(claims, { path, values }) {
  const selected = selectClaims(claims, path);
  return values === null ? selected.length > 0 : selected.some((found) => values.includes(found));
}

function readCredential(raw) {
  const claims = raw?.claims === undefined ? [] : list(raw, "claims").map(readClaim);
  const ids = claims.map((claim) => claim.id).filter((id) => id !== null);
  if (new Set(ids).size !== ids.length) throw invalid("claims");
  const hasSets = raw?.claim_sets !== undefined;
  if (hasSets && ids.length !== claims.length) throw invalid("claim_sets");
  if (!isObject(raw) || !isObject(raw.meta) || readText(raw, "format") === "") throw invalid("meta");
  return {
    id: readId(raw),
    format: raw.format,
    types: raw.format === FORMAT ? readTexts(raw.meta, "vct_values") : [],
    multiple: readBoolean(raw, "multiple", false),
    claims,
    claimSets: hasSets ? list(raw, "claim_sets").map((each) => readIds(each, new Set(ids))) : null,
    hasAuthorities: raw.trusted_authorities !== undefined,
    isBound: readBoolean(raw, "require_cryptographic_holder_binding", true),
  };
}

function readClaim(raw) {
  const path = list(raw, "path");
  const valid = (each) => each === null || typeof each === "string" || (Number.isInteger(each) && each >= 0);
  if (!path.every(valid)) throw invalid("path");
  const values = raw.values === undefined ? null : list(raw, "values");
  const plain = (each) => typeof each === "string" || typeof each === "boolean" || Number.isInteger(each);
  if (values !== null && !values.every(plain)) throw invalid("values");
  return { id: raw.id === undefined ? null : readId(raw), path, values };
}

function readIds(raw, known) {
  if (!Array.isArray(raw) || raw.length === 0 || raw.length > MAX_ITEMS || !raw.every((id) => known.has(id))) throw invalid("options");
  return raw;
}

function readTexts(source, name) {
  const texts = list(source, name);
  if (!texts.every((each) => typeof each === "string" && each !== "")) throw invalid(name);
  return texts;
}

function readId(source) {
  const id = readText(source, "id");
  if (!ID.test(id)) throw invalid("id");
  return id;
}

function readText(source, name) {
  if (typeof source?.[name] !== "string" || source[name] === "") throw invalid(name);
  return source[name];
}

function readBoolean(source, name, fallback) {
  const value = source[name] ?? fallback;
  if (typeof value !== "boolean") throw invalid(name);
  return value;
}

function list(source, name) {
  const value = isObject(source) ? source[name] : null;
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ITEMS) throw invalid(name);
  return value;
}

function invalid(where) {
  return new WalletError("request_invalid", { code: `dcql_query: ${where}` });
}
