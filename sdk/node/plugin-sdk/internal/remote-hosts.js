// Hosts that files are copied from.
import { normalizeOptionalString } from './strings.js';

const TOKEN = /^[A-Za-z0-9._-]+$/;
const IPV6 = /^\[[0-9A-Fa-f:.%]+\]$/;

/**
 * `host` or `user@host`, when it cannot be taken for an option or a path.
 * @param {string | null | undefined} value
 * @returns {string | undefined}
 */
export function normalizeScpRemoteHost(value) {
  const text = normalizeOptionalString(value) ?? '';
  const [user, host] = text.includes('@') ? [text.slice(0, text.indexOf('@')), text.slice(text.indexOf('@') + 1)] : [undefined, text];
  const fits = !text.startsWith('-') && !host.startsWith('-') && (TOKEN.test(host) || IPV6.test(host)) && (user === undefined || TOKEN.test(user));
  return fits ? text : undefined;
}
