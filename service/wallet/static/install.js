/** The wallet as an app: it opens without a connection, and says when there is a newer version. */

import { button, el } from "./dom.js";
import { language, onLanguage, t } from "./text.js";

const policy = globalThis.trustedTypes?.createPolicy("goodstanding-wallet", { createScriptURL: allowWorker });
const WORKER = policy ? policy.createScriptURL("sw.js") : "sw.js";

/** Keep the wallet's files in this browser; without a service worker the wallet works as long as there is a connection. */
export async function install() {
  onLanguage(nameApp);
  nameApp();
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const wasControlled = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => wasControlled && sayChanged());
  const registration = await serviceWorker.register(WORKER, { updateViaCache: "none" }).catch(() => null);
  if (!registration) return;
  const look = () => registration.update().catch(() => undefined); // offline, the next look finds it
  const follow = () => registration.installing?.addEventListener("statechange", () => offerWaiting(registration));
  registration.addEventListener("updatefound", follow);
  follow(); // another tab may have found it
  offerWaiting(registration);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  await look();
}

function allowWorker(address) {
  if (address !== "sw.js") throw new TypeError("the wallet has one worker");
  return address;
}

function nameApp() {
  document.getElementById("manifest").href = `manifest.${language()}.webmanifest`;
}

let chosenHere = false;

function offerWaiting(registration) {
  const { waiting } = registration;
  if (!waiting || !navigator.serviceWorker.controller) return;
  const use = () => {
    chosenHere = true;
    waiting.postMessage("use-this-version");
  };
  say("update.ready", button(t("update.use"), use));
}

// This tab asked for it: go on with the new files. Another one did: this one still runs the old, so say so.
function sayChanged() {
  if (chosenHere) location.reload();
  else say("update.changed", button(t("update.reload"), () => location.reload()));
}

function say(key, act) {
  document.getElementById("update")?.remove();
  const words = el("p", {}, t(key));
  document.querySelector("header").after(el("section", { id: "update", class: "note", role: "status" }, words, act));
}
