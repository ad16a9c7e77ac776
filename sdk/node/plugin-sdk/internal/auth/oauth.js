// Signing in with OAuth: proofs, states and the local page that a browser comes back to.
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

const proof = (encoding) => {
  const verifier = randomBytes(32).toString(encoding);
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
};
/** A PKCE proof. @returns {{ verifier: string, challenge: string }} */
export const generatePkceVerifierChallenge = () => proof('base64url');
/** The same with a verifier of hexadecimal digits. @returns {{ verifier: string, challenge: string }} */
export const generateHexPkceVerifierChallenge = () => proof('hex');
/** A state that cannot be guessed. @returns {string} */
export const generateOAuthState = () => randomBytes(32).toString('hex');

/** Fields as the body of a form. @param {Record<string, string>} data @returns {string} */
export const toFormUrlEncoded = (data) => Object.entries(data).map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&');

/** Code and state of an address that was pasted. @param {string} input @param {{ missingState?: string, invalidInput?: string }} [messages] @returns {{ code: string, state: string } | { error: string }} */
export function parseOAuthCallbackInput(input, messages = {}) {
  const text = input.trim();
  if (!text) return { error: 'No input provided' };
  if (!URL.canParse(text)) return { error: messages.invalidInput ?? 'Paste the full redirect URL, not just the code.' };
  const { searchParams } = new URL(text);
  const [code, state] = [searchParams.get('code'), searchParams.get('state')];
  if (!code) return { error: "Missing 'code' parameter in URL" };
  return state ? { code, state } : { error: messages.missingState ?? "Missing 'state' parameter in URL" };
}

const escaped = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** What the page says, and what the sign-in gets, for one request. */
function answerTo(url, { expectedState, successTitle }) {
  const get = (name) => url.searchParams.get(name)?.trim();
  const failed = (text, error) => ({ status: 400, type: 'text/plain', text, error: new Error(error) });
  if (get('error')) return failed(`Authentication failed: ${get('error')}`, `OAuth error: ${get('error')}`);
  const [code, state] = [get('code'), get('state')];
  if (!code || !state) return failed('Missing code or state', 'Missing OAuth code or state');
  if (state !== expectedState) return failed('Invalid state', 'OAuth state mismatch');
  const text = `<!doctype html><meta charset="utf-8"><h2>${escaped(successTitle)}</h2><p>This page can be closed.</p>`;
  return { status: 200, type: 'text/html; charset=utf-8', text, result: { code, state } };
}

/**
 * Waits on a local port for the browser to come back.
 * @param {{ port: number, hostname?: string, callbackPath: string, redirectUri: string, expectedState: string, successTitle: string, timeoutMs: number, onProgress?: (text: string) => void, progressMessage?: string }} params
 * @returns {Promise<{ code: string, state: string }>}
 */
export function waitForLocalOAuthCallback(params) {
  const { port, hostname = 'localhost', callbackPath, timeoutMs, onProgress } = params;
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      server.close();
      settle(value);
    };
    const timer = setTimeout(() => end(reject, new Error('OAuth callback timeout')), timeoutMs);
    const server = http.createServer((request, response) => {
      const url = new URL(request.url ?? '/', `http://${hostname}:${port}`);
      if (url.pathname !== callbackPath) return response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found');
      const { status, type, text, error, result } = answerTo(url, params);
      response.writeHead(status, { 'content-type': type, connection: 'close' }).end(text);
      return error ? end(reject, error) : end(resolve, result);
    });
    server.once('error', (error) => end(reject, error));
    server.listen(port, hostname, () => onProgress?.(params.progressMessage ?? `Waiting for OAuth callback on ${params.redirectUri}...`));
  });
}
