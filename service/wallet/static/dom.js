/** The one way to build elements: text is always text, never markup. */

import { t } from "./text.js";

/**
 * @param {string} tag
 * @param {object} [attributes] `on...` are listeners, `true` stands for an attribute without value, null for none.
 * @param {...(Node|string|null|undefined|Array)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A definition list of labels and values; entries without a value are left out. */
export function facts(entries, attributes = {}) {
  const shown = entries.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return el("dl", { class: "facts", ...attributes }, shown.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
}

/** A button that does its work once at a time: pressed twice, it acts once. */
export function button(label, act, attributes = {}) {
  const element = el("button", { type: "button", ...attributes }, label);
  element.addEventListener("click", () => once(element, act));
  return element;
}

/** A form that a return key or its first button sends, once at a time. */
export function form(act, ...children) {
  const element = el("form", { novalidate: true }, ...children);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    once(element, act);
  });
  return element;
}

export function note(text, kind = "note") {
  return el("p", { class: `note ${kind}`, role: kind === "bad" ? "alert" : null }, text);
}

export function link(label, href, attributes = {}) {
  return el("a", { href, ...attributes }, label);
}

/** Say something to people who don't see the page change. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** The words of an error, with what the other side called it, for whoever is asked for help. */
export function errorNote(error) {
  const key = error.key ?? "error.unexpected";
  const code = error.code || (error.key ? "" : `${error.name}: ${error.message}`);
  const detail = code ? el("details", {}, el("summary", {}, t("error.details")), el("p", {}, el("code", {}, code))) : null;
  return el("div", { class: "note bad", role: "alert" }, el("p", {}, t(key, error.values ?? {})), detail);
}

// What nobody foresaw, such as a browser that was told to forget everything while this page was open.
function report(error, element) {
  document.getElementById("failure")?.remove();
  const note = errorNote(error);
  note.id = "failure";
  (element.closest("form, .row") ?? element).after(note);
}

async function once(element, act) {
  if (element.dataset.busy) return;
  element.dataset.busy = "yes";
  element.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    report(error, element);
  } finally {
    delete element.dataset.busy;
    element.removeAttribute("aria-busy");
  }
}
