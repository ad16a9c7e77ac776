export { buildJsonPluginConfigSchema, buildPluginConfigSchema, emptyPluginConfigSchema } from './internal/config-schema.js';
export { definePluginEntry } from './internal/entry.js';
