// The parts of a channel plugin that setup and full entries share.
import { getChatChannelMeta } from './chat-meta.js';

const OPTIONAL = ['setupWizard', 'capabilities', 'commands', 'doctor', 'agentPrompt', 'streaming', 'reload', 'gatewayMethods', 'configSchema', 'config', 'security', 'groups'];

/**
 * A channel plugin's base: its id, its description (that of a known channel, with changes) and the given parts.
 * @param {object} params `id`, `meta`, `setup` and the optional parts
 * @returns {object}
 */
export function createChannelPluginBase(params) {
  const parts = Object.fromEntries(OPTIONAL.filter((key) => params[key]).map((key) => [key, params[key]]));
  return { id: params.id, meta: { ...getChatChannelMeta(params.id), ...params.meta }, ...parts, setup: params.setup };
}
