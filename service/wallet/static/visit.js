/**
 * The authorization code grant: the person agrees on a page of the issuer and comes back with a code. What has to be
 * remembered meanwhile stands in the offer's record, as this page is gone while its holder is there:
 *
 *   visit      {state, verifier, server, startedAt} while the person is at the issuer's page
 *   agreement  {form, server} what redeems the code that they brought back
 *
 * Source: OpenID4VCI 1.0, section 5; RFC 6749, section 4.1; RFC 7636; RFC 9126; RFC 9207.
 */

import { reject, WalletError } from "./errors.js";
import { checkAddress, refused, textMember } from "./http.js";
import { findServer } from "./issuer.js";
import { post } from "./issuer-session.js";
import { nowSeconds, parseObject, randomText, sha256 } from "./jose.js";
import { createKey } from "./keys.js";
import { AUTHORIZATION_CODE_GRANT } from "./offer.js";
import { readProposal } from "./receive.js";
import { all, exclusively, put } from "./store.js";
import { clean } from "./text.js";

/** What issuers register this wallet as; its addresses to come back to tell one deployment's from another's. */
const CLIENT_ID = "goodstanding-web-wallet";

/** @returns {Promise<string>} The address of the issuer's page; a visit that was begun before is over. */
export async function beginVisit(id) {
  return exclusively(`offer-${id}`, async () => {
    const { record, issuer, configurations } = await readProposal(id);
    const server = await findServer(issuer, record.offer.server, AUTHORIZATION_CODE_GRANT);
    if (server.authorizationEndpoint === null || !server.namesItself) throw new WalletError("offer_unsupported", { code: "authorization_endpoint" });
    const dpopKid = server.takesDpop ? (record.dpopKid ?? (await createKey()).kid) : null;
    const visit = { state: randomText(), verifier: randomText(48), server: server.identifier, startedAt: nowSeconds() };
    const asked = await describeRequest(record.offer, configurations, visit);
    const sent = server.pushEndpoint === null ? asked : await push(server, asked, dpopKid);
    await put("offers", { ...record, state: "visiting", dpopKid, visit, agreement: null });
    const page = checkAddress(server.authorizationEndpoint);
    for (const [name, value] of Object.entries(sent)) page.searchParams.set(name, value);
    page.searchParams.set("ui_locales", document.documentElement.lang);
    return page.href;
  });
}

/**
 * Take what the issuer's page sent back in the address.
 * @param {URLSearchParams} answer
 * @returns {Promise<string>} The page to open.
 */
export async function endVisit(answer) {
  const isAnswered = (each) => each.state === "visiting" && each.visit.state === answer.get("state");
  const found = (await all("offers")).find(isAnswered);
  if (found === undefined) throw new WalletError("visit_unknown");
  return exclusively(`offer-${found.id}`, async () => {
    if (answer.get("iss") !== found.visit.server) throw reject("iss");
    const { verifier, server } = found.visit;
    const agreement = answer.has("code") && !answer.has("error") ? { form: redeem(answer.get("code"), verifier), server } : null;
    const refusal = agreement === null ? clean(answer.get("error") ?? "code", 80) : null;
    await put("offers", { ...found, state: agreement === null ? "opened" : "agreed", visit: null, agreement, refusal });
    return `#/offer/${found.id}`;
  });
}

// Source: RFC 6749, section 4.1.3; RFC 7636, section 4.5.
function redeem(code, verifier) {
  return { grant_type: AUTHORIZATION_CODE_GRANT, client_id: CLIENT_ID, redirect_uri: ownAddress(), code, code_verifier: verifier };
}

async function describeRequest(offer, configurations, { state, verifier }) {
  const wanted = configurations.every(({ scope }) => scope !== null)
    ? { scope: configurations.map(({ scope }) => scope).join(" ") }
    : { authorization_details: JSON.stringify(configurations.map(({ id }) => ({ type: "openid_credential", credential_configuration_id: id }))) };
  return {
    response_type: "code",
    client_id: CLIENT_ID,
    redirect_uri: ownAddress(),
    state,
    code_challenge: await sha256(verifier),
    code_challenge_method: "S256",
    ...wanted,
    ...(offer.issuerState === null ? {} : { issuer_state: offer.issuerState }),
  };
}

async function push(server, form, kid) {
  const answer = await post(server.pushEndpoint, { kid, form });
  if (answer.status !== 201) throw refused(answer, "visit_refused");
  return { client_id: CLIENT_ID, request_uri: textMember(parseObject(answer.body), "request_uri") };
}

function ownAddress() {
  return new URL("./", import.meta.url).href;
}
