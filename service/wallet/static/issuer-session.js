/** What the wallet sends to an issuer with an access token: bound to a key (DPoP) and encrypted where offered. */

import { reject } from "./errors.js";
import { readError, request } from "./http.js";
import { encodeJson, nowSeconds, randomText, sha256, signJws } from "./jose.js";
import { createDecryptionKey, encrypt } from "./jwe.js";
import { signer } from "./keys.js";
import { get } from "./store.js";

const JWT = "application/jwt";
const nonces = new Map();

/**
 * Send a POST with a proof of the key that the token is bound to; once more if the server asks for its nonce.
 * @param {string|null} kid Of the DPoP key; null sends a bearer token, or none.
 * @param {string|null} token
 * Source: RFC 9449, sections 4.2, 7.1, 8 and 9.
 */
export async function post(url, { kid = null, token = null, ...content }) {
  const answer = await send(url, kid, token, content);
  return kid !== null && asksForNonce(answer) ? send(url, kid, token, content) : answer;
}

/**
 * Send a request, encrypted if the issuer takes that; the answer is in plain and may have any status.
 * Source: OpenID4VCI 1.0, section 10.
 */
export async function exchange(url, body, { kid, token, encryption }) {
  if (encryption === null) return post(url, { kid, token, json: body });
  const answerKey = encryption.answerMethod === null ? null : await createDecryptionKey();
  const asked = answerKey === null ? {} : { credential_response_encryption: { jwk: answerKey.publicJwk, enc: encryption.answerMethod } };
  const sealed = await encrypt(encodeJson({ ...body, ...asked }), encryption.recipient, encryption.method);
  const answer = await post(url, { kid, token, body: sealed, headers: { "Content-Type": JWT } });
  if (answerKey === null || ![200, 202].includes(answer.status)) return answer;
  if (!(answer.headers.get("content-type") ?? "").toLowerCase().startsWith(JWT)) throw reject("answer_not_encrypted");
  return { ...answer, body: new TextDecoder().decode(await answerKey.open(answer.body)) };
}

async function send(url, kid, token, { headers = {}, ...content }) {
  const sent = { ...headers };
  if (token !== null) sent.Authorization = `${kid === null ? "Bearer" : "DPoP"} ${token}`;
  if (kid !== null) sent.DPoP = await prove(url, kid, token);
  const answer = await request(url, { method: "POST", headers: sent, ...content });
  const nonce = answer.headers.get("dpop-nonce");
  if (nonce) nonces.set(new URL(url).origin, nonce);
  return answer;
}

async function prove(url, kid, token) {
  const { jwk } = await get("keys", kid);
  const nonce = nonces.get(new URL(url).origin);
  const claims = { jti: randomText(16), htm: "POST", htu: url.split(/[?#]/)[0], iat: nowSeconds() };
  if (nonce !== undefined) claims.nonce = nonce;
  if (token !== null) claims.ath = await sha256(token);
  return signJws({ typ: "dpop+jwt", alg: "ES256", jwk }, claims, await signer(kid));
}

function asksForNonce(answer) {
  if (!answer.headers.has("dpop-nonce")) return false;
  const challenged = (answer.headers.get("www-authenticate") ?? "").includes('error="use_dpop_nonce"');
  return [400, 401].includes(answer.status) && (challenged || readError(answer).error === "use_dpop_nonce");
}
