// Hides credentials in texts that people or models see.

const NAMES = 'token|secret|password|passwd|card[-_]?number|cvc|cvv|security[-_]?code|payment[-_]?credential|shared[-_]?payment[-_]?token';
const RULES = [
  /\b[A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CARD_NUMBER|CVC|CVV)\b\s*[=:]\s*(["']?)([^\s"'\\]+)\1/g,
  new RegExp(`[?&](?:access[-_]?token|auth[-_]?token|hook[-_]?token|refresh[-_]?token|api[-_]?key|client[-_]?secret|key|pass|auth|signature|${NAMES})=([^&\\s"'<>]+)`, 'gi'),
  /"(?:apiKey|token|secret|password|passwd|accessToken|refreshToken|cardNumber|cvc|cvv)"\s*:\s*"([^"]+)"/gi,
  /(?:^|[\s,{])["']?(?:api[-_]key|access[-_]token|refresh[-_]token|authToken|auth[-_]token|clientSecret|client[-_]secret|appSecret|app[-_]secret)["']?\s*[:=]\s*(["'])([^"'\r\n]+)\1/gi,
  /(?:^|[\s,{])["']?(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|x-auth-token)["']?\s*[:=]\s*(["'])([^"'\r\n]+)\1/gi,
  new RegExp(`--(?:api[-_]?key|hook[-_]?token|${NAMES})\\s+(["']?)([^\\s"']+)\\1`, 'gi'),
  /Authorization\s*[:=]\s*Bearer\s+([A-Za-z0-9._\-+=]+)/gi,
  /\bBearer\s+([A-Za-z0-9._\-+=]{18,})\b/gi,
  new RegExp(`(?:^|[\\s,;])(?:access_token|refresh_token|auth[-_]?token|api[-_]?key|client[-_]?secret|app[-_]?secret|${NAMES})=([^\\s&#]+)`, 'gi'),
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]+?-----END [A-Z ]*PRIVATE KEY-----/gi,
  /\b(sk-[A-Za-z0-9_-]{8,})\b/gi, /\b(ghp_[A-Za-z0-9]{20,})\b/gi, /\b(github_pat_[A-Za-z0-9_]{20,})\b/gi,
  /\b(xox[baprs]-[A-Za-z0-9-]{10,})\b/gi, /\b(xapp-[A-Za-z0-9-]{10,})\b/gi, /\b(gsk_[A-Za-z0-9_-]{10,})\b/gi,
  /\b(AIza[0-9A-Za-z\-_]{20,})\b/gi, /\b(ya29\.[0-9A-Za-z_\-./+=]{10,})\b/gi, /\b(1\/\/0[0-9A-Za-z_\-./+=]{10,})\b/gi,
  /\b(eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})\b/gi, /\b(pplx-[A-Za-z0-9_-]{10,})\b/gi,
  /\b(npm_[A-Za-z0-9]{10,})\b/gi, /\b(AKID[A-Za-z0-9]{10,})\b/gi, /\b(LTAI[A-Za-z0-9]{10,})\b/gi,
  /\b(hf_[A-Za-z0-9]{10,})\b/gi, /\b(r8_[A-Za-z0-9]{10,})\b/gi, /\bbot(\d{6,}:[A-Za-z0-9_-]{20,})\b/gi,
  /\b(\d{6,}:[A-Za-z0-9_-]{20,})\b/gi,
];
const CHUNK = 16384;

const mask = (secret) => (secret.length < 18 ? '***' : `${secret.slice(0, 6)}…${secret.slice(-4)}`);

function hide(match, ...groups) {
  if (match.includes('PRIVATE KEY-----')) {
    const lines = match.split(/\r?\n/).filter(Boolean);
    return lines.length < 2 ? '***' : `${lines[0]}\n…redacted…\n${lines.at(-1)}`;
  }
  const secret = groups.slice(0, -2).findLast((group) => typeof group === 'string' && group.length > 0) ?? match;
  return match.replace(secret, () => mask(secret));
}

/** The text with what looks like a credential shortened or removed. */
export function redactSensitiveText(text) {
  if (!text) return text;
  let out = text;
  for (const rule of RULES) {
    if (out.length <= 2 * CHUNK) out = out.replace(rule, hide);
    else out = out.match(/[\s\S]{1,16384}/g).map((part) => part.replace(rule, hide)).join('');
  }
  return out;
}

const SECRET_FIELD = /^(?:api[-_]?key|token|secret|password|passwd|(?:access|refresh|id)[-_]?token|client[-_]?secret|card[-_]?number|cvc|cvv|security[-_]?code|payment[-_]?credential|shared[-_]?payment[-_]?token)$/i;
/** Members where a password of one app may stand in a text. */
const TEXT_FIELD = /^(?:apple|icloud|app[-_]?specific[-_]?password|application[-_]?password|text|content|message|error|errorMessage|detail|details|reason)$/i;
const APP_PASSWORD = /\b[a-z]{4}(?:-[a-z]{4}){3}\b/g;
const PLAIN_WORDS = new Set(['case', 'claw', 'demo', 'file', 'main', 'name', 'open', 'path', 'slug', 'test']);
const hideAppPasswords = (text) => text.replace(APP_PASSWORD, (match) => (match.split('-').some((word) => PLAIN_WORDS.has(word)) ? match : mask(match)));

/** What a tool was given or gave, without credentials. The setting that switches redaction off does not count here. @param {string} text @returns {string} */
export const redactToolPayloadText = (text) => redactSensitiveText(text);
/** The value of a member, hidden when the member's name says that it is a credential. @param {string} key @param {string} value @returns {string} */
export function redactSensitiveFieldValue(key, value) {
  const cleaned = redactSensitiveText(value);
  if (cleaned !== value || TEXT_FIELD.test(key)) {
    const hidden = hideAppPasswords(cleaned);
    if (hidden !== value) return hidden;
  }
  return SECRET_FIELD.test(key) ? mask(value) : value;
}
