/**
 * Whether credentials still stand, by the status lists of their issuers. A whole list is fetched, so its issuer doesn't
 * learn which credential is looked up. A verifier's order:
 * 1. the list comes from the address that the credential names;
 * 2. it is signed by the credential's issuer;
 * 3. it is about that address, valid now, and not older than one that was seen;
 * 4. it inflates within bounds and reaches the credential's index.
 *
 * Source: draft-ietf-oauth-status-list-20, sections 4, 5 and 8.3.
 */

import { findIssuerKey } from "./did.js";
import { reject, WalletError } from "./errors.js";
import { refused, request } from "./http.js";
import { checkTimes, decodeBase64Url, isObject, nowSeconds, parseJws, readTime, verifyJws } from "./jose.js";
import { all, exclusively, get, put } from "./store.js";

const MEDIA_TYPE = "application/statuslist+jwt";
const STATES = ["valid", "revoked", "suspended"];
const MAX_PACKED_BYTES = 8 * 1024 * 1024;
const LEAST_PAUSE_S = 60;
const PAUSE_S = 3600; // between looks that nobody asked for

/**
 * Look up the credentials whose status is due, and keep what was found.
 *
 * @param {{now?: boolean, id?: string|null}} [wanted] `now` looks up what isn't due too; `id` one credential alone.
 * @returns {Promise<WalletError|null>} The last failure, if any; what was known before stays, with its time.
 */
export async function refreshStatuses({ now = false, id = null } = {}) {
  return exclusively("status", async () => {
    const lists = new Map();
    let failure = null;
    for (const credential of (await all("credentials")).filter((each) => id === null || each.id === id)) {
      if (credential.statusReference === null || !(now || isDue(credential))) continue;
      try {
        await keep(credential.id, await lookUp(credential, lists));
      } catch (error) {
        failure = error instanceof WalletError ? error : new WalletError("unexpected", { cause: error });
        tried.set(credential.id, nowSeconds());
      }
    }
    return failure;
  });
}

const tried = new Map(); // when a look failed, by credential, so that a page that is drawn anew doesn't ask at once

function isDue({ id, status }) {
  const time = nowSeconds();
  return time >= (status?.nextAt ?? 0) && time >= (tried.get(id) ?? 0) + LEAST_PAUSE_S;
}

async function lookUp({ issuer, statusReference, status }, lists) {
  const { uri, idx } = statusReference;
  const listed = JSON.stringify([issuer, uri]);
  if (!lists.has(listed)) lists.set(listed, fetchList(issuer, uri));
  const list = await lists.get(listed);
  if (status && list.issuedAt < status.issuedAt) throw reject("status_list_older");
  const { issuedAt, expiresAt, nextAt } = list;
  return { state: readState(list, idx), checkedAt: nowSeconds(), issuedAt, expiresAt, nextAt };
}

async function fetchList(issuer, uri) {
  const answer = await request(uri, { headers: { Accept: MEDIA_TYPE } }); // (1)
  if (answer.status !== 200) throw refused(answer, "status_unavailable");
  const jws = parseJws(answer.body);
  const claims = await verifyJws(jws, await findIssuerKey(issuer, jws.header.kid), ["statuslist+jwt"]); // (2)
  if (claims.sub !== uri) throw reject("status_list_subject"); // (3)
  checkTimes(claims);
  const issuedAt = readTime(claims, "iat");
  if (issuedAt === null) throw reject("iat_missing");
  const { bits, packed } = await inflate(claims.status_list); // (4)
  const pause = Math.max(LEAST_PAUSE_S, Math.min(readTime(claims, "ttl") ?? PAUSE_S, PAUSE_S));
  return { bits, packed, issuedAt, expiresAt: readTime(claims, "exp"), nextAt: nowSeconds() + pause };
}

async function inflate(list) {
  const known = isObject(list) && [1, 2, 4, 8].includes(list.bits) && typeof list.lst === "string";
  if (!known) throw reject("status_list");
  const stream = new Blob([decodeBase64Url(list.lst)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const parts = [];
  let size = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length;
      if (size > MAX_PACKED_BYTES) throw reject("status_list_too_large");
      parts.push(part.value);
    }
  } catch (error) {
    throw error instanceof WalletError ? error : reject("status_list_damaged");
  } finally {
    void reader.cancel().catch(() => undefined);
  }
  return { bits: list.bits, packed: new Uint8Array(await new Blob(parts).arrayBuffer()) };
}

/** The lowest bits of the first byte are the first status. */
function readState({ bits, packed }, index) {
  const place = index * bits;
  const byte = Math.floor(place / 8);
  if (byte >= packed.length) throw reject("status_index");
  return STATES[(packed[byte] >> place % 8) & ((1 << bits) - 1)] ?? "unknown";
}

// The credential may have been removed or restored meanwhile: what is kept now gets the status, and nothing else does.
async function keep(id, status) {
  const credential = await get("credentials", id);
  if (credential !== undefined) await put("credentials", { ...credential, status });
}
