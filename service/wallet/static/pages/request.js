/** A request: who asks, why, exactly what would be shown and what stays hidden, and the person's answer. */

import { announce, button, el, errorNote, facts, link, note } from "../dom.js";
import { WalletError } from "../errors.js";
import { answer, answerAgain, decline, readRequest } from "../present.js";
import { hostOf, labelOf, nameOf, personalClaims, stateInWords, stateOf, valueInWords } from "../records.js";
import { chooseCopies, findCandidates, previewDisclosure } from "../selection.js";
import { all } from "../store.js";
import { clean, describePurpose, describeType, formatDay, formatInstant, t } from "../text.js";
import { describeTransaction } from "../transactions.js";
import { fetchRequest } from "../verifier.js";

export const title = "request.title";

export async function show(id, app) {
  const record = await readRequest(id);
  if (record.state === "sending") return unconfirmed(record, app);
  if (record.state !== "opened") return over(record);
  try {
    const asked = await fetchRequest(record.link);
    const [held, history] = await Promise.all([all("credentials"), all("history")]);
    const { candidates, gaps } = findCandidates(asked.query, held);
    if (candidates.size === 0) return nothingFits(record, asked, gaps, app);
    return await consent({ record, asked, candidates, history, app });
  } catch (error) {
    return failed(error, app);
  }
}

async function consent({ record, asked, candidates, history, app }) {
  const chosen = new Map([...candidates].map(([queryId, list]) => [queryId, list[0]]));
  const problem = el("div", {});
  const parts = await Promise.all([...candidates].map(([queryId, list]) => credentialPart(queryId, list, chosen)));
  const agree = async () => {
    problem.replaceChildren();
    const selection = chooseCopies(chosen, history, asked.clientId);
    if (selection === null) return complain(problem, new WalletError("different_keys"));
    announce(t("request.sending"));
    try {
      finish(await answer(record.id, asked, selection));
    } catch (error) {
      if ((await readRequest(record.id)).state === "opened") return complain(problem, error);
    }
    return app.refresh();
  };
  const refuse = async () => {
    await decline(record.id, asked);
    await app.refresh();
  };
  return el(
    "div",
    {},
    el("h1", {}, t("request.from", { name: clean(asked.name, 80) || asked.host || t("request.nameless") })),
    whoAsks(asked),
    asked.transactions.map(agreement),
    parts,
    problem,
    el("div", { class: "row" }, button(t(asked.transactions.length > 0 ? "request.agree_sign" : "request.agree"), agree, { class: "primary" }), button(t("request.refuse"), refuse)),
    el("p", { class: "hint" }, t("request.once")),
  );
}

function whoAsks(asked) {
  const to = new URL(asked.responseUri).host;
  const warnings = [];
  if (!asked.isSigned) warnings.push(t("request.unsigned"));
  else if (asked.isCertified) warnings.push(t("request.certified"));
  else if (asked.host === null) warnings.push(t("request.no_address"));
  else if (asked.host !== to) warnings.push(t("request.other_host", { host: clean(to, 120) }));
  return el(
    "section",
    { "aria-labelledby": "who" },
    el("h2", { id: "who" }, t("request.who")),
    facts([
      [t("request.calls_itself"), clean(asked.name, 120)],
      [t("request.verified"), asked.host === null ? "" : clean(asked.host, 120)],
      [t("request.goes_to"), clean(to, 120)],
      [t("request.why"), describePurpose(asked.purpose) || t("request.no_purpose")],
    ]),
    warnings.map((text) => note(text, "bad")),
    el("details", {}, el("summary", {}, t("request.identifier")), el("p", {}, el("code", {}, clean(asked.clientId)))),
  );
}

function agreement(entry) {
  return el("section", { class: "note" }, el("h2", {}, t("request.by_agreeing")), facts(describeTransaction(entry)));
}

async function credentialPart(queryId, list, chosen) {
  const shown = el("div", {});
  const draw = async (candidate) => {
    chosen.set(queryId, candidate);
    shown.replaceChildren(...(await disclosure(candidate)));
  };
  await draw(list[0]);
  const choices = list.length < 2 ? null : choice(queryId, list, draw);
  return el("section", { class: "card" }, el("h2", {}, nameOf(list[0].credential)), choices, shown);
}

