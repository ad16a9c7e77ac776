// What the plugin of this worker brings as memory.
import { plugins } from '../../../worker/state.js';
import { ownProviders } from '../own-providers.js';

const apiOf = (pluginId) => {
  const plugin = plugins.get(pluginId);
  if (!plugin) throw Object.assign(new Error(`\`${pluginId}\` is not a plugin of this worker; memory is registered with its own \`api\``), { code: 'NOT_BUILT' });
  return plugin.api;
};
/** @param {string} pluginId @param {object} capability @returns {void} */
export const registerMemoryCapability = (pluginId, capability) => apiOf(pluginId).registerMemoryCapability(capability);
/** @param {string} pluginId @param {object} supplement @returns {void} */
export const registerMemoryCorpusSupplement = (pluginId, supplement) => apiOf(pluginId).registerMemoryCorpusSupplement(supplement);
/** What a plugin of this worker registered. @returns {{pluginId: string, capability: object} | undefined} */
export function getMemoryCapabilityRegistration() {
  const capability = ownProviders('registerMemoryCapability').at(-1);
  const pluginId = [...plugins.values()].find(({ registrations }) => registrations?.some(({ method }) => method === 'registerMemoryCapability'))?.id;
  return capability ? { pluginId, capability } : undefined;
}
/** Registrations end with their plugin: the gateway takes them back. @returns {void} */
export const clearMemoryPluginState = () => {};
