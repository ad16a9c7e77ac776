// Entry helpers for plugins.
import { emptyPluginConfigSchema } from './config-schema.js';

/**
 * The entry of a plugin that is not a channel. `configSchema` may be a function; it runs on first read.
 * @param {import('chela-sdk/api').OpenClawPluginDefinition} definition
 */
export function definePluginEntry({ id, name, description, kind, configSchema = emptyPluginConfigSchema, reload, nodeHostCommands, securityAuditCollectors, register }) {
  const entry = { id, name, description };
  for (const [key, value] of Object.entries({ kind, reload, nodeHostCommands, securityAuditCollectors })) if (value) entry[key] = value;
  let schema;
  Object.defineProperty(entry, 'configSchema', {
    get: () => (schema ??= typeof configSchema === 'function' ? configSchema() : configSchema),
    enumerable: true,
    configurable: true,
  });
  return Object.assign(entry, { register });
}