function choice(queryId, list, draw) {
  const options = list.map((candidate, index) => {
    const { credential } = candidate;
    const input = el("input", { type: "radio", name: queryId, checked: index === 0, onchange: () => draw(candidate) });
    const until = credential.expiresAt === null ? t("card.no_end") : formatDay(credential.expiresAt);
    return el("label", { class: "choice" }, input, el("span", {}, `${clean(credential.issuerName, 80)} · ${t("request.received")} ${formatInstant(credential.receivedAt)} · ${t("card.until")} ${until}`));
  });
  return el("fieldset", {}, el("legend", {}, t("request.choose")), options);
}

async function disclosure(candidate) {
  const { credential } = candidate;
  const { shown, hidden } = await previewDisclosure(candidate);
  const inOrder = (claims) => personalClaims({ vct: credential.vct, claims });
  const claims = inOrder(shown).map(([name, value]) => [labelOf(credential, name), valueInWords(credential, name, value)]);
  const state = stateOf(credential);
  return [
    state === "valid" || state === "unknown" ? "" : note(t("request.not_valid", { state: stateInWords(state, credential.status) }), "bad"),
    el("h3", {}, t("request.shown")),
    claims.length === 0 ? el("p", {}, t("request.no_claim")) : facts(claims, { class: "facts shown" }),
    el("p", { class: "hint" }, t("request.always", { issuer: hostOf(credential.issuer) })),
    el("h3", {}, t("request.hidden")),
    el("p", { class: "hidden-claims" }, Object.keys(hidden).length === 0 ? t("request.nothing_hidden") : inOrder(hidden).map(([name]) => labelOf(credential, name)).join(" · ")),
  ];
}

function nothingFits(record, asked, gaps, app) {
  const lines = gaps.map((gap) => {
    const name = gap.types.map((vct) => clean(describeType(vct).name ?? vct, 80)).join(" / ") || t("request.other_kind");
    return el("li", {}, gap.hasType ? t("request.lacks", { name, claims: clean(gap.claims.join(", "), 200) }) : t("request.missing", { name }));
  });
  const refuse = async () => {
    await decline(record.id, asked);
    await app.refresh();
  };
  return el(
    "div",
    {},
    el("h1", {}, t("request.nothing_title")),
    whoAsks(asked),
    el("p", {}, t("request.nothing")),
    el("ul", {}, lines),
    el("p", {}, t("request.nothing_way_on")),
    el("div", { class: "row" }, button(t("app.try_again"), () => app.refresh(), { class: "primary" }), button(t("request.tell_no"), refuse), link(t("app.back_home"), "#/", { class: "button" })),
  );
}

function unconfirmed(record, app) {
  const problem = el("div", {});
  const again = async () => {
    problem.replaceChildren();
    try {
      finish(await answerAgain(record.id));
    } catch (error) {
      if ((await readRequest(record.id)).state === "sending") return complain(problem, error);
    }
    return app.refresh();
  };
  return el(
    "div",
    {},
    el("h1", {}, t("request.unconfirmed_title")),
    note(t("request.unconfirmed"), "bad"),
    problem,
    el("div", { class: "row" }, button(t("request.send_again"), again, { class: "primary" }), link(t("app.back_home"), "#/", { class: "button" })),
  );
}

function over(record) {
  const isGood = record.state === "answered";
  const onward = record.redirectUri ? link(t("request.onward", { host: hostOf(record.redirectUri) }), record.redirectUri, { class: "button primary", rel: "noreferrer" }) : null;
  return el(
    "div",
    {},
    el("h1", {}, t(`request.${record.state}_title`)),
    note(t(`request.${record.state}`), isGood ? "good" : "note"),
    el("div", { class: "row" }, onward, link(t("request.see_history"), "#/history", { class: "button" })),
  );
}

// The platform named where to go on; nobody has to press another button for that.
function finish(record) {
  if (record.redirectUri) location.assign(record.redirectUri);
}

function failed(error, app) {
  const again = error.retry ? button(t("app.try_again"), () => app.refresh(), { class: "primary" }) : null;
  return el("div", {}, el("h1", {}, t("error.title")), errorNote(error), el("div", { class: "row" }, again, link(t("app.back_home"), "#/", { class: "button" })));
}

function complain(place, error) {
  place.replaceChildren(errorNote(error));
  place.scrollIntoView({ block: "center" });
}
