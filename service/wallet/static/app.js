/** Start of the wallet: language, routes, and the page that is on show. Everything after `#` stays in this browser. */

import { announce, el, errorNote, link } from "./dom.js";
import { WalletError } from "./errors.js";
import { keepKeyCopies } from "./holdings.js";
import { install } from "./install.js";
import { takeIn } from "./intake.js";
import { onChange, setting } from "./store.js";
import { browserLanguage, loadLanguage, t } from "./text.js";
import { endVisit } from "./visit.js";

// A page module has `show(parameter, app)`, which returns its element, and the key of its title.
const PAGES = {
  "": () => import("./pages/home.js"),
  add: () => import("./pages/add.js"),
  credential: () => import("./pages/credential.js"),
  offer: () => import("./pages/offer.js"),
  request: () => import("./pages/request.js"),
  history: () => import("./pages/history.js"),
  settings: () => import("./pages/settings.js"),
  backup: () => import("./pages/backup.js"),
};
const NAVIGATION = ["", "add", "history", "settings"];

const app = { go, refresh, replace };
const main = document.getElementById("main");
let shown = 0;
let redrawn = 0;

await start();

async function start() {
  try {
    await loadLanguage(await setting("language", browserLanguage()));
  } catch (error) {
    await loadLanguage(browserLanguage()).catch(() => undefined);
    main.replaceChildren(errorNote(error));
    return;
  }
  drawFrame();
  keepKeyCopies();
  addEventListener("hashchange", () => showPage());
  onChange(() => redrawQuietly());
  if (location.search) await comeBack();
  else await showPage();
  await install();
}

/** Open a page, such as `#/offer/<id>`. */
function go(hash) {
  if (location.hash === hash) return showPage();
  location.hash = hash;
  return undefined;
}

/** Open a page in place of the present one, so that the back button doesn't lead to what is over. */
function replace(hash) {
  history.replaceState(null, "", hash);
  return showPage();
}

/** Show the page anew, for example in another language. */
async function refresh() {
  drawFrame();
  await showPage();
}

async function showPage() {
  const turn = ++shown;
  main.setAttribute("aria-busy", "true");
  const { name, parameter, link: brought } = readFragment();
  if (brought !== null) {
    await receiveLink(brought);
    return;
  }
  const content = await build(name, parameter);
  if (turn !== shown) return;
  main.removeAttribute("aria-busy");
  main.replaceChildren(content.element);
  main.dataset.page = name || "home";
  main.dataset.live = content.live ? "yes" : "";
  document.title = `${t(content.title)} – ${t("app.name")}`;
  markNavigation(name);
  announce(t(content.title));
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

async function build(name, parameter) {
  try {
    const page = await (PAGES[name] ?? PAGES[""])();
    return { element: await page.show(parameter, app), title: page.title, live: page.live === true };
  } catch (error) {
    return { element: el("div", {}, errorNote(error), el("p", {}, link(t("app.back_home"), "#/"))), title: "error.title" };
  }
}

// From an issuer's page, with a code that is good once: it leaves the address bar at once, too.
async function comeBack() {
  const answer = new URLSearchParams(location.search);
  history.replaceState(null, "", location.pathname);
  if (!answer.has("state")) return showPage();
  return open(() => endVisit(answer));
}

// A link may hold a code that is good for one use: it leaves the address bar and the history of the browser at once.
async function receiveLink(text) {
  history.replaceState(null, "", "#/");
  await open(() => takeIn(text));
}

async function open(find) {
  try {
    await replace(await find());
  } catch (error) {
    const wrapped = error instanceof WalletError ? error : new WalletError("unexpected", { cause: error });
    main.removeAttribute("aria-busy");
    main.replaceChildren(el("h1", {}, t("error.title")), errorNote(wrapped), el("p", {}, link(t("app.back_home"), "#/")));
  }
}

function readFragment() {
  const fragment = location.hash.slice(1);
  const brought = /^(offer|request)=(.+)$/s.exec(fragment);
  if (brought !== null) return { name: "", parameter: "", link: decode(brought[2]) };
  const [, name = "", parameter = ""] = /^\/([a-z]*)(?:\/(.*))?$/.exec(fragment) ?? [];
  return { name, parameter: decode(parameter), link: null };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Another tab, or a step of this one, has written; a page where somebody types or decides stays as it is.
async function redrawQuietly() {
  if (!main.dataset.live || main.hasAttribute("aria-busy")) return;
  const turn = shown;
  const redraw = ++redrawn;
  const { name, parameter } = readFragment();
  const content = await build(name, parameter);
  if (turn === shown && redraw === redrawn) main.replaceChildren(content.element);
}

function drawFrame() {
  document.getElementById("skip").textContent = t("app.skip");
  const items = NAVIGATION.map((name) => link(t(`nav.${name || "home"}`), `#/${name}`, { "data-name": name }));
  const navigation = document.getElementById("navigation");
  navigation.setAttribute("aria-label", t("nav.label"));
  navigation.replaceChildren(...items);
  document.getElementById("footer").replaceChildren(el("p", {}, t("app.footer")));
}

function markNavigation(name) {
  for (const item of document.querySelectorAll("#navigation a")) {
    if (item.dataset.name === name) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
