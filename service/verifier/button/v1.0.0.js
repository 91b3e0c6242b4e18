/*
 * <prove-you-qualify start="/my/start" status="/my/status" purpose="us.506c">: a button with which an investor shows
 * a platform that they qualify. See docs/button.md. What it says is for the person; the platform's back end decides.
 */

const TEXTS = {
  en: {
    prove: "Prove you qualify",
    how: "How do you want to show your proof?",
    web: "Open my web wallet",
    app: "Open a wallet app on this device",
    phone: "Use my phone",
    browser: "Let this browser find my wallet",
    not_now: "Not now",
    starting: "One moment…",
    waiting: "Waiting for your wallet. It shows you what is asked before anything is sent.",
    scan_app: "Scan this code in your wallet app.",
    scan_web: "Scan this code with your phone’s camera. It opens your web wallet.",
    to_web: "My wallet is a web page",
    to_app: "My wallet is an app",
    code: "Code for your wallet. If you can’t scan it, choose another way.",
    lost: "No connection. Trying again…",
    stop: "Stop waiting",
    again: "Start again",
    verified: "Thank you. Your proof was received and checked.",
    declined: "You declined, so nothing was shown.",
    expired: "The request ran out before your wallet answered. Nothing was shown.",
    rejected: "Your proof could not be accepted. A credential may be missing, expired or withdrawn.",
    unavailable: "That did not work, and it is not your doing. Nothing was shown. Please try again.",
  },
  zh: {
    prove: "证明您符合资格",
    how: "您想用哪种方式出示凭证？",
    web: "打开我的网页钱包",
    app: "打开本设备上的钱包应用",
    phone: "使用我的手机",
    browser: "由浏览器查找我的钱包",
    not_now: "暂不",
    starting: "请稍候…",
    waiting: "正在等待您的钱包。发送任何内容之前，钱包会先让您看到对方要求什么。",
    scan_app: "请在钱包应用中扫描此二维码。",
    scan_web: "请用手机相机扫描此二维码，您的网页钱包将随即打开。",
    to_web: "我用的是网页钱包",
    to_app: "我用的是钱包应用",
    code: "供钱包扫描的二维码。如无法扫描，请选择其他方式。",
    lost: "网络已断开，正在重试…",
    stop: "停止等待",
    again: "重新开始",
    verified: "谢谢。您的凭证已收到并通过核验。",
    declined: "您已拒绝，没有出示任何信息。",
    expired: "请求已过期，您的钱包未及时回应。没有出示任何信息。",
    rejected: "您的答复未获接受：可能缺少某项凭证，或凭证已过期、已被撤销。",
    unavailable: "操作未成功，并非您的原因。没有出示任何信息，请重试。",
  },
};

const STYLES = `
:host { display: block; font: inherit; max-width: 26rem }
:host([hidden]) { display: none }
button { font: inherit; min-height: 44px; padding: .5rem 1rem; border: 2px solid var(--prove-accent, #0b5cad); border-radius: .5rem;
  background: transparent; color: inherit; cursor: pointer }
button.main { background: var(--prove-accent, #0b5cad); color: var(--prove-on-accent, #fff); font-weight: 600 }
button:focus-visible, h2:focus-visible { outline: 3px solid; outline-offset: 2px }
button:disabled { cursor: progress; opacity: .7 }
section.open { border: 1px solid; border-radius: .75rem; padding: 1rem }
section, div { display: grid; gap: .75rem; justify-items: stretch }
h2 { font-size: 1.1rem; margin: 0 }
p { margin: 0; overflow-wrap: anywhere }
p:empty { position: absolute }
a { color: inherit; padding: .6rem 0; text-align: center }
img { width: 100%; max-width: 16rem; justify-self: center; background: #fff; padding: .75rem; box-sizing: border-box; border-radius: .5rem }`;

const WAYS = ["web", "app", "phone", "browser"];
const SCHEMES = /^(https?|openid4vp|haip|haip-vp|eudi-openid4vp):/; // a link that would run as code is no wallet
const FIRST_POLL_MS = 1000;
const LAST_POLL_MS = 10_000;
const LONGEST_WAIT_MS = 15 * 60_000;
const KEPT = "prove-you-qualify ";

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLES);

/** What the back end answered instead of a result; `final` if asking again would not help. */
class Refusal extends Error {
  constructor(status, retryAfter) {
    super(`The platform answered ${status}.`);
    this.final = status < 500 && status !== 408 && status !== 429;
    this.waitMs = Number(retryAfter) * 1000 || 0;
  }
}

