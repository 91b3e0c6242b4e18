/** Links that a person opens, pastes or scans: deep links, web links with the same parameters, pages that hold one. */

import { WalletError } from "./errors.js";
import { checkAddress, refused, request } from "./http.js";

const MAX_CHARACTERS = 65_536;
export const OFFER_SCHEMES = ["openid-credential-offer", "haip-vci"];
export const REQUEST_SCHEMES = ["openid4vp", "haip-vp", "eudi-openid4vp"];

/** @returns {{scheme: string, parameters: Map<string, string>}} */
export function readLink(text) {
  const [, scheme = "", query = ""] = /^([a-z][a-z0-9.+-]*):[^?#]*(?:\?([^#]*))?/is.exec(text) ?? [];
  if (scheme === "" || text.length > MAX_CHARACTERS) throw new WalletError("link_unknown");
  const pairs = [...new URLSearchParams(query)];
  const parameters = new Map(pairs);
  if (parameters.size !== pairs.length) throw new WalletError("link_damaged", { code: "parameter_repeated" });
  return { scheme: scheme.toLowerCase(), parameters };
}

/** Fetch what a web link points to. @returns {Promise<{deepLink: string|null, body: string}>} The page's own deep link. */
export async function openWebLink(address) {
  checkAddress(address);
  const answer = await request(address, { headers: { Accept: "application/json, text/html;q=0.5" } });
  if (answer.status === 404 || answer.status === 410) throw new WalletError("link_gone", { code: `http_${answer.status}` });
  if (answer.status !== 200) throw refused(answer, "link_gone");
  const isPage = (answer.headers.get("content-type") ?? "").startsWith("text/html");
  return { deepLink: isPage ? findDeepLink(answer.body) : null, body: answer.body };
}

function findDeepLink(page) {
  const schemes = [...OFFER_SCHEMES, ...REQUEST_SCHEMES].join("|");
  const text = page.replaceAll("&amp;", "&").replaceAll("&#38;", "&").replaceAll("&#x26;", "&");
  const found = new Set(text.match(new RegExp(`(?:${schemes}):/?/?[^\\s"'<>]+`, "g")) ?? []);
  return found.size === 1 ? [...found][0] : null;
}
