/** Which credentials answer a request, and which of their copies. */

import { findGaps, matchQuery } from "./dcql.js";
import { PLAIN_CLAIMS, stateOf } from "./records.js";
import { disclose, readClaims } from "./sd-jwt.js";

/**
 * Find what can be shown, preferred first: usable before expired, newer before older.
 * @returns {{candidates: Map<string, {credential: object, paths: any[][]}[]>, gaps: object[]}}
 */
export function findCandidates(query, held) {
  const rank = (credential) => ["valid", "unknown"].includes(stateOf(credential)) ? 0 : 1;
  const sorted = [...held].sort((a, b) => rank(a) - rank(b) || b.receivedAt - a.receivedAt);
  const candidates = matchQuery(query, sorted);
  return { candidates, gaps: candidates.size > 0 ? [] : findGaps(query, sorted) };
}

/**
 * Choose the copies: all bound to one key, for platforms take credentials only together if they are. Platforms link by
 * that key, so it is the one that this platform has seen before, else the one that was shown least often.
 * @param {Map<string, {credential: object, paths: any[][]}>} chosen By query id.
 * @returns {Map<string, {credential: object, paths: any[][], copy: object}>|null} Null if no key is common to all.
 */
export function chooseCopies(chosen, history, clientId) {
  const lists = [...chosen.values()].map(({ credential }) => credential.copies.map((copy) => copy.kid));
  const common = (lists[0] ?? []).filter((kid) => lists.every((kids) => kids.includes(kid)));
  const shown = (entry) => entry.credentials.map((each) => each.kid);
  const seen = new Set(history.filter((entry) => entry.clientId === clientId).flatMap(shown));
  const uses = (kid) => history.filter((entry) => shown(entry).includes(kid)).length;
  const [best] = common.sort((a, b) => Number(seen.has(b)) - Number(seen.has(a)) || uses(a) - uses(b));
  if (best === undefined) return null;
  const withCopy = (each) => ({ ...each, copy: each.credential.copies.find((copy) => copy.kid === best) });
  return new Map([...chosen].map(([id, each]) => [id, withCopy(each)]));
}

/** What a platform would learn about the person, and what it would not. */
export async function previewDisclosure({ credential, paths }) {
  const { claims } = await readClaims(await disclose(credential.copies[0].compact, paths));
  const personal = (all) => Object.entries(all).filter(([name]) => !PLAIN_CLAIMS.has(name));
  const hidden = personal(credential.claims).filter(([name]) => !Object.hasOwn(claims, name));
  return { shown: Object.fromEntries(personal(claims)), hidden: Object.fromEntries(hidden) };
}
