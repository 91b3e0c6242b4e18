/** Words for people, from the language files; and text that others wrote, made safe to show. */

export const LANGUAGES = { en: "English", zh: "简体中文" };
const FALLBACK = "en";
const MAX_CHARACTERS = 400;
const MAX_COMBINING = 4;
// Controls, formats (bidi marks, zero width), surrogates, private use, unassigned, line separators: each could make
// the screen show something else than what is there.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;
const COMBINING = /\p{M}/u;

let current = FALLBACK;
let words = {};
let types = {};
let purposes = {};
const listeners = [];

/** Load the words of a language, of our credential types and of our platforms' purposes. */
export async function loadLanguage(language) {
  current = language in LANGUAGES ? language : FALLBACK;
  [words, types, purposes] = await Promise.all([`languages/${current}.json`, "types.json", "purposes.json"].map(readJson));
  document.documentElement.lang = current === "zh" ? "zh-Hans" : current;
  for (const listener of listeners) listener();
}

/** Call `listener` whenever a language was loaded. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** @returns {string} The first of the browser's languages that we have. */
export function browserLanguage() {
  const known = (navigator.languages ?? []).map((each) => each.split("-")[0].toLowerCase());
  return known.find((each) => each in LANGUAGES) ?? FALLBACK;
}

export function language() {
  return current;
}

/** @returns {string} The sentence called `key`, its `{gaps}` filled; a key nobody wrote comes back as it is. */
export function t(key, values = {}) {
  const template = words[key] ?? key;
  return template.replace(/\{(\w+)\}/g, (gap, name) => (name in values ? String(values[name]) : gap));
}

/** Whether a language has words for `key`; an empty one says that it needs none. */
export function hasWords(key) {
  return Boolean(words[key]);
}

/** @returns {{name?: string, description?: string, labels?: object}} What a type of ours says of itself. */
export function describeType(vct) {
  const known = Object.hasOwn(types, vct) ? types[vct] : {};
  return known[current] ?? known[FALLBACK] ?? {};
}

/** @returns {string} What a platform asks for: in the reader's language if it is a purpose of ours, else as the platform wrote it, marked so. */
export function describePurpose(text) {
  if (Object.hasOwn(purposes, text)) return t(`purpose.${purposes[text]}`);
  return text === "" ? "" : `${clean(text, 300)} ${t("request.own_words")}`;
}

/** Make one line of printable text of any JSON value; what can't be printed becomes `\u{...}`, long text is cut. */
export function clean(value, limit = MAX_CHARACTERS) {
  const characters = [...write(value)];
  let combining = 0;
  const shown = characters.slice(0, limit).map((character) => {
    combining = COMBINING.test(character) ? combining + 1 : 0;
    const hidden = UNSAFE.test(character) || combining > MAX_COMBINING;
    return hidden ? `\\u{${character.codePointAt(0).toString(16)}}` : character;
  });
  return shown.join("") + (characters.length > limit ? "…" : "");
}

/** @param {number} seconds Since 1970. */
export function formatInstant(seconds) {
  return format(seconds, { dateStyle: "medium", timeStyle: "short" });
}

export function formatDay(seconds) {
  return format(seconds, { dateStyle: "long" });
}

/** A day that is the same wherever it is read, such as a date of birth; at midnight UTC. */
export function formatCivilDay(seconds) {
  return format(seconds, { dateStyle: "long", timeZone: "UTC" });
}

/** @returns {string} The name of a country; what isn't a code comes back as it is. */
export function nameCountry(code) {
  if (!/^[A-Z]{2}$/.test(code)) return clean(code);
  return new Intl.DisplayNames(locale(), { type: "region" }).of(code === "UK" ? "GB" : code);
}

function format(seconds, style) {
  return new Intl.DateTimeFormat(locale(), style).format(new Date(seconds * 1000));
}

function locale() {
  return current === "zh" ? "zh-Hans" : current;
}

function write(value) {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return t(value ? "value.yes" : "value.no");
  if (Array.isArray(value)) return value.map(write).join(", ");
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return Object.entries(value).map(([name, each]) => `${name}: ${write(each)}`).join(", ");
  return String(value);
}

async function readJson(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
