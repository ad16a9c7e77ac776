// Credentials in configuration: plain text, or a reference that the host resolves.
import { isRecord } from './strings.js';
import { zod } from './zod-lazy.js';

const SOURCES = ['env', 'file', 'exec'];
const ENV_NAME = /^[A-Z][A-Z0-9_]{0,127}$/;
const blank = (value) => typeof value !== 'string' || value.trim() === '';

export const normalizeSecretInputString = (value) => (typeof value === 'string' && value.trim()) || undefined;

/** Text without line breaks and spaces around it. */
export const normalizeSecretInput = (value) => (typeof value === 'string' ? value.replace(/[\r\n\u2028\u2029]+/g, '').trim() : '');

/** Whether a value is a whole reference. */
export function isSecretRef(value) {
  return isRecord(value) && Object.keys(value).length === 3 && SOURCES.includes(value.source) && !blank(value.provider) && !blank(value.id);
}

/** A reference from any form that configuration knows, or `null`. */
export function coerceSecretRef(value, defaults) {
  if (isSecretRef(value)) return value;
  if (typeof value === 'string') return textRef(value.trim(), defaults?.env);
  if (!isRecord(value) || !SOURCES.includes(value.source) || blank(value.id) || value.provider !== undefined) return null;
  return { source: value.source, provider: defaults?.[value.source] ?? 'default', id: value.id };
}

function textRef(text, provider = 'default') {
  const marker = /^(?:secretref-env:|__env__:)(.*)$/s.exec(text)?.[1] ?? /^\$\{(.*)\}$/s.exec(text)?.[1];
  return marker !== undefined && ENV_NAME.test(marker) ? { source: 'env', provider: provider.trim() || 'default', id: marker } : null;
}

export const hasConfiguredSecretInput = (value, defaults) => Boolean(normalizeSecretInputString(value)) || coerceSecretRef(value, defaults) !== null;

/** The text of a credential; a reference that is not resolved is an error in strict mode. */
export function resolveSecretInputString({ value, refValue, defaults, path, mode = 'strict' }) {
  const text = normalizeSecretInputString(value);
  if (text) return { status: 'available', value: text, ref: null };
  const ref = coerceSecretRef(refValue, defaults) ?? coerceSecretRef(value, defaults);
  if (!ref) return { status: 'missing', value: undefined, ref: null };
  if (mode !== 'strict') return { status: 'configured_unavailable', value: undefined, ref };
  throw new Error(
    `${path}: unresolved SecretRef "${ref.source}:${ref.provider}:${ref.id}". Resolve this command against an active gateway runtime snapshot before reading it.`,
  );
}

export const normalizeResolvedSecretInputString = (params) => resolveSecretInputString({ ...params, mode: 'strict' }).value;

let schema;
/** A zod schema for text or a reference. */
export function buildSecretInputSchema() {
  if (schema) return schema;
  const z = zod();
  const provider = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'Secret reference provider must match /^[a-z][a-z0-9_-]{0,63}$/ (example: "default").');
  const id = {
    env: z.string().regex(ENV_NAME, 'Env secret reference id must match /^[A-Z][A-Z0-9_]{0,127}$/ (example: "OPENAI_API_KEY").'),
    file: z.string().refine(isFileId, 'File secret reference id must be an absolute JSON pointer (example: "/providers/openai/apiKey"), or "value" for singleValue mode.'),
    exec: z.string().refine(isExecId, 'Exec secret reference id must match /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}$/ and must not include "." or ".." path segments (example: "vault/openai/api-key").'),
  };
  const refs = SOURCES.map((source) => z.object({ source: z.literal(source), provider, id: id[source] }));
  schema = z.union([z.string(), z.discriminatedUnion('source', refs)]);
  return schema;
}
export const buildOptionalSecretInputSchema = () => buildSecretInputSchema().optional();
export const buildSecretInputArraySchema = () => zod().array(buildSecretInputSchema());

const isFileId = (id) => id === 'value' || (id.startsWith('/') && id.slice(1).split('/').every((part) => /^(?:[^~]|~0|~1)*$/.test(part)));
const isExecId = (id) => /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}$/.test(id) && !id.split('/').some((part) => part === '.' || part === '..');
