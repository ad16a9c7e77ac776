// Progress of a tool in words for the channel, and errors of missing keys.

/** A partial result that only tells how far a tool is. @param {{text: string, id?: string}} progress @returns {any} */
export const toolProgressResult = ({ text, id }) => ({ content: [], details: undefined, progress: { text, visibility: 'channel', privacy: 'public', ...(id ? { id } : {}) } });
/** Tells it; a blank text is left out, and nobody's failure comes back. @param {((result: any) => void) | undefined} onUpdate @param {{text: string, id?: string}} progress */
export function emitToolProgress(onUpdate, progress) {
  const text = progress.text.trim();
  if (!onUpdate || !text) return;
  try {
    onUpdate(toolProgressResult({ ...progress, text }));
  } catch {
    // Whoever listens must not stop the tool.
  }
}
/** Tells it after a while, unless the tool has ended by then. @param {((result: any) => void) | undefined} onUpdate @param {{text: string, id?: string}} progress @param {number} delayMs @param {{signal?: AbortSignal}} [options] @returns {() => void} takes it back */
export function scheduleToolProgress(onUpdate, progress, delayMs, { signal } = {}) {
  if (!onUpdate || signal?.aborted) return () => {};
  const clear = () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', clear);
  };
  const timer = setTimeout(() => {
    clear();
    emitToolProgress(onUpdate, progress);
  }, delayMs);
  signal?.addEventListener('abort', clear, { once: true });
  return clear;
}

/** What stands for a key that Codex's own server has. */
export const CODEX_APP_SERVER_AUTH_MARKER = 'codex-app-server';
/** Something is wrong with the sign-in of a provider; `code` and `provider` say what. */
export class ProviderAuthError extends Error {
  constructor(code, provider, message) {
    super(message);
    this.name = 'ProviderAuthError';
    this.code = code;
    this.provider = provider;
  }
}
/** @param {{mode: string, source: string}} auth @param {string} provider @returns {string} */
export const formatMissingAuthError = ({ mode, source }, provider) => `No API key resolved for provider "${provider}" (auth mode: ${mode}, checked: ${source}).`;
/** There is no key. */
export class MissingProviderAuthError extends ProviderAuthError {
  constructor(provider, auth) {
    super('missing-api-key', provider, formatMissingAuthError(auth, provider));
    this.name = 'MissingProviderAuthError';
    this.mode = auth.mode;
    this.source = auth.source;
  }
}
/** @param {unknown} error @returns {boolean} */
export const isMissingProviderAuthError = (error) => error instanceof MissingProviderAuthError;
/** @param {unknown} error @param {string} [code] @returns {boolean} */
export const isProviderAuthError = (error, code) => error instanceof ProviderAuthError && (!code || error.code === code);

/** The day of a time somewhere, as `2026-01-31`. @param {number} nowMs @param {string} timeZone @returns {string} */
export const formatDateStamp = (nowMs, timeZone) => new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(nowMs));
