/**
 * OpenID4VCI 1.0 from the holder's side. How far an offer got is written down before and after each step, so that a
 * lost connection, a reload or a second tab goes on where it stands, with the same keys, and never does a step twice.
 *
 * An offer of the store: {id, link, openedAt, state, offer, issuerName, items, token, dpopKid, error}, its state
 *   opened     the link is kept, nothing was agreed to
 *   visiting   the person is at the issuer's page; see `visit.js`
 *   agreed     they brought a code back
 *   redeeming  the code was sent; whether it arrived is not known until `redeemed`
 *   redeemed   there is an access token; `items` tell how far each credential is
 *   done       all credentials are in the wallet or were refused
 *   dead       the code is used up; a new link is needed
 * An item: {configurationId, named, kids, state: planned|waiting|received|done|refused, transactionId, nextAt, body, credentialId,
 * error}, where `body` is what came and could not be verified yet.
 */

import { reject, WalletError } from "./errors.js";
import { checkAddress, readError, refused, textMember } from "./http.js";
import { fetchIssuer, findServer } from "./issuer.js";
import { exchange, post } from "./issuer-session.js";
import { isObject, nowSeconds, parseObject, sha256, signJws } from "./jose.js";
import { createKey, sharedKey, signer } from "./keys.js";
import { AUTHORIZATION_CODE_GRANT, fetchOffer, PRE_AUTHORIZED_GRANT } from "./offer.js";
import { verifyReceived } from "./received.js";
import { all, exclusively, get, put, write } from "./store.js";

/** Copies of each credential, with different keys, so that platforms that see different ones can't link them. */
const COPIES = 4;
const DEFAULT_INTERVAL_S = 5;
const MAX_INTERVAL_S = 86_400;
const FINAL = new Set(["credential_request_denied", "invalid_transaction_id", "invalid_token"]);

/**
 * Read an offer and its issuer's metadata, without telling the issuer anything about the holder.
 * @returns {Promise<{record: object, issuer: object, configurations: object[], skipped: string[]}>}
 */
export async function readProposal(id) {
  const record = await readRecord(id);
  const offer = record.offer ?? (await fetchOffer(record.link));
  const issuer = await fetchIssuer(offer.issuer);
  const configurations = offer.configurationIds.map((each) => issuer.configurations.get(each)).filter(Boolean);
  if (configurations.length === 0) throw new WalletError("offer_unsupported", { code: offer.configurationIds.join(", ") });
  const skipped = offer.configurationIds.filter((each) => !issuer.configurations.has(each));
  const read = record.offer ? record : { ...record, offer, issuerName: issuer.name, codeHash: await sha256(`${offer.issuer} ${offer.code ?? offer.issuerState ?? id}`) };
  if (!record.offer) await put("offers", read);
  return { record: read, issuer, configurations, skipped };
}

/** Another offer record with the same code: the same offer came by another link, and counts once. */
export async function findTwin(record) {
  const offers = await all("offers");
  return offers.find((each) => each.id !== record.id && each.codeHash === record.codeHash && each.state !== "opened") ?? null;
}

/**
 * Redeem an offer as far as it goes, verify what comes and keep it.
 * @param {string} id Of the record.
 * @param {string} txCode What the issuer sent apart; "" if none is asked for.
 * @returns {Promise<object>} The record.
 */
export async function accept(id, txCode) {
  return exclusively(`offer-${id}`, async () => {
    const { record, issuer, configurations } = await readProposal(id);
    const redeemed = ["redeemed", "done", "dead"].includes(record.state) ? record : await redeem(record, issuer, configurations, txCode);
    return collectItems(redeemed, issuer, { early: true });
  });
}

/** Ask for what an issuer wanted to decide on later, if it is time. @returns {Promise<object>} The record. */
export async function collect(id) {
  return exclusively(`offer-${id}`, async () => {
    const record = await readRecord(id);
    if (record.state !== "redeemed") return record;
    return collectItems(record, await fetchIssuer(record.offer.issuer), { early: false });
  });
}

/** @returns {Promise<object>} The record; the browser may have thrown it away while its page was open. */
export async function readRecord(id) {
  const record = await get("offers", id);
  if (record === undefined) throw new WalletError("offer_forgotten");
  return record;
}

