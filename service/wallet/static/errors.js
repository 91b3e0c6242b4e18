/** A failure that a person is told about: a sentence of the language files, and what fills its gaps. */
export class WalletError extends Error {
  /**
   * @param {string} key Of the language files, without "error.".
   * @param {{values?: object, code?: string, retry?: boolean, cause?: unknown}} [more] `code` is what the other
   *     side called it; `retry` tells that the same may be tried again and do no harm.
   */
  constructor(key, { values = {}, code = "", retry = false, cause = undefined } = {}) {
    super(code ? `${key}: ${code}` : key, { cause });
    this.key = `error.${key}`;
    this.values = values;
    this.code = code;
    this.retry = retry;
  }
}

/** What came from outside isn't authentic or breaks the protocol: nothing to retry. */
export function reject(code) {
  return new WalletError("rejected", { code });
}
