/** Requests to issuers and platforms: no cookies, no referrer, no redirects, bounded, never for ever. */

import { reject, WalletError } from "./errors.js";
import { isObject, parseObject } from "./jose.js";
import { clean } from "./text.js";

const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 20_000;
const RETRIED = new Set(["server_busy", "keys_unavailable"]);
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Check an absolute web address that another side named. @returns {URL} */
export function checkAddress(text) {
  const plain = typeof text === "string" && /^[\x21-\x7e]{1,4096}$/.test(text);
  const url = plain && URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username || url.password) throw reject("address");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && LOOPBACK.has(url.hostname))) throw reject("address_not_https");
  return url;
}

/** The well-known segment goes between host and path. Source: OpenID4VCI 1.0, section 12.2.2; RFC 8414, section 3.1. */
export function insertWellKnown(identifier, name) {
  const url = checkAddress(identifier);
  return `${url.origin}/.well-known/${name}${url.pathname.replace(/\/$/, "")}`;
}

/**
 * @param {string} address
 * @param {{method?: string, headers?: object, form?: object, json?: object, body?: string}} [options]
 * @returns {Promise<{status: number, headers: Headers, body: string}>} The answer may have any status.
 */
export async function request(address, { method = "GET", headers = {}, form, json, body } = {}) {
  checkAddress(address);
  const sent = { ...headers };
  if (json !== undefined) sent["Content-Type"] = "application/json";
  const content = form !== undefined ? new URLSearchParams(form) : json !== undefined ? JSON.stringify(json) : body;
  try {
    const answer = await fetch(address, {
      method,
      headers: sent,
      body: content,
      cache: "no-store",
      credentials: "omit",
      mode: "cors",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: answer.status, headers: answer.headers, body: await readBody(answer) };
  } catch (error) {
    if (error instanceof WalletError) throw error;
    const code = `${new URL(address).host}: ${error.name}`;
    throw new WalletError(navigator.onLine ? "no_answer" : "offline", { code, retry: true, cause: error });
  }
}

/** Fetch a JSON object. */
export async function getJson(address, subject) {
  const answer = await request(address, { headers: { Accept: "application/json" } });
  if (answer.status !== 200) throw refused(answer, subject);
  return parseObject(answer.body);
}

/** What an answer that isn't the hoped-for one says, for the details that support asks for. */
export function refused(answer, subject) {
  const { error, description } = readError(answer);
  const key = answer.status >= 500 || answer.status === 429 ? "server_busy" : subject;
  return new WalletError(key, { code: description ? `${error}: ${description}` : error, retry: RETRIED.has(key) });
}

/** @returns {{error: string, description: string}} The protocol's error code, else `http_<status>`. */
export function readError(answer) {
  let body = null;
  try {
    body = parseObject(answer.body);
  } catch {
    // no protocol error then
  }
  if (!isObject(body) || typeof body.error !== "string") return { error: `http_${answer.status}`, description: "" };
  return { error: clean(body.error, 80), description: clean(body.error_description ?? "", 200) };
}

export function textMember(source, name) {
  if (typeof source[name] !== "string" || source[name] === "") throw reject(`${name}_missing`);
  return source[name];
}

async function readBody(answer) {
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > MAX_BYTES) {
      await reader.cancel();
      throw reject("answer_too_large");
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}