async function redeem(record, issuer, configurations, txCode) {
  const { offer } = record;
  const isVisit = offer.code === null;
  if (isVisit && !record.agreement) throw new WalletError("visit_over");
  const server = await findServer(issuer, offer.server, isVisit ? AUTHORIZATION_CODE_GRANT : PRE_AUTHORIZED_GRANT);
  if (isVisit && server.identifier !== record.agreement.server) throw reject("authorization_server");
  const dpopKid = server.takesDpop ? (record.dpopKid ?? (await createKey()).kid) : null;
  const wasInterrupted = record.state === "redeeming";
  const redeeming = { ...record, state: "redeeming", dpopKid };
  await put("offers", redeeming);
  const form = isVisit ? record.agreement.form : { grant_type: PRE_AUTHORIZED_GRANT, "pre-authorized_code": offer.code };
  if (offer.txCode !== null) form.tx_code = txCode;
  if (dpopKid !== null) await fetchNonce(issuer).catch(() => undefined); // the answer brings the nonce for the proof, too
  const answer = await post(server.tokenEndpoint, { kid: dpopKid, form });
  if (answer.status !== 200) throw await failRedeeming(redeeming, answer, wasInterrupted);
  const body = parseObject(answer.body);
  const kind = String(body.token_type ?? "").toLowerCase();
  if (kind !== "bearer" && !(kind === "dpop" && dpopKid !== null)) throw new WalletError("offer_unsupported", { code: "token_type" });
  const redeemed = {
    ...redeeming,
    state: "redeemed",
    token: textMember(body, "access_token"),
    isBound: kind === "dpop",
    items: nameItems(configurations, body.authorization_details),
    error: null,
    agreement: null,
  };
  await put("offers", redeemed);
  return redeemed;
}

// After an attempt whose answer was lost, a refused code most likely means that it was used then.
async function failRedeeming(record, answer, wasInterrupted) {
  const { error } = readError(answer);
  if (answer.status >= 500 || answer.status === 429) return refused(answer, "server_busy");
  if (record.offer.code === null) {
    await put("offers", { ...record, state: "opened", agreement: null }); // the code is over; the offer may not be
    return refused(answer, "visit_over");
  }
  const mayTryAgain = error === "invalid_grant" && record.offer.txCode !== null && !wasInterrupted;
  await put("offers", { ...record, state: mayTryAgain ? "opened" : error === "invalid_grant" ? "dead" : "opened" });
  const key = mayTryAgain ? "offer_code_wrong" : wasInterrupted && error === "invalid_grant" ? "offer_lost" : "offer_used";
  return refused(answer, error === "invalid_grant" ? key : "offer_refused");
}

// By the identifiers of the token response if it has them, else by the configuration. Source: section 8.2.
function nameItems(configurations, details) {
  const blank = { state: "planned", kids: null, transactionId: null, nextAt: 0, body: null, credentialId: null, error: null };
  if (details === undefined) {
    return configurations.map(({ id }) => ({ ...blank, configurationId: id, named: { credential_configuration_id: id } }));
  }
  const granted = (Array.isArray(details) ? details : []).filter((each) => isObject(each) && Array.isArray(each.credential_identifiers));
  const items = configurations.flatMap(({ id }) =>
    granted
      .filter((each) => each.credential_configuration_id === id)
      .flatMap((each) => each.credential_identifiers.map((name) => ({ ...blank, configurationId: id, named: { credential_identifier: String(name) } }))),
  );
  if (items.length === 0) throw reject("authorization_details");
  return items;
}

async function collectItems(record, issuer, { early }) {
  let current = record;
  for (const [index, item] of (record.items ?? []).entries()) {
    const isDue = ["planned", "received"].includes(item.state) || (item.state === "waiting" && (early || item.nextAt <= nowSeconds()));
    if (isDue) current = await collectItem(current, index, issuer);
  }
  return forgetKey(current);
}

async function collectItem(record, index, issuer) {
  const session = { kid: record.isBound ? record.dpopKid : null, token: record.token, encryption: issuer.encryption };
  const received = record.items[index].state === "received" ? record : await fetchItem(record, index, issuer, session);
  return received.items[index].state === "received" ? keepCredential(received, index, issuer, session) : received;
}

async function fetchItem(record, index, issuer, session) {
  const item = record.items[index];
  const slots = Array.from({ length: Math.min(COPIES, issuer.batchSize) }, (_, slot) => slot);
  const kids = item.kids ?? (await Promise.all(slots.map((slot) => sharedKey(slot)))).map((key) => key.kid);
  const current = await writeItem(record, index, { kids });
  const answer = item.state === "waiting" ? await askAgain(issuer, session, item) : await askForCredential(issuer, session, { ...item, kids });
  if (answer.status === 202) return remember(current, index, answer);
  if (answer.status !== 200) return refuseItem(current, index, answer);
  return writeItem(current, index, { state: "received", body: parseObject(answer.body) });
}

