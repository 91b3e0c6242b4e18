/** A link that somebody opened, pasted or scanned: which kind it is, and where in the wallet it leads. */

import { WalletError } from "./errors.js";

/**
 * @param {string} text
 * @returns {Promise<string>} The page to open.
 */
export async function takeIn(text) {
  throw new WalletError("link_unknown", { code: text.slice(0, 20) });
}