async function call(url, body, signal) {
  const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const options = { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" }, signal };
  const answer = await fetch(url, { ...options, ...sent });
  if (!answer.ok) throw new Refusal(answer.status, answer.headers.get("Retry-After"));
  return answer.json();
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const hasDigitalCredentials = () =>
  globalThis.DigitalCredential?.userAgentAllowsProtocol?.("openid4vp-v1-signed") ?? false;

class ProveYouQualify extends HTMLElement {
  #root = this.attachShadow({ mode: "open" });
  #said = element("p"); // stays where it is, so that screen readers hear what changes in it
  #panel = element("div");
  #frame = element("section", {}, this.#said, this.#panel);
  #attempt = null;
  #wake = () => {};

  constructor() {
    super();
    this.#said.setAttribute("role", "status");
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(this.#frame);
  }

  connectedCallback() {
    for (const [target, name] of this.#wakers()) target.addEventListener(name, this.#stir);
    this.#showButton();
    this.#resume();
  }

  disconnectedCallback() {
    for (const [target, name] of this.#wakers()) target.removeEventListener(name, this.#stir);
    this.#attempt?.abort();
  }

  // The wallet was in front, the connection is back, or the back button brought this page out of the browser's memory.
  #wakers = () => [[document, "visibilitychange"], [globalThis, "online"], [globalThis, "pageshow"]];
  #stir = () => document.visibilityState === "visible" && this.#wake();

  get #language() {
    return /^zh\b/i.test(this.closest("[lang]")?.lang ?? "") ? "zh" : "en";
  }

  #text(name) {
    return TEXTS[this.#language][name];
  }

  /* What the person sees */

  #show(said, ...parts) {
    const inside = this.#root.activeElement !== null;
    this.#frame.lang = this.#language;
    this.#frame.className = "open";
    this.#said.textContent = said;
    this.#panel.replaceChildren(...parts);
    if (inside) this.#panel.querySelector("h2, a, button")?.focus();
  }

  #action(name, onclick, className = "") {
    return element("button", { type: "button", className, textContent: this.#text(name), onclick });
  }

  #showButton() {
    this.#show("", this.#action("prove", () => this.#showWays(), "main"));
    this.#frame.className = "";
  }

  #offeredWays() {
    const wanted = this.getAttribute("ways")?.split(/\s+/) ?? WAYS;
    return WAYS.filter((way) => wanted.includes(way) && (way !== "browser" || hasDigitalCredentials()));
  }

  #showWays() {
    const title = element("h2", { textContent: this.#text("how"), tabIndex: -1 });
    const ways = this.#offeredWays().map((way, place) => this.#action(way, () => this.#begin(way), place ? "" : "main"));
    this.#show("", title, ...ways, this.#action("not_now", () => this.#showButton()));
  }

  #showWaiting(way, request, link) {
    const parts = [this.#action("stop", () => this.#stop()), this.#action("again", () => this.#begin(way))];
    if (request.qr_code_link && way === "phone") parts.unshift(...this.#buildCode(request));
    if (link) parts.unshift(element("a", { href: link, textContent: this.#text(way) }));
    this.#show(this.#text("waiting"), ...parts);
  }

  #buildCode(request) {
    const words = element("p");
    const picture = element("img", { alt: this.#text("code"), width: 256, height: 256 });
    const other = element("button", { type: "button" });
    const draw = (wallet) => {
      words.textContent = this.#text(`scan_${wallet}`);
      picture.src = wallet === "web" ? `${request.qr_code_link}?wallet=web` : request.qr_code_link;
      other.textContent = this.#text(wallet === "web" ? "to_app" : "to_web");
      other.onclick = () => draw(wallet === "web" ? "app" : "web");
    };
    draw("app");
    return request.wallet_link ? [words, picture, other] : [words, picture];
  }

  /* What happens */

  async #begin(way) {
    this.#attempt?.abort();
    const { signal } = (this.#attempt = new AbortController());
    this.#show(this.#text("starting"), this.#action("stop", () => this.#stop()));
    try {
      const request = await call(this.getAttribute("start"), { purpose: this.getAttribute("purpose"), way }, signal);
      if (signal.aborted) return;
      this.#keep({ id: request.id, way, until: Date.now() + LONGEST_WAIT_MS });
      if (way === "browser") return await this.#askBrowser(request, signal);
      const link = { web: request.wallet_link, app: request.deep_link }[way];
      if (way !== "phone" && !SCHEMES.test(link)) throw new TypeError("The platform gave no link to a wallet.");
      this.#showWaiting(way, request, link);
      if (link) location.assign(link);
      await this.#follow(request.id, signal);
    } catch (error) {
      this.#fail(error, signal);
    }
  }

  async #askBrowser(request, signal) {
    this.#showWaiting("browser", request);
    let credential;
    try {
      credential = await navigator.credentials.get({ digital: { requests: [request.dc_api_request] }, signal });
    } catch (error) {
      if (error.name !== "NotAllowedError") throw error;
      return this.#finish("declined", "declined", { id: request.id }); // closed, or no wallet was chosen
    }
    const answer = { id: request.id, dc_api: { protocol: credential.protocol, data: credential.data } };
    this.#judge(request.id, await call(this.getAttribute("status"), answer, signal));
  }

  /** Ask until there is a result; what is merely out of reach is asked for again, ever more seldom. */
  async #follow(id, signal, started = Date.now()) {
    const address = new URL(this.getAttribute("status"), document.baseURI);
    address.searchParams.set("id", id);
    for (let pauseMs = FIRST_POLL_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 1.5, LAST_POLL_MS)) {
      if (await this.#rest(pauseMs)) pauseMs = FIRST_POLL_MS;
      if (signal.aborted) return;
      try {
        const answer = await call(address, null, signal);
        if (signal.aborted || this.#judge(id, answer)) return;
        if (this.#said.textContent === this.#text("lost")) this.#said.textContent = this.#text("waiting");
      } catch (error) {
        if (signal.aborted || error.final) throw error;
        this.#said.textContent = this.#text("lost");
        pauseMs = Math.max(pauseMs, error.waitMs ?? 0);
      }
      if (Date.now() - started > LONGEST_WAIT_MS) return this.#finish("failed", "expired", { id, state: "expired" });
    }
  }

  /** Resolves to true if something happened that makes it worth asking at once. */
  #rest(pauseMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseMs, false);
      this.#wake = () => (clearTimeout(timer), resolve(true));
      this.#attempt?.signal.addEventListener("abort", this.#wake, { once: true });
    });
  }

  #judge(id, answer) {
    if (answer.state === "verified") return this.#finish("qualified", "verified", { id, ...answer });
    if (answer.state === "expired") return this.#finish("failed", "expired", { id, ...answer });
    if (answer.state !== "rejected") return false;
    const declined = answer.checks?.some(({ check, code }) => check === "wallet" && code === "access_denied");
    return this.#finish(...(declined ? ["declined", "declined"] : ["failed", "rejected"]), { id, ...answer });
  }

  #finish(event, text, detail) {
    this.#forget();
    this.#attempt?.abort();
    const said = typeof detail.message === "string" ? detail.message : this.#text(text);
    const again = this.#action("again", () => this.#showWays());
    this.#show(said, ...(event === "qualified" ? [] : [again]));
    this.dispatchEvent(new CustomEvent(event, { bubbles: true, composed: true, detail: { event, ...detail } }));
    return true;
  }

  #fail(error, signal) {
    if (signal.aborted) return;
    this.#finish("failed", "unavailable", { state: "unavailable", error: String(error) });
  }

  #stop() {
    this.#attempt?.abort();
    this.#forget();
    this.#showButton();
  }

  /* Coming back: from the web wallet, by the back button, after a reload */

  async #resume() {
    const kept = this.#recall();
    const code = this.#takeCode(kept);
    if (code === null && kept === null) return;
    const { signal } = (this.#attempt = new AbortController());
    this.#showWaiting(kept?.way ?? "app", {});
    try {
      const id = (code && (await this.#bring(code, kept?.id, signal))) || kept?.id;
      if (id && !signal.aborted) await this.#follow(id, signal);
      else if (!signal.aborted) this.#showButton();
    } catch (error) {
      this.#fail(error, signal);
    }
  }

  /** The code is good for one use: it leaves the address bar and the history at once. */
  #takeCode(kept) {
    const address = new URL(location.href);
    const code = address.searchParams.get("response_code");
    if (code === null || (kept === null && !this.#isTheOneForStrays())) return null;
    address.searchParams.delete("response_code");
    history.replaceState(history.state, "", address);
    return code;
  }

  /** Returns the id of the request if it is still open; a code that is refused says nothing about the request. */
  async #bring(code, id, signal) {
    try {
      const answer = await call(this.getAttribute("status"), { id, response_code: code }, signal);
      return signal.aborted || this.#judge(id ?? answer.id, answer) ? null : answer.id;
    } catch (error) {
      if (signal.aborted || !error.final) throw error;
      return null;
    }
  }

  /** A wallet app may come back in a tab that knows of nothing; then the page's first button takes it. */
  #isTheOneForStrays() {
    const isKept = Object.keys(sessionStorage).some((name) => name.startsWith(KEPT));
    return !isKept && document.querySelector(this.localName) === this;
  }

  get #place() {
    return `${KEPT}${this.getAttribute("status")} ${this.getAttribute("purpose")}`;
  }

  #keep(attempt) {
    sessionStorage.setItem(this.#place, JSON.stringify(attempt));
  }

  #recall() {
    const kept = JSON.parse(sessionStorage.getItem(this.#place));
    return kept && kept.until > Date.now() ? kept : null;
  }

  #forget() {
    sessionStorage.removeItem(this.#place);
  }
}

if (!customElements.get("prove-you-qualify")) customElements.define("prove-you-qualify", ProveYouQualify);
