// Secret references resolved in this process: from its environment and from files. Programs are run by the gateway only.
import { readSecretFileSync } from './secret-files.js';
import { coerceSecretRef } from './secrets.js';
import { isRecord, normalizeOptionalString } from './strings.js';

const keyOf = ({ source, provider, id }) => `${source}:${provider}:${id}`;
/** A file with many secrets may be this large, in bytes. */
const MAX_FILE_BYTES = 1024 * 1024;

function providerOf(ref, config) {
  const configured = config?.secrets?.providers?.[ref.provider];
  if (!configured && ref.source === 'env' && ref.provider === (normalizeOptionalString(config?.secrets?.defaults?.env) ?? 'default')) return { source: 'env' };
  if (!configured) throw new Error(`Secret provider "${ref.provider}" is not configured (ref: ${keyOf(ref)}).`);
  if (configured.source !== ref.source) throw new Error(`Secret provider "${ref.provider}" has source "${configured.source}" but the reference asks for "${ref.source}".`);
  return configured;
}

/** The member that a JSON pointer names. */
function pointer(document, id) {
  let value = document;
  for (const part of id.split('/').slice(1)) {
    const key = part.replace(/~1/g, '/').replace(/~0/g, '~');
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

const READERS = {
  env(ref, provider, env) {
    if (provider.allowlist && !provider.allowlist.includes(ref.id)) throw new Error(`Environment variable "${ref.id}" is not allowlisted in secrets.providers.${ref.provider}.allowlist.`);
    const value = env[ref.id];
    if (!value?.trim()) throw new Error(`Environment variable "${ref.id}" is missing or empty; grant it to the plugin when it is set for the gateway.`);
    return value;
  },
  file(ref, provider) {
    const text = readSecretFileSync(provider.path, `secrets.providers.${ref.provider}.path`, { maxBytes: provider.maxBytes ?? MAX_FILE_BYTES });
    if (provider.mode === 'singleValue') return text;
    const value = pointer(JSON.parse(text), ref.id);
    if (value === undefined) throw new Error(`"${provider.path}" has no value at "${ref.id}".`);
    return value;
  },
  exec(ref) {
    throw Object.assign(new Error(`Secret reference "${keyOf(ref)}" needs a program, which plugins' workers do not run; use an env or file provider.`), { code: 'NOT_BUILT' });
  },
};

/**
 * The values of references.
 * @param {Array<{source: string, provider: string, id: string}>} refs
 * @param {{config: object, env?: NodeJS.ProcessEnv}} options
 * @returns {Promise<Map<string, unknown>>} by `source:provider:id`; rejects when one has no value
 */
export async function resolveSecretRefValues(refs, { config, env = process.env }) {
  const values = new Map();
  for (const ref of refs) {
    const id = ref.id.trim();
    if (!id) throw new Error('Secret reference id is empty.');
    const clean = { ...ref, id };
    if (!values.has(keyOf(clean))) values.set(keyOf(clean), READERS[ref.source](clean, providerOf(clean, config), env));
  }
  return values;
}

/**
 * What collects the secrets of a configuration before they are resolved.
 * @param {{sourceConfig: object, env: NodeJS.ProcessEnv}} params
 * @returns {object}
 */
export const createResolverContext = ({ sourceConfig, env }) => ({ sourceConfig, env, cache: {}, warnings: [], warningKeys: new Set(), assignments: [] });

/**
 * Writes resolved values where they belong.
 * @param {{assignments: Array<{ref: object, path: string, expected: string, apply: (value: unknown) => void}>, resolved: Map<string, unknown>}} params
 * @returns {void}
 */
export function applyResolvedAssignments({ assignments, resolved }) {
  for (const { ref, path, expected, apply } of assignments) {
    if (!resolved.has(keyOf(ref))) throw new Error(`Secret reference "${keyOf(ref)}" resolved to no value.`);
    const value = resolved.get(keyOf(ref));
    const text = typeof value === 'string' && value.trim() !== '';
    if (expected === 'string' && !text) throw new Error(`${path} resolved to a non-string or empty value.`);
    if (expected !== 'string' && !text && !isRecord(value)) throw new Error(`${path} resolved to an unsupported value type.`);
    apply(value);
  }
}

/**
 * A setting that may be text or a reference.
 * @param {{config: object, env?: NodeJS.ProcessEnv, value: unknown, path: string, unresolvedReasonStyle?: 'generic' | 'detailed'}} params
 * @returns {Promise<{value?: string, unresolvedRefReason?: string}>}
 */
export async function resolveConfiguredSecretInputString({ config, env, value, path, unresolvedReasonStyle }) {
  const ref = coerceSecretRef(value, config.secrets?.defaults);
  if (!ref) return { value: normalizeOptionalString(value) };
  const reason = (kind) => {
    const detailed = unresolvedReasonStyle === 'detailed';
    if (!detailed || kind === 'unresolved') return { unresolvedRefReason: `${path} SecretRef is unresolved (${keyOf(ref)}).` };
    return { unresolvedRefReason: `${path} SecretRef resolved to ${kind === 'empty' ? 'an empty' : 'a non-string'} value.` };
  };
  try {
    const resolved = (await resolveSecretRefValues([ref], { config, env })).get(keyOf({ ...ref, id: ref.id.trim() }));
    if (typeof resolved !== 'string') return reason('non-string');
    return resolved.trim() ? { value: resolved.trim() } : reason('empty');
  } catch {
    return reason('unresolved');
  }
}

/**
 * The same, with something else to fall back on.
 * @param {object} params of `resolveConfiguredSecretInputString`, and `readFallback()`
 * @returns {Promise<{value?: string, source?: 'config' | 'secretRef' | 'fallback', unresolvedRefReason?: string, secretRefConfigured: boolean}>}
 */
export async function resolveConfiguredSecretInputWithFallback({ readFallback, ...params }) {
  const secretRefConfigured = coerceSecretRef(params.value, params.config.secrets?.defaults) !== null;
  const own = await resolveConfiguredSecretInputString(params);
  if (own.value) return { value: own.value, source: secretRefConfigured ? 'secretRef' : 'config', secretRefConfigured };
  const fallback = readFallback?.();
  if (fallback) return { value: fallback, source: 'fallback', secretRefConfigured };
  return secretRefConfigured ? { unresolvedRefReason: own.unresolvedRefReason, secretRefConfigured } : { secretRefConfigured };
}

/**
 * The value of a reference; a setting that is none gives nothing.
 * @param {object} params of `resolveConfiguredSecretInputString`
 * @returns {Promise<string | undefined>} rejects when the reference has no value
 */
export async function resolveRequiredConfiguredSecretRefInputString(params) {
  if (coerceSecretRef(params.value, params.config.secrets?.defaults) === null) return undefined;
  const { value, unresolvedRefReason } = await resolveConfiguredSecretInputString(params);
  if (value) return value;
  throw new Error(unresolvedRefReason ?? `${params.path} resolved to an empty value.`);
}
