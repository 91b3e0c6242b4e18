/** Credential offers: untrusted texts that name an issuer, credentials and a code. Source: OpenID4VCI 1.0, section 4.1. */

import { reject, WalletError } from "./errors.js";
import { checkAddress, refused, request, textMember } from "./http.js";
import { isObject, parseObject } from "./jose.js";
import { readLink } from "./links.js";

export const PRE_AUTHORIZED_GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
export const AUTHORIZATION_CODE_GRANT = "authorization_code";
const MAX_DESCRIPTION = 300;

/**
 * @typedef {{issuer: string, configurationIds: string[], code: string|null, issuerState: string|null, server: string|null,
 *   txCode: null|{numeric: boolean, length: number|null, description: string}}} Offer Without a code, the person agrees
 *   on the issuer's page.
 */

/** Read an offer from a link with it, a link to it, or its own JSON. @returns {Promise<Offer>} */
export async function fetchOffer(text) {
  if (text.startsWith("{")) return readOffer(parseObject(text));
  const { parameters } = readLink(text);
  const [byValue, byReference] = ["credential_offer", "credential_offer_uri"].map((name) => parameters.get(name));
  if ((byValue === undefined) === (byReference === undefined)) throw new WalletError("link_damaged", { code: "offer" });
  if (byValue !== undefined) return readOffer(parseObject(byValue));
  const answer = await request(byReference, { headers: { Accept: "application/json" } });
  if (answer.status === 404 || answer.status === 410) throw new WalletError("offer_gone", { code: `http_${answer.status}` });
  if (answer.status !== 200) throw refused(answer, "offer_gone");
  return readOffer(parseObject(answer.body));
}

function readOffer(raw) {
  const issuer = textMember(raw, "credential_issuer");
  checkAddress(issuer);
  if (/[?#]/.test(issuer)) throw reject("credential_issuer");
  const ids = raw.credential_configuration_ids;
  const named = Array.isArray(ids) && ids.length > 0 && ids.every((each) => typeof each === "string");
  if (!named || new Set(ids).size !== ids.length) throw reject("credential_configuration_ids");
  const grants = isObject(raw.grants) ? raw.grants : {};
  const grant = grants[PRE_AUTHORIZED_GRANT];
  if (isObject(grant)) return { issuer, configurationIds: ids, code: textMember(grant, "pre-authorized_code"), issuerState: null, server: readServer(grant), txCode: readTxCode(grant) };
  const visit = grants[AUTHORIZATION_CODE_GRANT];
  if (!isObject(visit)) throw new WalletError("offer_unsupported", { code: "grants" });
  const issuerState = "issuer_state" in visit ? textMember(visit, "issuer_state") : null;
  return { issuer, configurationIds: ids, code: null, issuerState, server: readServer(visit), txCode: null };
}

function readServer(grant) {
  return "authorization_server" in grant ? textMember(grant, "authorization_server") : null;
}

// An empty object asks for a code as much as a full one does.
function readTxCode(grant) {
  if (!("tx_code" in grant)) return null;
  if (!isObject(grant.tx_code)) throw reject("tx_code");
  const { length, description = "", input_mode: mode = "numeric" } = grant.tx_code;
  return {
    numeric: mode === "numeric",
    length: Number.isInteger(length) && length > 0 ? length : null,
    description: typeof description === "string" ? description.slice(0, MAX_DESCRIPTION) : "",
  };
}
