/** When a credential should be renewed, and how its holder gets there. */

import { button, el, link } from "./dom.js";
import { hostOf, nameOf, stateOf } from "./records.js";
import { clean, formatDay, t } from "./text.js";

const DAY_S = 86_400;
const NOTICE_S = 30 * DAY_S;

/** @returns {boolean} Whether it ended, or soon will, and nothing newer of its issuer and type is there. */
export function needsRenewal(credential, credentials, now = Date.now() / 1000) {
  const { expiresAt, issuedAt, issuer, receivedAt, vct } = credential;
  const newer = credentials.some((each) => each.issuer === issuer && each.vct === vct && each.receivedAt > receivedAt && stateOf(each) !== "expired");
  if (newer) return false;
  if (stateOf(credential) === "revoked") return true;
  // What lives for a week is not to be renewed all its life.
  const notice = Math.min(NOTICE_S, (expiresAt - (issuedAt ?? receivedAt)) / 4);
  return expiresAt !== null && expiresAt - now < notice;
}

/** A line for the card. */
export function renewalLine(credential) {
  return el("p", { class: "renewal" }, inTime(credential), " ", link(t("renew.how"), `#/credential/${credential.id}`));
}

/** What to do, for the credential's own page. */
export function renewalSection(credential) {
  const issuer = clean(credential.issuerName, 80);
  const said = el("p", { class: "hint", role: "status" });
  const message = t("renew.message", { name: nameOf(credential), day: formatDay(credential.issuedAt ?? credential.receivedAt) });
  const copy = async () => {
    const copied = await navigator.clipboard.writeText(message).then(() => true, () => false);
    said.textContent = copied ? t("renew.copied") : message;
  };
  return el(
    "section",
    { class: "note", id: "renewal" },
    el("h2", {}, t("renew.title")),
    stateOf(credential) === "valid" ? el("p", {}, inTime(credential)) : null,
    el("p", {}, t("renew.text", { issuer })),
    el("div", { class: "row" }, button(t("renew.copy"), copy), visit(credential.issuer)),
    said,
  );
}

function inTime(credential) {
  const now = Date.now() / 1000;
  if (stateOf(credential) === "revoked") return t("credential.revoked");
  if (credential.expiresAt <= now) return t("credential.expired");
  return t("renew.soon", { days: Math.ceil((credential.expiresAt - now) / DAY_S) });
}

function visit(issuer) {
  const isWeb = URL.canParse(issuer) && /^https?:$/.test(new URL(issuer).protocol);
  return isWeb ? link(t("renew.visit", { host: hostOf(issuer) }), new URL(issuer).origin, { class: "button", rel: "noopener noreferrer", target: "_blank" }) : null;
}
