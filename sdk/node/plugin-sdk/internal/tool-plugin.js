// A plugin that is nothing but tools, with their description for tools that read it without running them.
import { jsonResult, textResult } from './actions.js';
import { buildJsonPluginConfigSchema } from './config-schema.js';
import { definePluginEntry } from './entry.js';

/** Where an entry keeps its description. */
export const toolPluginMetadataSymbol = Symbol.for('openclaw.plugin-sdk.tool-plugin.metadata');

const asResult = (value) => (typeof value === 'string' ? textResult(value, value) : jsonResult(value));
const describe = ({ name, label = name, description, parameters, optional }) => ({ name, label, description, parameters, ...(optional === true ? { optional: true } : {}) });

function register(api, tool) {
  const config = api.pluginConfig ?? {};
  const { name, label, description, parameters, optional } = describe(tool);
  if (tool.factory) return api.registerTool((toolContext) => tool.factory({ api, config, toolContext }), { name, ...(optional ? { optional } : {}) });
  if (!tool.execute) throw new Error(`tool plugin tool ${name} must define execute or factory`);
  const execute = async (toolCallId, params, signal, onUpdate) => asResult(await tool.execute(params, config, { api, signal, toolCallId, onUpdate }));
  return api.registerTool({ name, label, description, parameters, execute }, optional ? { optional } : undefined);
}

/**
 * Defines a plugin of tools.
 * @param {{id: string, name: string, description: string, activation?: object, configSchema?: object, tools: (tool: (definition: object) => object) => readonly object[]}} definition
 * @returns {object} a plugin entry
 */
export function defineToolPlugin({ id, name, description, activation = { onStartup: true }, configSchema, tools: list }) {
  const plain = configSchema ?? { type: 'object', properties: {}, additionalProperties: false };
  const schema = buildJsonPluginConfigSchema(plain);
  const tools = list((tool) => ({ ...tool, label: tool.label ?? tool.name, optional: tool.optional === true }));
  const entry = definePluginEntry({ id, name, description, configSchema: schema, register: (api) => tools.forEach((tool) => register(api, tool)) });
  const metadata = { id, name, description, activation, configSchema: schema.jsonSchema ?? plain, tools: tools.map(describe) };
  return Object.defineProperty(entry, toolPluginMetadataSymbol, { value: metadata });
}

/**
 * The description of a plugin of tools.
 * @param {unknown} entry
 * @returns {object | undefined} `undefined` for other entries
 */
export function getToolPluginMetadata(entry) {
  const metadata = entry && typeof entry === 'object' ? entry[toolPluginMetadataSymbol] : undefined;
  return metadata && typeof metadata === 'object' ? metadata : undefined;
}
