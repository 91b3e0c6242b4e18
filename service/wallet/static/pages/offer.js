/** An offer: who offers what, the code if one is needed, and what became of it. */

import { announce, button, el, errorNote, facts, form, link, note } from "../dom.js";
import { WalletError } from "../errors.js";
import { accept, collect, findTwin, readProposal, readRecord } from "../receive.js";
import { hostOf } from "../records.js";
import { clean, describeType, formatInstant, t } from "../text.js";
import { beginVisit } from "../visit.js";

export const title = "offer.title";

// What cut a step off, to be told on the page that goes on from there.
const failures = new Map();

export async function show(id, app) {
  const record = await readRecord(id);
  if (record.state === "done" || record.state === "dead") return result(record);
  if (record.state === "redeemed" || record.agreement) return progress(record, app);
  try {
    const proposal = await readProposal(id);
    const twin = await findTwin(proposal.record);
    if (twin !== null) return show(twin.id, app);
    return propose(proposal, app);
  } catch (error) {
    return failed(error, app);
  }
}

function propose(proposal, app) {
  const { record, issuer, configurations, skipped } = proposal;
  const { txCode } = record.offer;
  const isVisit = record.offer.code === null;
  const problem = el("div", {}, failures.has(record.id) ? errorNote(failures.get(record.id)) : null);
  failures.delete(record.id);
  const input = txCode === null ? null : codeInput(txCode);
  const take = async () => {
    problem.replaceChildren();
    const code = input?.value.trim() ?? "";
    if (input !== null && code === "") return complain(problem, new WalletError("code_missing"), input);
    announce(t("offer.working"));
    try {
      if (isVisit) return location.assign(await beginVisit(record.id));
      await accept(record.id, code);
    } catch (error) {
      const now = await readRecord(record.id);
      if (["opened", "visiting", "redeeming"].includes(now.state)) return complain(problem, error, input);
      failures.set(record.id, error);
    }
    return app.refresh();
  };
  return el(
    "div",
    {},
    el("h1", {}, t("offer.from", { issuer: clean(issuer.name, 80) })),
    record.state === "redeeming" ? note(t("offer.interrupted")) : null,
    record.state === "visiting" ? note(t("offer.left")) : null,
    record.refusal ? errorNote(new WalletError("visit_declined", { code: record.refusal })) : null,
    facts([[t("offer.issuer"), clean(issuer.name, 120)], [t("offer.address"), hostOf(issuer.identifier)]]),
    el("p", { class: "hint" }, t("offer.check")),
    el("ul", { class: "cards" }, configurations.map(preview)),
    skipped.length === 0 ? null : note(t("offer.skipped", { names: clean(skipped.join(", "), 200) })),
    isVisit ? el("p", {}, t("offer.visit")) : null,
    form(
      take,
      input === null ? null : codeField(input, txCode),
      problem,
      el("div", { class: "row" }, el("button", { class: "primary" }, t(isVisit ? "offer.go_there" : "offer.accept")), link(t("offer.later"), "#/", { class: "button" })),
    ),
  );
}

function preview({ vct, display }) {
  const known = describeType(vct);
  const labels = Object.entries(known.labels ?? display.labels ?? {}).filter(([name]) => !HIDDEN_LABELS.has(name));
  return el(
    "li",
    { class: "card" },
    el("h2", {}, clean(known.name ?? display.name, 80)),
    el("p", {}, clean(known.description ?? display.description, 300)),
    labels.length === 0 ? null : el("p", { class: "hint" }, t("offer.can_state", { labels: clean(labels.map(([, label]) => label).join(", "), 1000) })),
  );
}

const HIDDEN_LABELS = new Set(["iss", "vct", "cnf", "status", "iat", "exp", "sub"]);

function codeInput(txCode) {
  return el("input", {
    id: "code",
    inputmode: txCode.numeric ? "numeric" : "text",
    maxlength: txCode.length ?? 100,
    autocomplete: "one-time-code",
    spellcheck: "false",
    required: true,
    "aria-describedby": "code-hint",
  });
}

function codeField(input, txCode) {
  const hint = [t("offer.code_hint"), clean(txCode.description, 300)].filter(Boolean).join(" ");
  return el("div", {}, el("label", { for: "code" }, t("offer.code")), el("p", { class: "hint", id: "code-hint" }, hint), input);
}

// Issued in part, or to be decided on: go on by hand, and look again when the issuer said to.
function progress(record, app) {
  const waiting = (record.items ?? []).filter((item) => item.state === "waiting");
  const problem = el("div", {}, failures.has(record.id) ? errorNote(failures.get(record.id)) : null);
  failures.delete(record.id);
  const goOn = async () => {
    problem.replaceChildren();
    try {
      await accept(record.id, "");
    } catch (error) {
      if ((await readRecord(record.id)).state !== "opened") return problem.replaceChildren(errorNote(error));
      failures.set(record.id, error);
    }
    return app.refresh();
  };
  const element = el(
    "div",
    {},
    el("h1", {}, t(waiting.length > 0 ? "offer.waiting_title" : "offer.unfinished_title")),
    note(waiting.length > 0 ? t("offer.waiting", { issuer: clean(record.issuerName, 80), at: formatInstant(Math.max(...waiting.map((item) => item.nextAt))) }) : t(record.agreement ? "offer.back" : "offer.unfinished")),
    problem,
    el("div", { class: "row" }, button(t(waiting.length > 0 ? "offer.look_again" : "offer.go_on"), goOn, { class: "primary" }), link(t("app.back_home"), "#/", { class: "button" })),
  );
  if (waiting.length > 0) lookAgainLater(record, element, app);
  return element;
}

function lookAgainLater(record, element, app) {
  const next = Math.min(...record.items.filter((item) => item.state === "waiting").map((item) => item.nextAt));
  setTimeout(async () => {
    if (!element.isConnected) return;
    const after = await collect(record.id).catch(() => record);
    if (element.isConnected && JSON.stringify(after.items) !== JSON.stringify(record.items)) await app.refresh();
    else if (element.isConnected) lookAgainLater(after, element, app);
  }, Math.min(Math.max(1000, next * 1000 - Date.now()), 2 ** 31 - 1));
}

function result(record) {
  const items = record.items ?? [];
  const received = items.filter((item) => item.state === "done");
  const refusals = items.filter((item) => item.state === "refused");
  const isGood = record.state === "done" && refusals.length === 0;
  return el(
    "div",
    {},
    el("h1", {}, t(isGood ? "offer.done_title" : "error.title")),
    record.state === "dead" ? note(t("error.offer_lost"), "bad") : null,
    received.length > 0 ? note(t("offer.done"), "good") : null,
    refusals.map((item) => errorNote(item.error)),
    el("ul", {}, received.map((item) => el("li", {}, link(t("offer.show"), `#/credential/${item.credentialId}`)))),
    el("p", {}, link(t("app.back_home"), "#/", { class: "button" })),
  );
}

function failed(error, app) {
  const again = error.retry ? button(t("app.try_again"), () => app.refresh(), { class: "primary" }) : null;
  return el("div", {}, el("h1", {}, t("error.title")), errorNote(error), el("div", { class: "row" }, again, link(t("app.back_home"), "#/", { class: "button" })));
}

function complain(place, error, input) {
  place.replaceChildren(errorNote(error));
  announce(t(error.key ?? "error.unexpected", error.values));
  input?.focus();
}
