// Credentials that the gateway resolves for the plugin.
import { plugins, peer } from '../../../worker/state.js';
import { resolveEnvApiKey } from './env-names.js';
import { listUsableProviderAuthProfileIds } from './order.js';

async function ask(method, params) {
  if (!peer) throw Object.assign(new Error('credentials are resolved by the gateway; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  return peer.request(method, { pluginId, ...params });
}

/** The credential of a provider. @param {{ provider: string, cfg?: object, profileId?: string }} params @returns {Promise<{ apiKey?: string, source: string, mode: string, profileId?: string }>} */
export const resolveApiKeyForProvider = ({ cfg: _cfg, ...params }) => ask('host.modelAuth.resolve', params);
/** The credential of a model. @param {{ model: { provider: string }, cfg?: object, profileId?: string }} params */
export const getApiKeyForModel = ({ model, cfg: _cfg, ...params }) => ask('host.modelAuth.resolve', { ...params, provider: model.provider });
/** What a request to a model carries. @param {object} params */
export const getRuntimeAuthForModel = ({ cfg: _cfg, ...params }) => ask('host.modelAuth.getRuntimeAuthForModel', params);

/** The key of a credential; none is an error. @param {{ apiKey?: string, source?: string, mode?: string }} auth @param {string} provider @returns {string} */
export function requireApiKey(auth, provider) {
  const key = auth.apiKey?.replace(/[\r\n]+/g, '').trim();
  if (key) return key;
  throw new Error(`No API key resolved for provider "${provider}" (auth mode: ${auth.mode}).`);
}

/** The key of a provider's first usable profile. @param {{ provider: string, cfg?: object, agentDir?: string }} params @returns {Promise<string | undefined>} */
export async function resolveProviderAuthProfileApiKey({ provider, cfg, agentDir }) {
  const [profileId] = listUsableProviderAuthProfileIds({ provider, cfg, agentDir }).profileIds;
  return profileId ? (await resolveApiKeyForProvider({ provider, profileId }))?.apiKey : undefined;
}
/** Whether a provider has any credential. @param {{ provider: string }} params @returns {Promise<boolean>} */
export const hasAvailableAuthForProvider = async ({ provider }) => Boolean(resolveEnvApiKey(provider)) || ask('host.modelAuth.hasAuthForProvider', { provider });
