// The settings of spoken sessions: `talk` of the configuration.
import { isRecord, normalizeOptionalString } from './strings.js';

/** The members of a provider that say something; a key is a text or a reference to one. */
function configOf(raw) {
  const { apiKey, ...config } = isRecord(raw) ? raw : {};
  const key = isRecord(apiKey) ? apiKey : normalizeOptionalString(apiKey);
  return Object.fromEntries(Object.entries({ ...config, apiKey: key }).filter(([, value]) => value !== undefined));
}
function providersOf(value) {
  const rows = Object.entries(isRecord(value) ? value : {}).map(([id, config]) => [normalizeOptionalString(id), configOf(config)]).filter(([id, config]) => id && Object.keys(config).length > 0);
  return rows.length > 0 ? Object.fromEntries(rows) : undefined;
}

/**
 * The provider that is set for spoken sessions, or the only one there is.
 * @param {object | undefined} talk
 * @returns {{provider: string, config: object} | undefined}
 */
export function resolveActiveTalkProviderConfig(talk) {
  if (!isRecord(talk)) return undefined;
  const providers = providersOf(talk.providers);
  const chosen = normalizeOptionalString(talk.provider);
  if (chosen) return providers && !Object.hasOwn(providers, chosen) ? undefined : { provider: chosen, config: providers?.[chosen] ?? {} };
  const ids = Object.keys(providers ?? {});
  return ids.length === 1 ? { provider: ids[0], config: providers[ids[0]] } : undefined;
}
