/** A link that somebody opened, pasted or scanned: which kind it is, and where in the wallet it leads. */

import { WalletError } from "./errors.js";
import { checkAddress } from "./http.js";
import { sha256 } from "./jose.js";
import { OFFER_SCHEMES, openWebLink, readLink, REQUEST_SCHEMES } from "./links.js";
import { exclusively, get, put } from "./store.js";

/**
 * Keep a link before anything is done with it, so that nothing is lost whatever happens next.
 * @param {string} raw
 * @returns {Promise<string>} The page to open; the same link leads to the same page again.
 */
export async function takeIn(raw) {
  const text = raw.trim();
  if (text.startsWith("{")) return keep("offers", "offer", text, text);
  const { scheme, parameters } = readLink(text);
  const isWeb = scheme === "https" || scheme === "http";
  if (OFFER_SCHEMES.includes(scheme) || (isWeb && hasOffer(parameters))) return keep("offers", "offer", text, text);
  if (REQUEST_SCHEMES.includes(scheme) || (isWeb && parameters.has("client_id"))) return keepRequest(text, parameters);
  if (!isWeb) throw new WalletError("link_unknown");
  return takeFromWeb(text);
}

async function takeFromWeb(address) {
  const inner = readOwnFragment(address);
  if (inner !== null) return takeIn(inner);
  const { deepLink, body } = await openWebLink(address);
  if (deepLink !== null) return takeIn(deepLink);
  if (body.trimStart().startsWith("{")) return takeIn(body);
  throw new WalletError("link_unknown");
}

// A link to this wallet, pasted instead of opened.
function readOwnFragment(address) {
  const url = checkAddress(address);
  const found = url.pathname === "/wallet/" ? /^#(?:offer|request)=(.+)$/s.exec(url.hash) : null;
  return found === null ? null : decodeURIComponent(found[1]);
}

function hasOffer(parameters) {
  return parameters.has("credential_offer") || parameters.has("credential_offer_uri");
}

async function keepRequest(text, parameters) {
  const known = [parameters.get("client_id"), parameters.get("request_uri") ?? text];
  return keep("requests", "request", JSON.stringify(known), text);
}

async function keep(store, page, identity, link) {
  const id = (await sha256(identity)).slice(0, 22);
  await exclusively(`${page}-${id}`, async () => {
    if ((await get(store, id)) === undefined) await put(store, { id, link, openedAt: Math.floor(Date.now() / 1000), state: "opened" });
  });
  return `#/${page}/${id}`;
}
