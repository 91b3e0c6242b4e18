/**
 * OpenID4VP 1.0 from the holder's side. A request is answered once: that it is sent is written down first, and what is
 * sent again after a lost connection is the same answer, byte for byte, which a platform takes once.
 *
 * A request of the store: {id, link, openedAt, state, historyId, form, responseUri, redirectUri}, its state
 *   opened    nothing was sent
 *   sending   an answer was made; whether it arrived isn't known
 *   answered  the platform took it
 *   refused   the platform didn't take it
 *   unclear   the platform didn't take it when it was sent again; it may have taken what was sent before
 *   declined  the person said no, and the platform knows
 *   untold    the person said no, and the platform could not be told
 * A history entry: {id, at, clientId, name, host, purpose, outcome: the same words, credentials: [{credentialId, name,
 *   vct, issuer, kid, claims: {name: value}}], agreed: [[label, value]]}
 */

import { reject, WalletError } from "./errors.js";
import { refused, request } from "./http.js";
import { encodeJson, nowSeconds, parseObject, sha256 } from "./jose.js";
import { chooseMethod, encrypt, findEncryptionKey } from "./jwe.js";
import { signer } from "./keys.js";
import { nameOf, PLAIN_CLAIMS } from "./records.js";
import { present, readClaims } from "./sd-jwt.js";
import { exclusively, get, write } from "./store.js";
import { assignTransactions, describeTransaction } from "./transactions.js";
import { sendError } from "./verifier.js";

/**
 * Send what the person agreed to, and nothing else.
 * @param {string} id Of the request's record.
 * @param {import("./verifier.js").PresentationRequest} asked
 * @param {Map<string, {credential: object, paths: any[][], copy: object}>} selection By query id.
 * @returns {Promise<object>} The record.
 */
export async function answer(id, asked, selection) {
  return exclusively(`request-${id}`, async () => {
    const record = await readRequest(id);
    if (record.state !== "opened") return record;
    const vpToken = await buildToken(asked, selection);
    const form = await buildForm(asked, vpToken);
    const entry = await describeAnswer(asked, selection, vpToken);
    await checkUnanswered(entry.id);
    const sending = { ...record, state: "sending", historyId: entry.id, form, responseUri: asked.responseUri };
    await write([["history", entry], ["requests", sending]]);
    return deliver(sending);
  });
}

/** Send the same answer again after it isn't known whether it arrived. */
export async function answerAgain(id) {
  return exclusively(`request-${id}`, async () => {
    const record = await readRequest(id);
    return record.state === "sending" ? deliver(record, { again: true }) : record;
  });
}

/** Tell the platform that the person said no. Source: OpenID4VP 1.0, section 8.5. */
export async function decline(id, asked) {
  return exclusively(`request-${id}`, async () => {
    const record = await readRequest(id);
    if (record.state !== "opened") return record;
    const entry = { ...(await describe(asked)), outcome: "declined", credentials: [], agreed: [] };
    const untold = { ...record, state: "untold", historyId: entry.id };
    await write([["history", entry], ["requests", untold]]);
    const body = await sendError(asked, "access_denied");
    if (body === null) return untold;
    const declined = { ...untold, state: "declined", redirectUri: readRedirectIfAny(body) };
    await write([["requests", declined]]);
    return declined;
  });
}

/** @returns {Promise<object>} The record; the browser may have thrown it away while its page was open. */
export async function readRequest(id) {
  const record = await get("requests", id);
  if (record === undefined) throw new WalletError("request_forgotten");
  return record;
}

async function buildToken(asked, selection) {
  const agreed = await assignTransactions(asked.transactions, [...selection.keys()]);
  const vpToken = {};
  for (const [queryId, { paths, copy }] of selection) {
    const sign = await signer(copy.kid);
    if (sign === null) throw new WalletError("key_gone");
    const { hashes, algorithm } = agreed.get(queryId) ?? { hashes: [], algorithm: null };
    const terms = { paths, audience: asked.clientId, nonce: asked.nonce, sign };
    vpToken[queryId] = [await present(copy.compact, { ...terms, transactionHashes: hashes, transactionAlgorithm: algorithm })];
  }
  return vpToken;
}

/** Source: OpenID4VP 1.0, sections 8.1 to 8.3. */
async function buildForm(asked, vpToken) {
  const state = asked.state === null ? {} : { state: asked.state };
  if (!asked.isEncrypted) return { vp_token: JSON.stringify(vpToken), ...state };
  const recipient = findEncryptionKey(asked.metadata.jwks);
  const method = chooseMethod(asked.metadata.encrypted_response_enc_values_supported ?? ["A128GCM"]);
  if (recipient === null || method === null) throw new WalletError("request_invalid", { code: "encryption" });
  return { response: await encrypt(encodeJson({ vp_token: vpToken, ...state }), recipient, method) };
}

// One nonce is answered once, by whatever link the request came.
async function checkUnanswered(historyId) {
  const known = await get("history", historyId);
  if (known !== undefined && known.outcome !== "refused") throw new WalletError("already_answered");
}

async function deliver(record, { again = false } = {}) {
  const sent = await request(record.responseUri, { method: "POST", form: record.form });
  if (sent.status >= 500) throw refused(sent, "server_busy");
  const entry = await get("history", record.historyId);
  const outcome = sent.status === 200 ? "answered" : again ? "unclear" : "refused";
  const over = { ...record, state: outcome, form: null, redirectUri: outcome === "answered" ? readRedirect(sent.body) : null };
  await write([["requests", over], ["history", { ...entry, outcome }]]);
  if (outcome !== "answered") throw refused(sent, "presentation_refused");
  return over;
}

function readRedirect(body) {
  if (body.trim() === "") return null;
  const { redirect_uri: address } = parseObject(body);
  return typeof address === "string" && /^https?:\/\//.test(address) && URL.canParse(address) ? address : null;
}

// Where a platform wants those back who declined is a convenience; without it, or with nonsense, they have declined.
function readRedirectIfAny(body) {
  try {
    return readRedirect(body);
  } catch {
    return null;
  }
}

async function describe(asked) {
  return {
    id: (await sha256(JSON.stringify([asked.clientId, asked.nonce]))).slice(0, 22),
    at: nowSeconds(),
    clientId: asked.clientId,
    name: asked.name,
    host: new URL(asked.responseUri).host,
    purpose: asked.purpose,
  };
}

// What is written down is read back from what is sent, so that it can't differ.
async function describeAnswer(asked, selection, vpToken) {
  const credentials = [];
  for (const [queryId, { credential, copy }] of selection) {
    const [presentation] = vpToken[queryId];
    const { claims } = await readClaims(presentation.slice(0, presentation.lastIndexOf("~") + 1));
    if (claims.vct !== credential.vct) throw reject("credential_type");
    const shown = Object.fromEntries(Object.entries(claims).filter(([name]) => !PLAIN_CLAIMS.has(name)));
    credentials.push({ credentialId: credential.id, name: nameOf(credential), vct: credential.vct, issuer: credential.issuer, kid: copy.kid, claims: shown });
  }
  return { ...(await describe(asked)), outcome: "sending", credentials, agreed: asked.transactions.flatMap(describeTransaction) };
}
