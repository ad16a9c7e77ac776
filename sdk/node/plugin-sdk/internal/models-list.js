// The models that the configuration names, as lists and as the answer to `/models`.
import { snapshot } from '../../worker/state.js';
import { ownChannel } from './message-channels.js';
import { normalizeProviderId } from './provider/id.js';
import { buildModelAliasIndex, resolveDefaultModelForAgent, resolveModelRefFromString } from './provider/model-refs.js';
import { normalizeOptionalString } from './strings.js';

/** Models on a page, and the most that may be asked for. */
const [PAGE, MOST] = [20, 100];

const inUse = (cfg) => cfg ?? snapshot.config ?? {};
const rowsOf = (cfg) => Object.entries(cfg.models?.providers ?? {}).flatMap(([provider, { models = [] } = {}]) => models.map((model) => ({ ...model, name: model.name ?? model.id, provider: normalizeProviderId(provider) })));
/** The models of the configuration. The catalogues of providers are the gateway's. @param {{config?: object}} [params] @returns {Promise<any[]>} `{id, name, provider, contextWindow?, reasoning?, input?}` */
export const loadModelCatalog = async (params) => rowsOf(inUse(params?.config)).map(({ id, name, provider, contextWindow, reasoning, input }) => ({ id, name, provider, contextWindow, reasoning, input }));

const refsOf = (model) => (typeof model === 'string' ? [model] : [model?.primary, ...(model?.fallbacks ?? [])]);
/** What people may choose: the models that are allowed, else all, with the one in use. @param {object} cfg @param {string} [agentId] @param {{view?: 'default' | 'all'}} [options] @returns {Promise<{byProvider: Map<string, Set<string>>, providers: string[], resolvedDefault: {provider: string, model: string}, modelNames: Map<string, string>}>} */
export async function buildModelsProviderData(cfg, agentId, options = {}) {
  const resolvedDefault = resolveDefaultModelForAgent({ cfg, agentId });
  const aliasIndex = buildModelAliasIndex({ cfg, defaultProvider: resolvedDefault.provider });
  const read = (raw) => (normalizeOptionalString(raw) ? resolveModelRefFromString({ raw: raw.trim(), defaultProvider: resolvedDefault.provider, aliasIndex })?.ref : undefined);
  const allowed = Object.keys(cfg.agents?.defaults?.models ?? {});
  const wildcards = new Set(allowed.filter((ref) => ref.endsWith('/*')).map((ref) => normalizeProviderId(ref.slice(0, -2))));
  const rows = rowsOf(cfg).filter(({ provider }) => options.view === 'all' || allowed.length === 0 || wildcards.has(provider));
  const named = [...allowed.filter((ref) => !ref.endsWith('/*')), ...refsOf(cfg.agents?.defaults?.model), ...refsOf(cfg.agents?.defaults?.imageModel)].map(read).filter(Boolean);
  const byProvider = new Map();
  for (const [provider, model] of [...rows.map((row) => [row.provider, row.id]), ...named.map((ref) => [normalizeProviderId(ref.provider), ref.model]), [normalizeProviderId(resolvedDefault.provider), resolvedDefault.model]]) {
    byProvider.set(provider, (byProvider.get(provider) ?? new Set()).add(model));
  }
  const modelNames = new Map(rowsOf(cfg).filter(({ id, name }) => name !== id).map(({ provider, id, name }) => [`${provider}/${id}`, name]));
  return { byProvider, providers: [...byProvider.keys()].sort(), resolvedDefault, modelNames };
}

/** @param {{provider: string, total: number}} params @returns {string} */
export const formatModelsAvailableHeader = ({ provider, total }) => `Models (${provider}) — ${total} available`;

function wishOf(body) {
  const wish = { page: 1, size: PAGE, all: false };
  for (const word of body.replace(/^\/models\b/i, '').trim().split(/\s+/).filter(Boolean)) {
    const [, key, value] = /^(page|size|limit)=(\d+)$/i.exec(word) ?? [];
    if (key) wish[key.toLowerCase() === 'page' ? 'page' : 'size'] = Math.max(1, Number(value));
    else if (/^(?:all|--all)$/i.test(word)) wish.all = true;
    else if (/^\d+$/.test(word)) wish.page = Math.max(1, Number(word));
    else if (!/^(?:list|providers)$/i.test(word)) wish.provider ??= normalizeProviderId(word);
  }
  return { ...wish, size: Math.min(wish.size, MOST) };
}
/** The answer to `/models`; `null` for another text. @param {{cfg: object, commandBodyNormalized: string, surface?: string, agentId?: string}} params @returns {Promise<any>} a payload */
export async function resolveModelsCommandReply({ cfg, commandBodyNormalized, surface, agentId }) {
  const body = commandBodyNormalized.trim();
  if (!/^\/models\b/i.test(body)) return null;
  const { provider, page, size, all } = wishOf(body);
  const { byProvider, providers } = await buildModelsProviderData(cfg, agentId, all ? { view: 'all' } : {});
  if (!provider) {
    const infos = providers.map((id) => ({ id, count: byProvider.get(id).size }));
    const { commands } = ownChannel(surface) ?? {};
    const channelData = commands?.buildModelsMenuChannelData?.({ providers: infos }) ?? commands?.buildModelsProviderChannelData?.({ providers: infos });
    return channelData ? { text: 'Select a provider:', channelData } : { text: ['Providers:', ...infos.map(({ id, count }) => `- ${id} (${count})`), '', 'Use: /models <provider>', 'Switch: /model <provider/model>'].join('\n') };
  }
  if (!byProvider.has(provider)) return { text: [`Unknown provider: ${provider}`, '', 'Available providers:', ...providers.map((id) => `- ${id}`), '', 'Use: /models <provider>'].join('\n') };
  const models = [...byProvider.get(provider)].sort();
  const pages = all ? 1 : Math.max(1, Math.ceil(models.length / size));
  const at = Math.min(page, pages);
  const shown = all ? models : models.slice((at - 1) * size, at * size);
  const more = at < pages ? ['', `More: /models ${provider} ${at + 1}`, `All: /models ${provider} all`] : [];
  return { text: [`${formatModelsAvailableHeader({ provider, total: models.length })}${pages > 1 ? ` (page ${at}/${pages})` : ''}`, ...shown.map((id) => `- ${provider}/${id}`), ...more].join('\n') };
}
