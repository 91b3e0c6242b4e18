/** What a credential issuer and its authorization server say of themselves. Source: OpenID4VCI 1.0, section 12.2. */

import { reject, WalletError } from "./errors.js";
import { getJson, insertWellKnown, textMember } from "./http.js";
import { isObject } from "./jose.js";
import { chooseMethod, ENCRYPTION_ALGORITHM, findEncryptionKey } from "./jwe.js";
import { PRE_AUTHORIZED_GRANT } from "./offer.js";
import { FORMAT } from "./sd-jwt.js";
import { language } from "./text.js";

export const PROOF_ALGORITHM = "ES256";
const MAX_SERVERS = 5;

/**
 * @typedef {{id: string, vct: string, scope: string|null, display: {name: string, description: string, labels: object}}} Configuration
 * @typedef {{identifier: string, name: string, credentialEndpoint: string, nonceEndpoint: string|null,
 *   deferredEndpoint: string|null, notificationEndpoint: string|null, batchSize: number, encryption: object|null,
 *   configurations: Map<string, Configuration>, servers: string[]}} Issuer
 */

/** @returns {Promise<Issuer>} Only the configurations that this wallet can receive. */
export async function fetchIssuer(identifier) {
  const raw = await getJson(insertWellKnown(identifier, "openid-credential-issuer"), "issuer_unavailable");
  if (raw.credential_issuer !== identifier) throw reject("issuer_metadata");
  const servers = raw.authorization_servers ?? [identifier];
  if (!Array.isArray(servers) || servers.length === 0) throw reject("authorization_servers");
  const batchSize = raw.batch_credential_issuance?.batch_size;
  return {
    identifier,
    name: pickDisplay(raw).name ?? identifier,
    credentialEndpoint: textMember(raw, "credential_endpoint"),
    nonceEndpoint: optional(raw, "nonce_endpoint"),
    deferredEndpoint: optional(raw, "deferred_credential_endpoint"),
    notificationEndpoint: optional(raw, "notification_endpoint"),
    batchSize: Number.isInteger(batchSize) && batchSize > 0 ? batchSize : 1,
    encryption: readEncryption(raw),
    configurations: readConfigurations(raw),
    servers,
  };
}

/**
 * The server that gives tokens for a grant; `namesItself` tells that its answers say whose they are (RFC 9207).
 * @returns {Promise<{identifier: string, tokenEndpoint: string, authorizationEndpoint: string|null, pushEndpoint: string|null,
 *   namesItself: boolean, takesDpop: boolean}>}
 */
export async function findServer(issuer, named, grant = PRE_AUTHORIZED_GRANT) {
  if (named !== null && !issuer.servers.includes(named)) throw reject("authorization_server");
  const servers = named === null ? issuer.servers.slice(0, MAX_SERVERS) : [named];
  const found = [];
  for (const server of servers) {
    const raw = await getJson(insertWellKnown(server, "oauth-authorization-server"), "issuer_unavailable");
    if (raw.issuer !== server) throw reject("authorization_server");
    found.push(raw);
  }
  // Servers often leave the list of grants out, so its absence speaks against none.
  const chosen = found.find((raw) => raw.grant_types_supported?.includes?.(grant)) ?? found[0];
  const takesDpop = chosen.dpop_signing_alg_values_supported?.includes?.(PROOF_ALGORITHM) === true;
  return {
    identifier: chosen.issuer,
    tokenEndpoint: textMember(chosen, "token_endpoint"),
    authorizationEndpoint: optional(chosen, "authorization_endpoint"),
    pushEndpoint: optional(chosen, "pushed_authorization_request_endpoint"),
    namesItself: chosen.authorization_response_iss_parameter_supported === true,
    takesDpop,
  };
}

function readConfigurations(raw) {
  const supported = raw.credential_configurations_supported;
  if (!isObject(supported)) throw reject("credential_configurations_supported");
  const usable = Object.entries(supported).filter(([, item]) => isObject(item) && canReceive(item));
  return new Map(usable.map(([id, item]) => [id, { id, vct: item.vct, scope: typeof item.scope === "string" ? item.scope : null, display: readDisplay(id, item) }]));
}

function canReceive(item) {
  const proof = item.proof_types_supported?.jwt;
  const provable = proof?.proof_signing_alg_values_supported?.includes?.(PROOF_ALGORITHM) === true;
  return item.format === FORMAT && typeof item.vct === "string" && provable && !("key_attestations_required" in proof);
}

function readDisplay(id, item) {
  const stated = isObject(item.credential_metadata) ? item.credential_metadata : {};
  const shown = pickDisplay(stated);
  const claims = Array.isArray(stated.claims) ? stated.claims.filter((each) => isObject(each) && typeof each.path?.[0] === "string") : [];
  const labels = Object.fromEntries(claims.map((claim) => [claim.path[0], pickDisplay(claim).name ?? claim.path[0]]));
  return { name: shown.name ?? id, description: shown.description ?? "", labels };
}

// The texts in the reader's language, else in English, else the first.
function pickDisplay(owner) {
  const entries = Array.isArray(owner.display) ? owner.display.filter(isObject) : [];
  const inLanguage = (code) => entries.find((entry) => String(entry.locale ?? "").toLowerCase().split("-")[0] === code);
  const chosen = inLanguage(language()) ?? inLanguage("en") ?? entries[0] ?? {};
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => typeof value === "string"));
}

// Requests are encrypted where the issuer can read that, answers where it can write it; some issuers demand it.
function readEncryption(raw) {
  const requests = isObject(raw.credential_request_encryption) ? raw.credential_request_encryption : {};
  const answers = isObject(raw.credential_response_encryption) ? raw.credential_response_encryption : {};
  const recipient = findEncryptionKey(requests.jwks);
  const method = chooseMethod(requests.enc_values_supported);
  const fits = answers.alg_values_supported?.includes?.(ENCRYPTION_ALGORITHM) === true;
  const answerMethod = fits ? chooseMethod(answers.enc_values_supported) : null;
  const canAsk = recipient !== null && method !== null;
  const impossible = (requests.encryption_required === true && !canAsk) || (answers.encryption_required === true && !(canAsk && answerMethod));
  if (impossible) throw new WalletError("offer_unsupported", { code: "encryption" });
  return canAsk ? { recipient, method, answerMethod } : null;
}

function optional(raw, name) {
  return name in raw ? textMember(raw, name) : null;
}
