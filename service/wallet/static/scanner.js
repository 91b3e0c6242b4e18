/** The part of a page that takes a QR code: from the camera, or from a picture that is chosen, pasted or dropped. */

import { announce, button, el, errorNote } from "./dom.js";
import { readCamera, readPicture } from "./scan.js";
import { t } from "./text.js";

/**
 * @param {(text: string) => Promise<void>} take What to do with the text of a code; may throw a WalletError.
 * @returns {HTMLElement}
 */
export function scanner(take) {
  const problem = el("div", {});
  const read = async (look) => {
    problem.replaceChildren();
    try {
      const text = await look();
      if (text !== null) await take(text);
    } catch (error) {
      problem.replaceChildren(errorNote(error));
      announce(t(error.key ?? "error.unexpected"));
    }
  };
  const fromPicture = (file) => file && read(() => readPicture(file));
  const section = el("section", { id: "scan" }, el("h2", {}, t("scan.title")), camera(read), picture(fromPicture), problem);
  takePasted(section, fromPicture);
  return section;
}

function camera(read) {
  const video = el("video", { class: "camera", hidden: true, muted: true, playsinline: true, "aria-label": t("scan.camera") });
  let stopping = null;
  const stop = () => stopping?.abort();
  const start = button(t("scan.start"), () => {
    if (stopping) return stop();
    stopping = new AbortController();
    video.hidden = false;
    start.textContent = t("scan.stop");
    const { signal } = stopping;
    addEventListener("hashchange", stop, { signal });
    document.addEventListener("visibilitychange", () => document.hidden && stop(), { signal });
    void read(() => readCamera(video, signal).finally(ended)); // not awaited: the same button stops it
    return undefined;
  });
  const ended = () => {
    stop();
    stopping = null;
    video.hidden = true;
    start.textContent = t("scan.start");
  };
  return el("div", {}, el("div", { class: "row" }, start), video);
}

function picture(fromPicture) {
  const input = el("input", { id: "picture", type: "file", accept: "image/*", "aria-describedby": "picture-hint" });
  input.addEventListener("change", () => fromPicture(input.files[0]));
  return el("div", {}, el("label", { for: "picture" }, t("scan.picture")), input, el("p", { class: "hint", id: "picture-hint" }, t("scan.hint")));
}

/** A picture may be pasted or dropped anywhere as long as `section` is on the page. */
function takePasted(section, fromPicture) {
  const leaving = new AbortController();
  const whileShown = (act) => (event) => (section.isConnected ? act(event) : leaving.abort());
  const on = (name, act) => document.addEventListener(name, whileShown(act), { signal: leaving.signal });
  const pictureIn = (transfer) => [...(transfer?.files ?? [])].find(({ type }) => type.startsWith("image/"));
  on("paste", (event) => fromPicture(pictureIn(event.clipboardData)));
  on("dragover", (event) => event.preventDefault());
  on("drop", (event) => {
    event.preventDefault();
    fromPicture(pictureIn(event.dataTransfer));
  });
}
