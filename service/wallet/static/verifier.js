/** From a link to an authenticated presentation request. Source: OpenID4VP 1.0, sections 5, 5.9, 5.10, 8.2 and 12. */

import { parseQuery } from "./dcql.js";
import { findDidKey } from "./did.js";
import { reject, WalletError } from "./errors.js";
import { checkAddress, refused, request } from "./http.js";
import { checkTimes, isObject, parseJws, parseObject, randomText, verifyJws } from "./jose.js";
import { readLink } from "./links.js";
import { readTransactions } from "./transactions.js";
import { findCertifiedKey, HASH_PREFIX, SAN_DNS_PREFIX } from "./x509.js";

const TYPE = "oauth-authz-req+jwt";
const AUDIENCE = "https://self-issued.me/v2";
const DID_PREFIX = "decentralized_identifier:";
const UNSIGNED_PREFIX = "redirect_uri:";
const URL_SAFE = /^[A-Za-z0-9._~-]{1,2048}$/;

/**
 * @typedef {{clientId: string, isSigned: boolean, isCertified: boolean, name: string, purpose: string, host: string|null, responseUri: string,
 *   state: string|null, isEncrypted: boolean, nonce: string, query: object, metadata: object, transactions: object[]}}
 *   PresentationRequest `host` is what the identifier proves; null if it proves none. `isCertified` tells that a
 *   certificate of an unknown authority names who asks.
 */

/**
 * Read a request from a link. Only what stands in the signed object counts; the link is believed in nothing but where
 * that object is. A platform that is authentic and asks what it may not is told so.
 * @returns {Promise<PresentationRequest>}
 */
export async function fetchRequest(link) {
  const { parameters } = readLink(link);
  if (!parameters.has("client_id")) throw new WalletError("link_damaged", { code: "client_id" });
  if (parameters.has("request") && parameters.has("request_uri")) throw new WalletError("request_invalid", { code: "request" });
  const isSigned = parameters.has("request") || parameters.has("request_uri");
  const claims = isSigned ? await fetchSigned(parameters) : readUnsigned(parameters);
  const reply = readReply(claims);
  try {
    return { ...reply, ...(await readParameters(claims, isSigned)) };
  } catch (error) {
    if (isSigned && error instanceof WalletError) {
      await sendError(reply, error.key === "error.transaction_refused" ? "invalid_transaction_data" : "invalid_request");
    }
    throw error;
  }
}

/**
 * Tell a platform that there will be no presentation.
 * @returns {Promise<string|null>} What it said; null if it can't be told. Source: section 8.5.
 */
export async function sendError({ responseUri, state }, error) {
  try {
    const sent = await request(responseUri, { method: "POST", form: state === null ? { error } : { error, state } });
    return sent.status === 200 ? sent.body : null;
  } catch {
    return null; // nothing is shown to it either way
  }
}

async function fetchSigned(parameters) {
  const clientId = parameters.get("client_id");
  const method = parameters.get("request_uri_method") ?? "get";
  const walletNonce = method === "post" ? randomText() : null;
  const token = parameters.get("request") ?? (await fetchObject(parameters.get("request_uri"), method, walletNonce));
  const jws = parseJws(token.trim());
  const claims = await verifyJws(jws, await findVerifierKey(clientId, jws), [TYPE]);
  if (claims.client_id !== clientId) throw reject("client_id");
  if (claims.aud !== AUDIENCE && JSON.stringify(claims.aud) !== JSON.stringify([AUDIENCE])) throw reject("aud");
  try {
    checkTimes(claims);
  } catch (error) {
    throw error.code === "expired" ? new WalletError("request_gone", { code: "exp" }) : error;
  }
  if (walletNonce !== null && claims.wallet_nonce !== walletNonce) throw reject("wallet_nonce");
  return claims;
}

async function fetchObject(address, method, walletNonce) {
  const headers = { Accept: `application/${TYPE}` };
  if (method !== "get" && method !== "post") throw new WalletError("request_invalid", { code: "request_uri_method" });
  const options = method === "post" ? { method: "POST", headers, form: { wallet_nonce: walletNonce } } : { headers };
  const answer = await request(address, options);
  if (answer.status !== 200) throw refused(answer, "request_gone");
  return answer.body;
}

async function findVerifierKey(clientId, jws) {
  if (isCertified(clientId)) return findCertifiedKey(clientId, jws.header.x5c);
  if (!clientId.startsWith(DID_PREFIX)) throw new WalletError("party_unknown", { code: clientId.split(":")[0] });
  return findDidKey(clientId.slice(DID_PREFIX.length), jws.header.kid, "verificationMethod");
}

function isCertified(clientId) {
  return clientId.startsWith(SAN_DNS_PREFIX) || clientId.startsWith(HASH_PREFIX);
}

// A request whose parameters stand in the link itself; only the prefix `redirect_uri:` allows that.
function readUnsigned(parameters) {
  const claims = Object.fromEntries(parameters);
  if (!claims.client_id.startsWith(UNSIGNED_PREFIX)) throw reject("unsigned");
  for (const name of ["dcql_query", "client_metadata"]) {
    if (name in claims) claims[name] = parseObject(claims[name]);
  }
  return claims;
}

function readReply(claims) {
  const own = claims.client_id.startsWith(UNSIGNED_PREFIX) ? claims.client_id.slice(UNSIGNED_PREFIX.length) : null;
  const responseUri = claims.response_uri ?? own;
  if (typeof responseUri !== "string") throw new WalletError("request_invalid", { code: "response_uri" });
  if (own !== null && responseUri !== own) throw reject("response_uri");
  const { hostname } = checkAddress(responseUri);
  const named = claims.client_id.startsWith(SAN_DNS_PREFIX) ? claims.client_id.slice(SAN_DNS_PREFIX.length) : null;
  if (named !== null && hostname !== named) throw reject("response_uri");
  const state = claims.state ?? null;
  if (state !== null && !(typeof state === "string" && URL_SAFE.test(state))) throw new WalletError("request_invalid", { code: "state" });
  return { responseUri, state };
}

async function readParameters(claims, isSigned) {
  const wrong = findWrong(claims);
  if (wrong !== null) throw new WalletError("request_invalid", { code: wrong });
  const metadata = claims.client_metadata ?? {};
  const query = parseQuery(claims.dcql_query);
  return {
    clientId: claims.client_id,
    isSigned,
    isCertified: isCertified(claims.client_id),
    name: typeof metadata.client_name === "string" ? metadata.client_name : "",
    purpose: typeof claims.purpose === "string" ? claims.purpose : "",
    host: isSigned ? hostOf(claims.client_id) : null,
    isEncrypted: claims.response_mode === "direct_post.jwt",
    nonce: claims.nonce,
    query,
    metadata,
    transactions: await readTransactions(claims, query, isSigned),
  };
}

function findWrong(claims) {
  if (claims.response_type !== "vp_token") return "response_type";
  if (!["direct_post", "direct_post.jwt"].includes(claims.response_mode)) return "response_mode";
  if ("redirect_uri" in claims) return "redirect_uri";
  if (typeof claims.nonce !== "string" || !URL_SAFE.test(claims.nonce)) return "nonce";
  if ("scope" in claims) return "scope";
  if ("client_metadata" in claims && !isObject(claims.client_metadata)) return "client_metadata";
  return null;
}

// What a did:web proves: that whoever asks answers for this host.
function hostOf(clientId) {
  const [, encoded = null] = /^decentralized_identifier:did:web:([^:]+)/.exec(clientId) ?? [];
  return encoded === null ? null : decodeURIComponent(encoded);
}
