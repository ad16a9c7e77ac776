// Which sign-in of a provider there is, without its secrets.
import { normalizeProviderId } from '../provider/id.js';
import { loadAuthProfileStore } from './store.js';

/** @param {{provider: string, profileId?: string, agentDir?: string}} params @returns {{profileId?: string, accountId?: string}} */
export function resolveProviderAuthProfileMetadata({ provider, profileId, agentDir }) {
  const { profiles } = loadAuthProfileStore(agentDir);
  const wanted = normalizeProviderId(provider);
  const id = profileId ?? Object.keys(profiles).find((key) => normalizeProviderId(profiles[key].provider) === wanted);
  const profile = id === undefined ? undefined : profiles[id];
  if (!profile) return {};
  return { profileId: id, ...(profile.type === 'oauth' && profile.accountId ? { accountId: profile.accountId } : {}) };
}
