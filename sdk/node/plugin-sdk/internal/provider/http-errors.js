// Errors of providers as short texts.
import { readResponseWithLimit } from '../http-body.js';
import { isRecord, normalizeOptionalString } from '../strings.js';

/** How large a JSON answer of a provider may be, in bytes. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;

/** The value when it is a record. @param {unknown} value @returns {object | undefined} */
export const asObject = (value) => (isRecord(value) ? value : undefined);

/** A detail of at most so many characters. @param {string} detail @param {number} [limit] @returns {string} */
export const truncateErrorDetail = (detail, limit = 220) => (detail.length <= limit ? detail : `${detail.slice(0, limit - 1)}…`);

/** The start of a body as text. @param {Response} response @param {number} [limitBytes] @returns {Promise<string>} */
export async function readResponseTextLimited(response, limitBytes = 16_384) {
  const reader = limitBytes > 0 ? response.body?.getReader() : undefined;
  if (!reader) return '';
  const decoder = new TextDecoder();
  let [text, left] = ['', limitBytes];
  while (left > 0) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value.subarray(0, left), { stream: true });
    left -= value.byteLength;
  }
  await reader.cancel().catch(() => {});
  return text + decoder.decode();
}

/** What an error's JSON says. @param {unknown} payload @returns {string | undefined} */
export function formatProviderErrorPayload(payload) {
  const root = asObject(payload);
  const subject = asObject(root?.error) ?? asObject(root?.detail) ?? root;
  if (!subject) return undefined;
  const first = (...values) => values.map(normalizeOptionalString).find(Boolean);
  const message = first(subject.message, subject.detail, root.message, root.error, root.detail);
  const [type, code] = [first(subject.type), first(subject.code, subject.status)];
  const facts = [type && `type=${type}`, code && `code=${code}`].filter(Boolean).join(', ');
  return [message && truncateErrorDetail(message), facts && `[${facts}]`].filter(Boolean).join(' ') || undefined;
}

/** What an error's body says. @param {Response} response @returns {Promise<string | undefined>} */
export async function extractProviderErrorDetail(response) {
  const body = normalizeOptionalString(await readResponseTextLimited(response));
  if (!body) return undefined;
  try {
    return formatProviderErrorPayload(JSON.parse(body)) ?? truncateErrorDetail(body);
  } catch {
    return truncateErrorDetail(body);
  }
}

/** The id that a provider gave a request. @param {Response} response @returns {string | undefined} */
export const extractProviderRequestId = ({ headers }) => normalizeOptionalString(headers.get('x-request-id')) ?? normalizeOptionalString(headers.get('request-id'));

/** The text of a failed request. @param {{ label: string, status: number, detail?: string, requestId?: string, statusPrefix?: string }} params @returns {string} */
export const formatProviderHttpErrorMessage = ({ label, status, detail, requestId, statusPrefix = '' }) =>
  `${label} (${statusPrefix}${status})${detail ? `: ${detail}` : ''}${requestId ? ` [request_id=${requestId}]` : ''}`;

/** The error of a failed request. @param {Response} response @param {string} label @param {{ statusPrefix?: string }} [options] @returns {Promise<Error>} */
export async function createProviderHttpError(response, label, options) {
  const detail = await extractProviderErrorDetail(response);
  const message = formatProviderHttpErrorMessage({ label, status: response.status, detail, requestId: extractProviderRequestId(response), statusPrefix: options?.statusPrefix });
  return Object.assign(new Error(message), { status: response.status });
}

/** Fails for a response that is no success. @param {Response} response @param {string} label @returns {Promise<void>} */
export async function assertOkOrThrowProviderError(response, label) {
  if (!response.ok) throw await createProviderHttpError(response, label);
}
/** The same, with `HTTP` before the status. @param {Response} response @param {string} label @returns {Promise<void>} */
export async function assertOkOrThrowHttpError(response, label) {
  if (!response.ok) throw await createProviderHttpError(response, label, { statusPrefix: 'HTTP ' });
}

/** The JSON of a response; what is none or is too large is an error that names the request. @param {Response} response @param {string} label @param {{ maxBytes?: number }} [options] @returns {Promise<any>} */
export async function readProviderJsonResponse(response, label, { maxBytes = MAX_JSON_BYTES } = {}) {
  const bytes = await readResponseWithLimit(response, maxBytes, { onOverflow: () => new Error(`${label}: JSON response exceeds ${maxBytes} bytes`) });
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw new Error(`${label}: malformed JSON response`, { cause });
  }
}