/** Source: OpenID4VCI 1.0, sections 7, 8.2 and appendix F.1. */
async function askForCredential(issuer, session, item) {
  const send = async () => {
    const nonce = await fetchNonce(issuer);
    const jwts = await Promise.all(item.kids.map((kid) => proveKey(kid, issuer.identifier, nonce)));
    return exchange(issuer.credentialEndpoint, { ...item.named, proofs: { jwt: jwts } }, session);
  };
  const answer = await send();
  return answer.status === 400 && readError(answer).error === "invalid_nonce" ? send() : answer;
}

async function fetchNonce(issuer) {
  if (issuer.nonceEndpoint === null) throw new WalletError("offer_unsupported", { code: "nonce_endpoint" });
  const answer = await post(issuer.nonceEndpoint, {});
  if (answer.status < 200 || answer.status > 299) throw refused(answer, "issuer_unavailable");
  return textMember(parseObject(answer.body), "c_nonce");
}

async function proveKey(kid, audience, nonce) {
  const [{ jwk }, sign] = [await get("keys", kid), await signer(kid)];
  const claims = { aud: audience, iat: nowSeconds(), nonce };
  return signJws({ typ: "openid4vci-proof+jwt", alg: "ES256", jwk }, claims, sign);
}

/** Source: OpenID4VCI 1.0, section 9. */
async function askAgain(issuer, session, item) {
  if (issuer.deferredEndpoint === null) throw new WalletError("offer_unsupported", { code: "deferred_credential_endpoint" });
  return exchange(issuer.deferredEndpoint, { transaction_id: item.transactionId }, session);
}

async function remember(record, index, answer) {
  const body = parseObject(answer.body);
  const transactionId = textMember(body, "transaction_id");
  const known = record.items[index].transactionId;
  if (known !== null && known !== transactionId) throw reject("transaction_id");
  const stated = typeof body.interval === "number" && body.interval > 0 && body.interval <= MAX_INTERVAL_S;
  const nextAt = nowSeconds() + Math.max(1, Math.floor(stated ? body.interval : DEFAULT_INTERVAL_S));
  return writeItem(record, index, { state: "waiting", transactionId, nextAt });
}

// What can't succeed any more is closed, and says so; anything else may be tried again.
async function refuseItem(record, index, answer) {
  const { error } = readError(answer);
  const isFinal = FINAL.has(error) || answer.status === 401;
  const key = record.items[index].state === "waiting" && error === "credential_request_denied" ? "credential_denied" : "offer_lost";
  const failure = refused(answer, isFinal ? key : "offer_refused");
  if (!isFinal) throw failure;
  return writeItem(record, index, { state: "refused", error: { key: failure.key, code: failure.code } });
}

// What can't be verified because keys can't be fetched is tried again; what isn't genuine is dropped, for ever.
async function keepCredential(record, index, issuer, session) {
  const { body, kids, configurationId } = record.items[index];
  let credential;
  try {
    const configuration = issuer.configurations.get(configurationId);
    if (configuration === undefined) throw reject("credential_configuration");
    credential = await verifyReceived(body, configuration, kids, issuer);
  } catch (error) {
    if (error.retry) throw error;
    const { key = "error.unexpected", code = error.message } = error;
    const refusal = await writeItem(record, index, { state: "refused", body: null, error: { key, code } });
    await notify(issuer, session, body, "credential_failure");
    return refusal;
  }
  const done = changeItem(record, index, { state: "done", body: null, credentialId: credential.id });
  await write([["credentials", credential], ["offers", done]]);
  await notify(issuer, session, body, "credential_accepted");
  await navigator.storage?.persist?.();
  return done;
}

async function writeItem(record, index, changes) {
  const changed = changeItem(record, index, changes);
  await put("offers", changed);
  return changed;
}

function changeItem(record, index, changes) {
  const items = record.items.map((each, place) => (place === index ? { ...each, ...changes } : each));
  const isOver = items.every((each) => each.state === "done" || each.state === "refused");
  return isOver ? { ...record, items, state: "done", token: null } : { ...record, items };
}

// The key that a token was bound to lives as long as the offer: no two issuers see the same.
async function forgetKey(record) {
  if (record.state !== "done" || !record.dpopKid) return record;
  const forgotten = { ...record, dpopKid: null };
  await write([["offers", forgotten], ["keys", { remove: record.dpopKid }]]);
  return forgotten;
}

/** Tell the issuer what became of a response; that it can't be told is passed over. Source: section 11.1. */
async function notify(issuer, session, body, event) {
  if (issuer.notificationEndpoint === null || typeof body.notification_id !== "string") return;
  try {
    checkAddress(issuer.notificationEndpoint);
    await post(issuer.notificationEndpoint, { kid: session.kid, token: session.token, json: { notification_id: body.notification_id, event } });
  } catch {
    // The credential is kept or lost all the same.
  }
}
